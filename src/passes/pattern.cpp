#include "passes/pattern.h"

#include <cmath>
#include <set>
#include <sstream>

#include "base/error.h"
#include "ir/text.h"

namespace godwit::passes {
namespace {

struct Line {
  std::string result, op;
  std::vector<std::string> operands;
  std::vector<std::pair<std::string, std::string>> attrs;
};

struct Compiled {
  const Pattern* source;
  std::vector<Line> lines;  // the last is the root
  Line replacement;
};

Line parse_line(const std::string& text) {
  std::istringstream in(text);
  Line line;
  std::string token;
  in >> token;
  if (token.starts_with('%')) {
    line.result = token;
    in >> token >> line.op;
    require<InternalError>(token == "=", "bad pattern line '{}'", text);
  } else {
    line.op = token;
  }
  while (in >> token) {
    // Lists are written without spaces, so a token is a whole attribute.
    size_t equals = token.find('=');
    if (equals == std::string::npos)
      line.operands.push_back(token);
    else
      line.attrs.emplace_back(token.substr(0, equals), token.substr(equals + 1));
  }
  return line;
}

Compiled compile(const Pattern& pattern) {
  Compiled c{&pattern, {}, {}};
  std::istringstream in{std::string(pattern.text)};
  for (std::string text; std::getline(in, text);) {
    text.erase(0, text.find_first_not_of(' '));
    if (text.empty()) continue;
    if (text.starts_with("->"))
      c.replacement = parse_line(text.substr(3));
    else
      c.lines.push_back(parse_line(text));
  }
  require<InternalError>(!c.lines.empty() && ops::find(c.replacement.op), "pattern {} is not complete", pattern.name);
  for (const Line& line : c.lines)
    require<InternalError>(ops::find(line.op), "pattern {} names op {}", pattern.name, line.op);
  return c;
}

bool is_commutative(std::string_view op) {
  return op == "add" || op == "multiply" || op == "minimum" || op == "maximum" || op == "logical_and" ||
         op == "logical_or";
}

class Matcher {
 public:
  Matcher(const ir::Module& module, const Compiled& pattern) : module_(module), pattern_(pattern) {}

  bool run(ir::Value* root) { return match_line(pattern_.lines.size() - 1, root); }

  // Values made inside, the root's excepted, must have no reader outside.
  bool is_closed(const std::map<const ir::Value*, int>& uses, const ir::Value* root) const {
    std::map<const ir::Value*, int> inside;
    for (const ir::Node* node : nodes_)
      for (const ir::Value* v : node->inputs) ++inside[v];
    for (const ir::Node* node : nodes_)
      for (const ir::Value* v : node->outputs)
        if (auto all = uses.find(v); v != root && all != uses.end() && all->second != inside[v]) return false;
    return true;
  }

  Match match;

 private:
  bool match_line(size_t index, ir::Value* v) {
    const Line& line = pattern_.lines[index];
    if (!is_op(v, line.op)) return false;
    const ir::Node& node = *v->producer;
    if (node.outputs.size() != 1 || !match_attrs(line, node)) return false;
    if (auto known = match.values.find(line.result); known != match.values.end()) return known->second == v;
    // Alternatives undo what a failed attempt has bound.
    const Match saved = match;
    const std::set<const ir::Node*> saved_nodes = nodes_;
    match.values[line.result] = v;
    nodes_.insert(&node);
    if (match_operands(line, node, false)) return true;
    match = saved;
    nodes_ = saved_nodes;
    if (!is_commutative(line.op) || node.inputs.size() != 2) return false;
    match.values[line.result] = v;
    nodes_.insert(&node);
    if (match_operands(line, node, true)) return true;
    match = saved;
    nodes_ = saved_nodes;
    return false;
  }

