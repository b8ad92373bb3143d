#include "emit/python/method.h"

#include <algorithm>

#include "emit/python/literals.h"
#include "ir/text.h"

namespace godwit::emit {

using ops::Param;

std::string PythonMethod::integer(int64_t value) const {
  return std::to_string(std::clamp<int64_t>(value, INT32_MIN, INT32_MAX));  // sizes are 32 bits wide in MLX
}

std::string PythonMethod::size_of(const std::string& array, size_t axis) const {
  return fmt::format("{}.shape[{}]", array, axis);
}

std::string PythonMethod::binary(char op, const std::string& a, const std::string& b) const {
  switch (op) {
    case '/': return fmt::format("(({}) // ({}))", a, b);
    case '%': return fmt::format("(({}) % ({}))", a, b);
    case '*': return fmt::format("(({}) * ({}))", a, b);
    case '<': return fmt::format("min({}, {})", a, b);
    default: return fmt::format("max({}, {})", a, b);
  }
}

namespace {

// What a list of a window's attribute says where it says nothing new: steps of 1, no pads.
bool is_neutral(const Param& p, const ir::Attr& attr) {
  const bool ones = p.name == "stride" || p.name == "dilation";
  if (!ones && p.name != "low" && p.name != "high" && p.name != "output_padding") return false;
  const auto* list = std::get_if<ir::Dims>(&attr);
  return list && std::all_of(list->begin(), list->end(), [&](const ir::Dim& d) { return d.is(ones ? 1 : 0); });
}

bool leaves_out_neutral(const std::string& op) {
  return op == "conv" || op == "conv_transpose" || op == "max_pool" || op == "avg_pool";
}

}  // namespace

// x[:, 1:3, ::2]: the language's own slices mean what the op means.
std::string PythonMethod::subscript(const ir::Node& node, const std::string& x) {
  const auto& axes = std::get<ir::Dims>(*node.find("axes"));
  const auto& starts = std::get<ir::Dims>(*node.find("starts"));
  const auto& stops = std::get<ir::Dims>(*node.find("stops"));
  const auto* steps = std::get_if<ir::Dims>(node.find("steps"));
  const int64_t rank = node.inputs[0]->rank();
  auto spelled = [&](const ir::Dim& d) { return d.is_known() ? std::to_string(d.value()) : dim(d); };
  std::vector<std::string> parts;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = axes[i].value() < 0 ? axes[i].value() + rank : axes[i].value();
    const ir::Dim step = steps && !steps->empty() ? (*steps)[i] : ir::Dim(1);
    const bool forward = !step.is_known() || step.value() > 0;
    if (static_cast<int64_t>(parts.size()) <= axis) parts.resize(static_cast<size_t>(axis) + 1, ":");
    const bool from_edge = starts[i].is(forward ? 0 : -1);
    const bool to_edge =
        stops[i].is_known() && (forward ? stops[i].value() >= INT32_MAX : stops[i].value() < INT32_MIN / 2);
    std::string& part = parts[static_cast<size_t>(axis)];
    part = (from_edge ? "" : spelled(starts[i])) + ":" + (to_edge ? "" : spelled(stops[i]));
    if (!step.is(1)) part += ":" + spelled(step);
  }
  return parts.empty() ? x : fmt::format("{}[{}]", x, fmt::join(parts, ", "));
}

// ops.NAME(operands..., attribute=value...), defaults left out.
std::string PythonMethod::call(const ops::Op& op, const ir::Node& node, const std::vector<std::string>& arguments) {
  if (op.name == "slice" && node.inputs[0]->type.shape) return subscript(node, arguments[0]);
  functions_.insert(op.name);
  std::vector<std::string> given;
  size_t operands = 0;
  for (size_t i = 0; i < op.params.size(); ++i)
    if (op.params[i].is_operand() && arguments[i] != absent()) operands = i + 1;
  for (size_t i = 0; i < op.params.size(); ++i) {
    const Param& p = op.params[i];
    const std::string keyword = p.name == "from" ? "from_" : p.name;
    if (p.is_operand()) {
      if (i >= operands) continue;
      // Operands that follow an attribute are named.
      const bool named =
          !given.empty() && given.back().find("=") != std::string::npos && i > 0 && !op.params[i - 1].is_operand();
      given.push_back(named ? keyword + "=" + arguments[i] : arguments[i]);
      continue;
    }
    const ir::Attr* attr = node.find(p.name);
    if (p.fallback && (!attr || ir::str(*attr) == ir::str(*p.fallback))) continue;
    if (attr && leaves_out_neutral(op.name) && is_neutral(p, *attr)) continue;
    given.push_back(keyword + "=" + arguments[i]);
  }
  return fmt::format("ops.{}({})", op.name, fmt::join(given, ", "));
}

