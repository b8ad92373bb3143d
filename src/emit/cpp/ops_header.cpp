#include "emit/cpp/ops_header.h"

#include "emit/cpp/literals.h"
#include "ops/op.h"

namespace godwit::emit {

namespace {

using ops::Param;

std::string type_of(Param::Kind kind) {
  switch (kind) {
    case Param::Kind::operand: return "const array&";
    case Param::Kind::optional_operand: return "const std::optional<array>&";
    case Param::Kind::operands: return "const std::vector<array>&";
    case Param::Kind::sequence: return "const Sequence&";
    case Param::Kind::integer: return "int";
    case Param::Kind::integers: return "const std::vector<int>&";
    case Param::Kind::real: return "double";
    case Param::Kind::reals: return "const std::vector<double>&";
    case Param::Kind::flag: return "bool";
    case Param::Kind::text: return "const std::string&";
    case Param::Kind::texts: return "const std::vector<std::string>&";
    case Param::Kind::dtype: return "DType";
    default: return "const Tensor&";
  }
}

std::string result_of(const ops::Op& op) {
  switch (op.result) {
    case ops::Op::Result::sequence: return "Sequence";
    case ops::Op::Result::arrays: return "std::vector<array>";
    default: return "array";
  }
}

std::string declare(const ops::Op& op) {
  size_t first_default = op.params.size();
  while (first_default > 0 &&
         (op.params[first_default - 1].fallback || op.params[first_default - 1].kind == Param::Kind::optional_operand))
    --first_default;
  std::vector<std::string> types, params, names;
  for (size_t i = 0; i < op.params.size(); ++i) {
    const Param& p = op.params[i];
    types.push_back(type_of(p.kind));
    params.push_back(types.back() + " " + p.name);
    names.push_back(p.name);
    if (i < first_default) continue;
    const auto number = [](const ir::Dim& d) { return cpp_int(d.value()); };
    params.back() += " = " + (p.fallback ? cpp.attribute(*p.fallback, p.kind, false, number) : "std::nullopt");
  }
  const std::string result = result_of(op);
  return fmt::format("inline {} {}({}) {{\n  static const auto f = row<{}({})>(\"{}\");\n  return f({});\n}}\n", result,
                     op.name, fmt::join(params, ", "), result, fmt::join(types, ", "), op.name, fmt::join(names, ", "));
}

// Rows that generated code spells in its own statements.
bool is_spelled_out(const std::string& name) {
  return name == "constant" || name == "if" || name == "loop" || name == "bind" || name == "check";
}

}  // namespace

std::string ops_header() {
  std::string out =
      "// One function for each row of godwit's op table. Written by the build, from the table.\n"
      "#pragma once\n\n#include <cmath>\n\n#include \"godwit/op.h\"\n\n"
      "// clang-format off\n// NOLINTBEGIN\nnamespace godwit::op {\n\n";
  for (const ops::Op* op : ops::all())
    if (!is_spelled_out(op->name)) out += declare(*op) + "\n";
  return out + "}  // namespace godwit::op\n// NOLINTEND\n";
}

}  // namespace godwit::emit