  bool match_operands(const Line& line, const ir::Node& node, bool swapped) {
    if (node.inputs.size() > line.operands.size()) return false;
    for (size_t i = 0; i < line.operands.size(); ++i) {
      const size_t at = swapped ? 1 - i : i;
      ir::Value* v = at < node.inputs.size() ? node.inputs[at] : nullptr;
      if (!match_operand(line.operands[i], v)) return false;
    }
    return true;
  }

  bool match_operand(const std::string& token, ir::Value* v) {
    if (token == "_") return !v;
    if (!v) return false;
    if (token.starts_with('%')) {
      if (auto known = match.values.find(token); known != match.values.end()) return known->second == v;
      for (size_t i = 0; i < pattern_.lines.size(); ++i)
        if (pattern_.lines[i].result == token) return match_line(i, v);
      match.values[token] = v;
      return true;
    }
    auto number = scalar(module_, v);
    if (!number) return false;
    if (token.starts_with('$')) return bind(token, *number);
    const double wanted = std::stod(token);
    return std::abs(*number - wanted) <=
           1e-6 * std::max(1.0, std::abs(wanted)) + (v->dtype() == DType::f32 ? 0 : 1e-3 * std::abs(wanted));
  }

  bool match_attrs(const Line& line, const ir::Node& node) {
    for (const auto& [name, token] : line.attrs) {
      const ir::Attr& given = ops::attribute(node, *ops::get(node.op).find(name));
      if (token.starts_with('$')) {
        if (!bind(token, given)) return false;
      } else if (ir::str(given) != ir::str(ir::parse_attr(token))) {
        return false;
      }
    }
    return true;
  }

  bool bind(const std::string& name, const ir::Attr& attr) {
    auto [found, is_new] = match.attrs.emplace(name, attr);
    return is_new || ir::str(found->second) == ir::str(attr);
  }

  const ir::Module& module_;
  const Compiled& pattern_;
  std::set<const ir::Node*> nodes_;
};

ir::Value* build(Rewriter& rewriter, ir::Graph::Nodes::iterator at, const Line& line, const Match& match) {
  std::vector<ir::Value*> operands;
  for (const std::string& token : line.operands) operands.push_back(token == "_" ? nullptr : match.values.at(token));
  ir::Attrs attrs;
  for (const auto& [name, token] : line.attrs)
    attrs[name] = token.starts_with('$') ? match.attrs.at(token) : ir::parse_attr(token);
  return rewriter.insert(at, **at, line.op, std::move(operands), std::move(attrs));
}

}  // namespace

bool apply_patterns(const std::vector<Pattern>& patterns, ir::Module& module, ir::Graph& root, ir::Graph& graph) {
  std::multimap<std::string, Compiled> by_root;
  for (const Pattern& p : patterns) {
    Compiled c = compile(p);
    by_root.emplace(c.lines.back().op, std::move(c));
  }
  bool changed = false;
  for (auto at = graph.nodes.begin(); at != graph.nodes.end(); ++at) {
    ir::Node& node = **at;
    auto [first, last] = by_root.equal_range(node.op);
    if (first == last || node.outputs.size() != 1 || !node.output()->type.shape) continue;
    for (auto candidate = first; candidate != last; ++candidate) {
      Matcher matcher(module, candidate->second);
      if (!matcher.run(node.output()) || !matcher.is_closed(ir::use_counts(root), node.output())) continue;
      if (candidate->second.source->hook && !candidate->second.source->hook(module, matcher.match)) continue;
      Rewriter rewriter(module, root, graph);
      ir::Value* fused = build(rewriter, at, candidate->second.replacement, matcher.match);
      if (fused->type.shape != node.output()->type.shape || fused->dtype() != node.output()->dtype()) {
        graph.nodes.erase(std::prev(at));  // a broadcast inside made the result another shape
        continue;
      }
      rewriter.replace(node.output(), fused);
      rewriter.finish();
      changed = true;
      break;
    }
  }
  return changed;
}

}  // namespace godwit::passes