void PythonMethod::node(const Statement& s) {
  const ir::Node& n = *s.node;
  const ops::Op& op = ops::get(n.op);
  const std::string code = expression(n);
  std::vector<std::string> names;
  for (const ir::Value* v : n.outputs) names.push_back(name_for(v, &n));
  const bool is_list = op.result == ops::Op::Result::arrays;
  line(fmt::format("{} = {}{}", fmt::join(names, ", "), code, is_list && names.size() == 1 ? "[0]" : ""));
  for (size_t i = 0; i < names.size(); ++i) set(n.outputs[i], names[i]);
}

std::vector<std::string> PythonMethod::call_arguments(const Statement& s) {
  std::vector<std::string> out = values(s.arguments);
  for (const std::string& symbol : s.symbols) out.push_back(dim(ir::Dim::symbol(symbol)));
  return out;
}

void PythonMethod::block_call(const Statement& s) {
  const std::string code = fmt::format("self.{}({})", members_.at(&s), fmt::join(call_arguments(s), ", "));
  std::vector<std::string> names;
  for (const ir::Value* v : s.results)
    names.push_back(s.results.size() == 1 ? unique(identifier(s.scope.back())) : name_for(v, v->producer));
  line(fmt::format("{} = {}", fmt::join(names, ", "), code));
  for (size_t i = 0; i < names.size(); ++i) set(s.results[i], names[i]);
}

void PythonMethod::block_loop(const Statement& s) {
  std::vector<std::string> arguments = call_arguments(s);
  std::vector<std::string> names(s.results.size());
  for (size_t p = 0; p < s.carried.size(); ++p) {
    if (s.carried[p] < 0) continue;
    std::string& name = names[static_cast<size_t>(s.carried[p])];
    if (name.empty()) {
      name = unique("hidden");
      line(fmt::format("{} = {}", name, arguments[p]));
    }
    arguments[p] = name;
  }
  const std::string item = unique("block");
  line(fmt::format("for {} in self.{}:", item, members_.at(&s)));
  {
    Nested nested(*this);
    line(fmt::format("{} = {}({})", fmt::join(names, ", "), item, fmt::join(arguments, ", ")));
  }
  for (size_t i = 0; i < names.size(); ++i) set(s.results[i], names[i]);
}

void PythonMethod::branch(const Statement& s) {
  const ir::Node& n = *s.node;
  const std::string condition = value(n.inputs.at(0));
  std::vector<std::string> names;
  for (const ir::Value* v : n.outputs) names.push_back(name_for(v, nullptr));
  for (size_t r = 0; r < 2; ++r) {
    line(r == 0 ? fmt::format("if {}.item():", condition) : "else:");
    Nested nested(*this);
    statements(s.regions.at(r));
    for (size_t i = 0; i < names.size(); ++i)
      line(fmt::format("{} = {}", names[i], value(n.regions[r]->outputs.at(i))));
    if (names.empty() && s.regions[r].empty()) line("pass");
  }
  for (size_t i = 0; i < names.size(); ++i) set(n.outputs[i], names[i]);
}

namespace {

bool is_true(const ir::Value* v) {
  return !v || (is_constant(v) && constant_value(v).size() == 1 && constant_value(v).number(0) != 0);
}

}  // namespace

