// Splits graphs into blocks along the module tree.
#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "emit/code/canonical.h"
#include "emit/code/program.h"
#include "ops/builder.h"
#include "ops/op.h"

namespace godwit::emit {

namespace {

constexpr size_t screen = 30;        // statements that a function may have before a part of it is split off
constexpr size_t worth_folding = 4;  // statements that a block that occurs again must have

// Nodes whose scopes share the part below `depth`, as they stand together; `part` is empty for a node of its own.
struct Run {
  std::string part;
  Nodes nodes;
};

class Outliner {
 public:
  Outliner(Program& program, const ir::Graph& graph, std::map<std::string, Block*>& known)
      : program_(program), graph_(graph), uses_(graph), known_(known) {}

  std::unique_ptr<Block> root() {
    Nodes nodes = listed(graph_);
    count_repeats(nodes, {});
    auto block = std::make_unique<Block>();
    block->name = graph_.name;
    block->parameters.assign(graph_.inputs.begin(), graph_.inputs.end());
    block->results.assign(graph_.outputs.begin(), graph_.outputs.end());
    block->body = build(nodes, {});
    Interface around;
    for (const ir::Value* v : graph_.inputs) around.inputs.push_back(v);
    for (const ir::State& s : graph_.states) around.inputs.push_back(s.before);
    Canonical form = canonical(program_, block->body, around, 0);
    require<InternalError>(form.symbols.empty(), "graph {}: nothing tells the dimension {}", graph_.name,
                           form.symbols.empty() ? "" : form.symbols[0]);
    block->weights = std::move(form.weights);
    add_results(graph_, *block);
    block->instances.push_back({{}, block->weights});
    return block;
  }

 private:
  // Weights and large constants that are results as they are.
  void add_results(const ir::Graph& graph, Block& block) {
    auto add = [&](const ir::Value* v) {
      if (is_weight(program_, v) && std::find(block.weights.begin(), block.weights.end(), v) == block.weights.end())
        block.weights.push_back(v);
    };
    for (const ir::Value* v : graph.outputs) add(v);
    for (const ir::State& s : graph.states) add(s.after);
  }

  const std::vector<std::string>& parts(const ir::Node* node) {
    auto [found, is_new] = parts_.try_emplace(node);
    if (is_new) found->second = scope_parts(node->scope);
    return found->second;
  }

  static Nodes listed(const ir::Graph& graph) {
    Nodes nodes;
    for (const auto& node : graph.nodes)
      if (node->op != "constant") nodes.push_back(node.get());
    return nodes;
  }

  std::vector<Run> split(const Nodes& nodes, const std::vector<std::string>& prefix) {
    std::vector<Run> runs;
    for (const ir::Node* node : nodes) {
      const auto& scope = parts(node);
      const bool is_below = scope.size() > prefix.size() && std::equal(prefix.begin(), prefix.end(), scope.begin());
      std::string part = is_below ? scope[prefix.size()] : "";
      if (runs.empty() || part.empty() || runs.back().part != part) runs.push_back({part, {}});
      runs.back().nodes.push_back(node);
    }
    return runs;
  }

  static std::vector<std::string> below(std::vector<std::string> prefix, const std::string& part) {
    prefix.push_back(part);
    return prefix;
  }

  std::vector<Statement> plain(const Nodes& nodes) {
    std::vector<Statement> out;
    for (const ir::Node* node : nodes) {
      Statement s;
      s.node = node;
      s.nodes = {node};
      for (const auto& region : node->regions) s.regions.push_back(plain(listed(*region)));
      out.push_back(std::move(s));
    }
    return out;
  }

  std::string structure(const Nodes& nodes, size_t depth) {
    return canonical(program_, plain(nodes), uses_.interface(nodes), depth).text;
  }

  // How often each structure occurs. Looks inside the first occurrence only: what repeats because the part around
  // it repeats is no repeat of its own.
  void count_repeats(const Nodes& nodes, const std::vector<std::string>& prefix) {
    for (const Run& run : split(nodes, prefix)) {
      if (run.part.empty()) {
        for (const auto& region : run.nodes[0]->regions) count_repeats(listed(*region), prefix);
        continue;
      }
      // A module that only wraps another is no occurrence of its own.
      const bool is_wrapper = run.nodes.size() == nodes.size();
      if (!is_wrapper && run.nodes.size() >= worth_folding && ++repeats_[structure(run.nodes, prefix.size() + 1)] > 1)
        continue;
      count_repeats(run.nodes, below(prefix, run.part));
    }
  }

