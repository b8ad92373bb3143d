#include "emit/cpp/method.h"

#include <algorithm>

#include "emit/cpp/literals.h"
#include "ir/text.h"

namespace godwit::emit {

using ops::Param;

std::string CppMethod::size_of(const std::string& array, size_t axis) const {
  return fmt::format("{}.shape({})", array, axis);
}

std::string CppMethod::binary(char op, const std::string& a, const std::string& b) const {
  switch (op) {
    case '/': return fmt::format("op::floordiv({}, {})", a, b);
    case '%': return fmt::format("op::mod({}, {})", a, b);
    case '*': return fmt::format("({}) * ({})", a, b);
    case '<': return fmt::format("std::min({}, {})", a, b);
    default: return fmt::format("std::max({}, {})", a, b);
  }
}

std::string CppMethod::declare_symbol(const std::string& name, const std::string& source) const {
  return fmt::format("const int {} = {};", name, source);
}

// A call of op::, without arguments at the end that have their defaults.
std::string CppMethod::call(const ops::Op& op, const ir::Node& node, const std::vector<std::string>& arguments) {
  size_t count = arguments.size();
  for (; count > 0; --count) {
    const Param& p = op.params[count - 1];
    const ir::Attr* given = node.find(p.name);
    const bool is_default = p.is_operand() ? p.kind == Param::Kind::optional_operand && arguments[count - 1] == absent()
                                           : p.fallback && (!given || ir::str(*given) == ir::str(*p.fallback));
    if (!is_default) break;
  }
  std::vector<std::string> given(arguments.begin(), arguments.begin() + static_cast<std::ptrdiff_t>(count));
  return fmt::format("op::{}({})", op.name, fmt::join(given, ", "));
}

void CppMethod::node(const Statement& s) {
  const ir::Node& n = *s.node;
  const ops::Op& op = ops::get(n.op);
  const std::string code = expression(n);
  if (op.result != ops::Op::Result::arrays) {
    const std::string name = name_for(n.output(), &n);
    line(fmt::format("{} {} = {};", type_of(n.output()), name, code));
    set(n.output(), name);
    return;
  }
  const std::string name = name_for(n.outputs.size() == 1 ? n.output() : nullptr, &n);
  line(fmt::format("const std::vector<array> {} = {};", name, code));
  for (size_t i = 0; i < n.outputs.size(); ++i) set(n.outputs[i], fmt::format("{}[{}]", name, i));
}

std::vector<std::string> CppMethod::call_arguments(const Statement& s) {
  std::vector<std::string> out = values(s.arguments);
  for (const std::string& symbol : s.symbols) out.push_back(dim(ir::Dim::symbol(symbol)));
  return out;
}

void CppMethod::block_call(const Statement& s) {
  const std::string code = fmt::format("{}({})", members_.at(&s), fmt::join(call_arguments(s), ", "));
  std::vector<std::string> names;
  for (const ir::Value* v : s.results)
    names.push_back(s.results.size() == 1 && !s.scope.empty() ? unique(identifier(s.scope.back()) + "_out")
                                                              : name_for(v, v->producer));
  if (names.size() == 1)
    line(fmt::format("{} {} = {};", type_of(s.results[0]), names[0], code));
  else
    line(fmt::format("auto [{}] = {};", fmt::join(names, ", "), code));
  for (size_t i = 0; i < names.size(); ++i) set(s.results[i], names[i]);
}

void CppMethod::block_loop(const Statement& s) {
  std::vector<std::string> arguments = call_arguments(s);
  // One variable for each result; the parameter that it feeds starts it.
  std::vector<std::string> names(s.results.size());
  for (size_t p = 0; p < s.carried.size(); ++p) {
    if (s.carried[p] < 0) continue;
    std::string& name = names[static_cast<size_t>(s.carried[p])];
    if (name.empty()) {
      name = unique("hidden");
      line(fmt::format("{} {} = {};", type_of(s.arguments[p]), name, arguments[p]));
    }
    arguments[p] = name;
  }
  const std::string member = members_.at(&s);
  std::string code = fmt::format("{}[i]({})", member, fmt::join(arguments, ", "));
  code = names.size() == 1 ? names[0] + " = " + code : fmt::format("std::tie({}) = {}", fmt::join(names, ", "), code);
  line(fmt::format("for (size_t i = 0; i < {}.size(); ++i) {};", member, code));
  for (size_t i = 0; i < names.size(); ++i) set(s.results[i], names[i]);
}

void CppMethod::branch(const Statement& s) {
  const ir::Node& n = *s.node;
  const std::string condition = value(n.inputs.at(0));
  std::vector<std::string> names;
  for (const ir::Value* v : n.outputs) {
    names.push_back(name_for(v, nullptr));
    line(v->type.sequence ? fmt::format("Sequence {};", names.back())
                          : fmt::format("array {}(0);  // {}", names.back(), ir::str(v->type)));
  }
  for (size_t r = 0; r < 2; ++r) {
    line(r == 0 ? fmt::format("if (read_bool({})) {{", condition) : "} else {");
    Nested nested(*this);
    statements(s.regions.at(r));
    for (size_t i = 0; i < names.size(); ++i)
      line(fmt::format("{} = {};", names[i], value(n.regions[r]->outputs.at(i))));
  }
  line("}");
  for (size_t i = 0; i < names.size(); ++i) set(n.outputs[i], names[i]);
}

namespace {

bool is_true(const ir::Value* v) {
  return !v || (is_constant(v) && constant_value(v).size() == 1 && constant_value(v).number(0) != 0);
}

}  // namespace

std::string CppMethod::scan_result(const ir::Value* declared, const std::string& list) {
  std::vector<std::string> shape{"0"};
  for (const ir::Dim& d : declared->shape()) shape.push_back(d.is_known() ? std::to_string(d.value()) : "0");
  return fmt::format("{0}.empty() ? mx::zeros({{{1}}}, {2}) : mx::stack({0})", list, fmt::join(shape, ", "),
                     cpp_mlx_dtype(declared->dtype()));
}

// What one turn of a loop leaves behind. Results are held first where one of them is what another variable held.
void CppMethod::turn(const Statement& s, const std::string& go) {
  const ir::Graph& body = *s.node->regions[0];
  const size_t carried = body.inputs.size() - 1;
  std::vector<std::string> results = values({body.outputs.begin(), body.outputs.end()});
  for (size_t i = 1; i < results.size(); ++i) {
    const ir::Value* v = body.outputs[i];
    const bool is_held = std::find(body.inputs.begin() + 1, body.inputs.end(), v) != body.inputs.end();
    if (!is_held || (i <= carried && body.inputs[i] == v)) continue;
    const std::string name = unique("next");
    line(fmt::format("{} {} = {};", type_of(v), name, results[i]));
    results[i] = name;
  }
  if (!go.empty()) line(fmt::format("{} = read_bool({});", go, results[0]));
  for (size_t i = 0; i < carried; ++i)
    if (const std::string name = value(body.inputs[1 + i]); name != results[1 + i])
      line(fmt::format("{} = {};", name, results[1 + i]));
  for (size_t i = carried + 1; i < results.size(); ++i)
    line(fmt::format("{}.push_back({});", value(s.node->outputs[i - 1]), results[i]));
}

void CppMethod::loop(const Statement& s) {
  const ir::Node& n = *s.node;
  const ir::Graph& body = *n.regions.at(0);
  const size_t carried = body.inputs.size() - 1;
  auto operand = [&](size_t i) { return i < n.inputs.size() ? n.inputs[i] : nullptr; };
  std::vector<std::string> names;
  for (size_t i = 0; i < carried; ++i) {
    names.push_back(name_for(body.inputs[1 + i], nullptr));
    line(fmt::format("{} {} = {};", type_of(body.inputs[1 + i]), names.back(), value(n.inputs.at(2 + i))));
  }
  for (size_t i = carried; i < n.outputs.size(); ++i) {
    names.push_back(unique("steps"));
    line(fmt::format("std::vector<array> {};", names.back()));
    set(n.outputs[i], names.back());
  }
  std::string test, go, trips;
  if (operand(0)) {
    trips = unique("trips");
    line(fmt::format("const int {} = read_int({});", trips, value(operand(0))));
  }
  const std::string index = unique("step");
  if (!is_true(operand(1)) || !is_true(body.outputs[0])) {
    go = unique("go");
    line(operand(1) ? fmt::format("bool {} = read_bool({});", go, value(operand(1)))
                    : fmt::format("bool {} = true;", go));
  }
  test = go + (go.empty() || trips.empty() ? "" : " && ") + (trips.empty() ? "" : index + " < " + trips);
  line(fmt::format("for (int {0} = 0; {1}; ++{0}) {{", index, test));
  {
    Nested nested(*this);
    rebind(body.inputs[0], fmt::format("array({}, mx::int64)", index));
    for (size_t i = 0; i < carried; ++i) rebind(body.inputs[1 + i], names[i]);
    statements(s.regions[0]);
    turn(s, go);
  }
  line("}");
  for (size_t i = 0; i < carried; ++i) set(n.outputs[i], names[i]);
  for (size_t i = carried; i < n.outputs.size(); ++i) {
    const std::string name = name_for(n.outputs[i], nullptr);
    line(fmt::format("array {} = {};", name, scan_result(body.outputs[1 + i], names[i])));
    set(n.outputs[i], name);
  }
}

void CppMethod::bind(const Statement& s) {
  const auto& symbols = std::get<std::vector<std::string>>(*s.node->find("symbols"));
  const std::string name = unique("sizes");
  line(fmt::format("const std::vector<int> {} = read_ints({});", name, value(s.node->inputs.at(0))));
  for (size_t i = 0; i < symbols.size(); ++i) set_symbol(symbols[i], fmt::format("{}[{}]", name, i));
}

void CppMethod::check(const Statement& s) {
  line(fmt::format("if (!read_bool({})) throw UsageError({});", value(s.node->inputs.at(0)),
                   text_literal(std::get<std::string>(*s.node->find("message")))));
}

}  // namespace godwit::emit