// What one turn of a loop leaves behind, all at once.
void PythonMethod::turn(const Statement& s, const std::string& go) {
  const ir::Graph& body = *s.node->regions[0];
  const size_t carried = body.inputs.size() - 1;
  const std::vector<std::string> results = values({body.outputs.begin(), body.outputs.end()});
  if (!go.empty()) line(fmt::format("{} = bool({}.item())", go, results[0]));
  for (size_t i = carried + 1; i < results.size(); ++i)
    line(fmt::format("{}.append({})", value(s.node->outputs[i - 1]), results[i]));
  std::vector<std::string> left, right;
  for (size_t i = 0; i < carried; ++i) {
    if (value(body.inputs[1 + i]) == results[1 + i]) continue;
    left.push_back(value(body.inputs[1 + i]));
    right.push_back(results[1 + i]);
  }
  if (!left.empty()) line(fmt::format("{} = {}", fmt::join(left, ", "), fmt::join(right, ", ")));
}

void PythonMethod::loop(const Statement& s) {
  const ir::Node& n = *s.node;
  const ir::Graph& body = *n.regions.at(0);
  const size_t carried = body.inputs.size() - 1;
  auto operand = [&](size_t i) { return i < n.inputs.size() ? n.inputs[i] : nullptr; };
  std::vector<std::string> names;
  for (size_t i = 0; i < carried; ++i) {
    names.push_back(name_for(body.inputs[1 + i], nullptr));
    line(fmt::format("{} = {}", names.back(), value(n.inputs.at(2 + i))));
  }
  for (size_t i = carried; i < n.outputs.size(); ++i) {
    names.push_back(unique("steps"));
    line(names.back() + " = []");
    set(n.outputs[i], names.back());
  }
  const std::string index = unique("step");
  std::string go;
  if (!is_true(operand(1)) || !is_true(body.outputs[0])) {
    go = unique("go");
    line(operand(1) ? fmt::format("{} = bool({}.item())", go, value(operand(1))) : go + " = True");
  }
  const std::string trips = operand(0) ? fmt::format("{}.item()", value(operand(0))) : "";
  const bool is_counted = go.empty() && !trips.empty();
  if (is_counted) {
    line(fmt::format("for {} in range({}):", index, trips));
  } else {
    line(index + " = 0");
    const std::string bound = trips.empty() ? "" : fmt::format("{} < {}", index, trips);
    line(fmt::format("while {}{}{}:", go.empty() ? (bound.empty() ? "True" : "") : go,
                     go.empty() || bound.empty() ? "" : " and ", bound));
  }
  {
    Nested nested(*this);
    rebind(body.inputs[0], fmt::format("mx.array({}, mx.int64)", index));
    for (size_t i = 0; i < carried; ++i) rebind(body.inputs[1 + i], names[i]);
    statements(s.regions[0]);
    turn(s, go);
    if (!is_counted)
      line(index + " += 1");
    else if (carried == 0 && n.outputs.empty() && s.regions[0].empty())
      line("pass");
  }
  for (size_t i = 0; i < carried; ++i) set(n.outputs[i], names[i]);
  for (size_t i = carried; i < n.outputs.size(); ++i) {
    const ir::Value& declared = *body.outputs[1 + i];
    std::vector<std::string> shape{"0"};
    for (const ir::Dim& d : declared.shape()) shape.push_back(d.is_known() ? std::to_string(d.value()) : "0");
    const std::string name = name_for(n.outputs[i], nullptr);
    line(fmt::format("{0} = mx.stack({1}) if {1} else mx.zeros([{2}], {3})", name, names[i], fmt::join(shape, ", "),
                     python_mlx_dtype(declared.dtype())));
    set(n.outputs[i], name);
  }
}

void PythonMethod::bind(const Statement& s) {
  const auto& symbols = std::get<std::vector<std::string>>(*s.node->find("symbols"));
  const std::string name = unique("sizes");
  line(fmt::format("{} = {}.flatten().tolist()", name, value(s.node->inputs.at(0))));
  for (size_t i = 0; i < symbols.size(); ++i) set_symbol(symbols[i], fmt::format("{}[{}]", name, i));
}

void PythonMethod::check(const Statement& s) {
  line(fmt::format("if not {}.item():", value(s.node->inputs.at(0))));
  Nested nested(*this);
  line(fmt::format("raise ValueError({})", text_literal(std::get<std::string>(*s.node->find("message")))));
}

}  // namespace godwit::emit