  std::vector<Statement> build(const Nodes& nodes, const std::vector<std::string>& prefix) {
    std::vector<Statement> out;
    for (const Run& run : split(nodes, prefix)) {
      if (run.part.empty()) {
        Statement s;
        s.node = run.nodes[0];
        s.nodes = run.nodes;
        for (const auto& region : s.node->regions) s.regions.push_back(build(listed(*region), prefix));
        out.push_back(std::move(s));
        continue;
      }
      std::vector<Statement> part = build_part(run, nodes.size(), below(prefix, run.part));
      std::move(part.begin(), part.end(), std::back_inserter(out));
    }
    return fold(std::move(out));
  }

  std::vector<Statement> build_part(const Run& run, size_t around, const std::vector<std::string>& scope) {
    std::vector<Statement> body = build(run.nodes, scope);
    const Interface face = uses_.interface(run.nodes);
    if (!face.closed || face.outputs.empty()) return body;
    const bool repeats = run.nodes.size() < around && run.nodes.size() >= worth_folding && body.size() > 1 &&
                         repeats_[structure(run.nodes, scope.size())] > 1;
    const bool is_long = body.size() >= screen && run.nodes.size() * 10 < around * 9;
    if (!repeats && !is_long) return body;
    std::vector<Statement> out;
    out.push_back(call(std::move(body), face, run.nodes, scope));
    return out;
  }

  Statement call(std::vector<Statement> body, const Interface& face, const Nodes& nodes,
                 const std::vector<std::string>& scope) {
    Canonical form = canonical(program_, body, face, scope.size());
    Block*& block = known_[form.text];
    if (!block) {
      program_.blocks.push_back(std::make_unique<Block>());
      block = program_.blocks.back().get();
      block->scope = scope;
      block->parameters = face.inputs;
      block->results = face.outputs;
      block->symbols = form.symbols;
      block->weights = form.weights;
      block->body = std::move(body);
    }
    auto differ = [](const std::vector<const ir::Value*>& a, const std::vector<const ir::Value*>& b) {
      for (size_t i = 0; i < a.size(); ++i)
        if (ir::str(a[i]->type) != ir::str(b[i]->type)) return true;
      return false;
    };
    block->mixed_shapes |= differ(block->parameters, face.inputs) || differ(block->results, face.outputs);
    block->instances.push_back({scope, form.weights});
    Statement s;
    s.kind = Statement::Kind::call;
    s.block = block;
    s.scope = scope;
    s.arguments = face.inputs;
    s.results = face.outputs;
    s.symbols = form.symbols;
    s.nodes = nodes;
    return s;
  }

  // The index at the end of a scope, -1 where it has none.
  static int index_of(const Statement& s) {
    if (s.kind != Statement::Kind::call || s.scope.empty()) return -1;
    const std::string& last = s.scope.back();
    const bool is_number = last.size() < 9 && last.find_first_not_of("0123456789") == std::string::npos;
    return is_number ? std::stoi(last) : -1;
  }

  // Whether `next` continues what `s` does: the next index, every parameter unchanged or fed by a result.
  bool continues(const Statement& s, const Statement& next, std::vector<int>& carried, bool is_first) const {
    if (next.kind != Statement::Kind::call || next.block != s.block || index_of(s) < 0 ||
        index_of(next) != index_of(s) + 1 || next.scope.size() != s.scope.size() ||
        !std::equal(s.scope.begin(), s.scope.end() - 1, next.scope.begin()) || next.symbols != s.symbols)
      return false;
    std::vector<int> feeds(next.arguments.size(), -1);
    for (size_t p = 0; p < feeds.size(); ++p) {
      auto fed = std::find(s.results.begin(), s.results.end(), next.arguments[p]);
      if (fed != s.results.end())
        feeds[p] = static_cast<int>(fed - s.results.begin());
      else if (next.arguments[p] != s.arguments[p])
        return false;
    }
    for (const ir::Value* v : s.results)
      if (uses_.total(v) != Uses::count(next.nodes, v)) return false;
    if (!is_first && feeds != carried) return false;
    carried = feeds;
    return true;
  }

