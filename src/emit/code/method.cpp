#include "emit/code/method.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "emit/code/interface.h"

namespace godwit::emit {

using ops::Param;

MethodWriter::MethodWriter(const Program& program, const Block& block, const std::vector<std::string>& fields,
                           const Spelling& spelling, int depth, int width)
    : program_(program), block_(block), spelling_(spelling), depth_(depth), width_(width) {
  count_scopes(block.body);
  for (size_t i = 0; i < block.weights.size(); ++i) {
    values_[block.weights[i]] = fields.at(i);
    namer_.reserve(fields[i]);  // a variable must not hide a member
  }
  for (const std::string& symbol : block.symbols) {
    symbol_parameters_.push_back(namer_.unique(identifier(symbol)));
    symbols_[symbol] = symbol_parameters_.back();
  }
}

void MethodWriter::count_scopes(const std::vector<Statement>& body) {
  for (const Statement& s : body) {
    if (s.kind == Statement::Kind::node) ++nodes_in_scope_[s.node->scope];
    for (const auto& region : s.regions) count_scopes(region);
  }
}

void MethodWriter::line(const std::string& code) {
  text_ += code.empty() ? "" : std::string(static_cast<size_t>(width_ * depth_), ' ') + code;
  text_ += "\n";
}

std::string MethodWriter::value(const ir::Value* v) {
  if (auto found = values_.find(v); found != values_.end()) {
    used_.insert(v);
    return found->second;
  }
  require<InternalError>(is_constant(v), "value {} is read before it is made", v->name);
  return spelling_.array(constant_value(v));
}

std::vector<std::string> MethodWriter::values(const std::vector<const ir::Value*>& list) {
  std::vector<std::string> out;
  for (const ir::Value* v : list) out.push_back(value(v));
  return out;
}

void MethodWriter::set(const ir::Value* v, const std::string& code) {
  values_[v] = code;
  note_sizes(v, false);
}

void MethodWriter::rebind(const ir::Value* region_input, const std::string& code) {
  values_[region_input] = code;
  note_sizes(region_input, true);
}

void MethodWriter::note_sizes(const ir::Value* v, bool replace) {
  if (v->type.sequence || !v->type.shape) return;
  for (size_t axis = 0; axis < v->shape().size(); ++axis) {
    auto symbol = v->shape()[axis].as_symbol();
    if (!symbol || (!replace && (symbol_sources_.count(*symbol) || symbols_.count(*symbol)))) continue;
    symbol_sources_[*symbol] = size_of(values_.at(v), axis);
    source_values_[*symbol] = v;
    symbols_.erase(*symbol);
  }
}

void MethodWriter::set_symbol(const std::string& symbol, const std::string& source) {
  symbol_sources_[symbol] = source;
  source_values_.erase(symbol);
  symbols_.erase(symbol);
}

void MethodWriter::need(const std::vector<std::string>& symbols) {
  for (const std::string& s : symbols) {
    if (symbols_.count(s)) continue;
    auto source = symbol_sources_.find(s);
    require<InternalError>(source != symbol_sources_.end(), "nothing tells the dimension {}", s);
    if (auto v = source_values_.find(s); v != source_values_.end()) used_.insert(v->second);
    const std::string name = namer_.unique(identifier(s));
    line(declare_symbol(name, source->second));
    symbols_[s] = name;
  }
}

void MethodWriter::need(const ir::Shape& shape) {
  for (const ir::Dim& d : shape) d.visit_symbols([&](const std::string& s) { need(std::vector<std::string>{s}); });
}

std::string MethodWriter::dim(const ir::Dim& d) {
  return d.render([&](char op, const std::string& a, const std::string& b) { return binary(op, a, b); },
                  [&](const std::string& s) { return symbols_.at(s); });
}

std::string MethodWriter::define_parameter(const ir::Value* v, const std::string& wanted) {
  const std::string name = namer_.unique(identifier(wanted));
  set(v, name);
  return name;
}

// A name from the source where it has one, else the module where the node is all that it does, else the op.
std::string MethodWriter::name_for(const ir::Value* v, const ir::Node* node) {
  std::string wanted;
  auto is_word = [](const std::string& s) {
    return !s.empty() && std::all_of(s.begin(), s.end(), [](unsigned char c) { return std::isalpha(c) || c == '_'; });
  };
  if (auto preferred = preferred_.find(v); preferred != preferred_.end()) return namer_.unique(preferred->second);
  if (v && is_word(v->name)) wanted = v->name;
  if (wanted.empty() && node) {
    const std::vector<std::string> scope = scope_parts(node->scope);
    if (nodes_in_scope_[node->scope] == 1 && scope.size() > block_.scope.size() &&
        std::isalpha(static_cast<unsigned char>(scope.back()[0])))
      wanted = scope.back();
  }
  if (wanted.empty() && node) wanted = node->op;
  std::string lower;
  for (char c : identifier(wanted.empty() ? "x" : wanted))
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return namer_.unique(lower);
}

void MethodWriter::statements(const std::vector<Statement>& body) {
  for (const Statement& s : body) {
    if (s.kind != Statement::Kind::node) {
      need(s.symbols);
      s.kind == Statement::Kind::call ? block_call(s) : block_loop(s);
      continue;
    }
    need(symbols_of(*s.node));
    if (s.node->op == "if")
      branch(s);
    else if (s.node->op == "loop")
      loop(s);
    else if (s.node->op == "bind")
      bind(s);
    else if (s.node->op == "check")
      check(s);
    else
      node(s);
  }
}

std::string MethodWriter::argument(const ir::Node& node, const Param& p, size_t& next, bool in_pattern) {
  switch (p.kind) {
    case Param::Kind::operand:
    case Param::Kind::sequence: return value(node.inputs.at(next++));
    case Param::Kind::optional_operand: {
      const size_t i = next++;
      return i < node.inputs.size() && node.inputs[i] ? value(node.inputs[i]) : absent();
    }
    case Param::Kind::operands: {
      std::vector<std::string> items;
      while (next < node.inputs.size()) items.push_back(value(node.inputs[next++]));
      return spelling_.list(items);
    }
    default:
      return spelling_.attribute(ops::attribute(node, p), p.kind, in_pattern,
                                 [&](const ir::Dim& d) { return d.is_known() ? integer(d.value()) : dim(d); });
  }
}

std::string MethodWriter::expression(const ir::Node& node) {
  const ops::Op& op = ops::get(node.op);
  const std::string& shape = pattern(op);
  std::vector<std::string> arguments;
  size_t next = 0;
  for (const Param& p : op.params) arguments.push_back(argument(node, p, next, !shape.empty()));
  if (shape.empty()) return call(op, node, arguments);
  std::string out;
  for (size_t i = 0; i < shape.size();) {
    const size_t close = shape[i] == '{' ? shape.find('}', i) : std::string::npos;
    const std::string name = close == std::string::npos ? "" : shape.substr(i + 1, close - i - 1);
    auto param = std::find_if(op.params.begin(), op.params.end(), [&](const Param& p) { return p.name == name; });
    if (param == op.params.end()) {
      out += shape[i++];
      continue;
    }
    out += arguments[static_cast<size_t>(param - op.params.begin())];
    i = close + 1;
  }
  return out;
}

}  // namespace godwit::emit