  std::vector<Statement> fold(std::vector<Statement> body) const {
    std::vector<Statement> out;
    for (size_t i = 0; i < body.size();) {
      std::vector<int> carried;
      size_t end = i + 1;
      while (end < body.size() && continues(body[end - 1], body[end], carried, end == i + 1)) ++end;
      if (end == i + 1) {
        out.push_back(std::move(body[i++]));
        continue;
      }
      Statement loop = body[i];
      loop.kind = Statement::Kind::repeat;
      loop.first_index = index_of(body[i]);
      loop.count = static_cast<int>(end - i);
      loop.scope.pop_back();
      loop.results = body[end - 1].results;
      loop.carried = carried;
      for (size_t k = i + 1; k < end; ++k)
        loop.nodes.insert(loop.nodes.end(), body[k].nodes.begin(), body[k].nodes.end());
      out.push_back(std::move(loop));
      i = end;
    }
    return out;
  }

  Program& program_;
  const ir::Graph& graph_;
  Uses uses_;
  std::map<std::string, Block*>& known_;
  std::map<const ir::Node*, std::vector<std::string>> parts_;
  std::map<std::string, int> repeats_;
};

std::string camel(const std::string& word) {
  std::string out;
  bool upper = true;
  for (char c : word) {
    if (!std::isalnum(static_cast<unsigned char>(c))) {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return out;
}

bool is_number(const std::string& s) { return !s.empty() && s.find_first_not_of("0123456789") == std::string::npos; }

// "encoder.layers.3" is a Layer, or an EncoderLayer where another block has that name.
void name_blocks(Program& program, const std::string& class_name) {
  // Names that generated code uses itself.
  std::map<std::string, int> taken{{class_name, 1},   {"Model", 1},     {"Module", 1}, {"Weights", 1},
                                   {"Sequence", 1},   {"Tensor", 1},    {"DType", 1},  {"Outputs", 1},
                                   {"UsageError", 1}, {"FileError", 1}, {"Error", 1}};
  for (const auto& block : program.blocks) {
    std::vector<std::string> words;
    bool is_item = false;
    for (auto part = block->scope.rbegin(); part != block->scope.rend(); ++part) {
      if (is_number(*part)) {
        is_item = is_item || words.empty();
        continue;
      }
      std::string word = camel(*part);
      if (words.empty() && is_item && word.size() > 2 && word.ends_with('s') && !word.ends_with("ss")) word.pop_back();
      if (!word.empty()) words.push_back(word);
    }
    std::string name = words.empty() ? "Block" : words[0];
    if (std::isdigit(static_cast<unsigned char>(name[0]))) name = "Block" + name;
    for (size_t i = 1; i < words.size() && taken.count(name); ++i) name = words[i] + name;
    const int n = ++taken[name];
    block->name = n == 1 ? name : name + std::to_string(n);
    if (n > 1) ++taken[block->name];
  }
}

void refuse_unsupported(const ir::Graph& graph) {
  std::map<std::string, int> counts;
  ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
    if (node.op.starts_with(ops::unsupported_prefix) || !ops::find(node.op)) ++counts[node.op];
  });
  if (counts.empty()) return;
  std::string list;
  for (const auto& [name, count] : counts) list += fmt::format("{}{} ({})", list.empty() ? "" : ", ", name, count);
  raise<UsageError>("graph {} has unsupported ops, no code can be written: {}", graph.name, list);
}

}  // namespace

bool is_constant(const ir::Value* value) { return value->producer && value->producer->op == "constant"; }

const Tensor& constant_value(const ir::Value* value) { return std::get<Tensor>(*value->producer->find("value")); }

bool is_weight(const Program& program, const ir::Value* value) {
  return value->kind == ir::Value::Kind::weight || program.large_constants.count(value) > 0;
}

std::vector<std::string> scope_parts(const std::string& scope) {
  std::vector<std::string> out;
  std::string part;
  for (char c : scope + ".") {
    if (c != '.' && c != '/') {
      part += c;
    } else if (!part.empty()) {
      out.push_back(std::move(part));
      part.clear();
    }
  }
  return out;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

Program outline(const ir::Module& module, const std::string& class_name) {
  Program program;
  program.module = &module;
  std::map<std::string, Block*> known;
  for (const auto& [name, graph] : module.graphs) {
    refuse_unsupported(graph);
    ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
      if (node.op != "constant") return;
      if (constant_value(node.output()).size() > literal_limit)
        program.large_constants.emplace(node.output(), fmt::format("constant_{}", program.large_constants.size()));
    });
    Outliner outliner(program, graph, known);
    program.roots.push_back({&graph, outliner.root()});
  }
  name_blocks(program, class_name);
  return program;
}

}  // namespace godwit::emit
