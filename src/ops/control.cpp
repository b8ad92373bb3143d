// Ops that the executor runs itself: they hold regions, or act on the run instead of computing a value.
#include "base/error.h"
#include "ops/families.h"
#include "ops/infer.h"

namespace godwit::ops {

namespace {

using infer::Types;

// Regions tell the output types; the frontend sets them (Builder::region_op).
Types given(InferContext& c) {
  Types types;
  for (const ir::Value* v : c.node().outputs) types.push_back(v->type);
  return types;
}

Types bind(InferContext& c) {
  if (!is_integer(c.dtype(0))) c.fail("operand is {}, integers are needed", name(c.dtype(0)));
  return {};
}

Types check(InferContext& c) {
  if (c.dtype(0) != DType::boolean || c.rank(0) != 0)
    c.fail("the condition is {}, bool[] is needed", ir::str(c.type(0)));
  return {};
}

Op control(std::string name, std::vector<Param> params, Infer infer) {
  Op op;
  op.name = std::move(name);
  op.params = std::move(params);
  op.infer = infer;
  op.eval = [](const Op& op, const Call&) -> std::vector<Datum> {
    raise<InternalError>("[{}] is run by the executor, not by the op table", op.name);
  };
  op.is_pure = false;
  return op;
}

}  // namespace

Rows control_rows() {
  using Kind = Param::Kind;
  Rows rows;
  rows.push_back(control("if", {{"condition", Kind::operand, {}}}, given));
  rows.push_back(control("loop",
                         {{"trip_count", Kind::optional_operand, {}},
                          {"condition", Kind::optional_operand, {}},
                          {"carried_values", Kind::operands, {}},
                          {"carried", Kind::integer, ir::Attr(ir::Dim(0))}},
                         given));
  rows.push_back(control("bind", {{"x", Kind::operand, {}}, {"symbols", Kind::texts, {}}}, bind));
  rows.push_back(control("check", {{"condition", Kind::operand, {}}, {"message", Kind::text, {}}}, check));
  return rows;
}

}  // namespace godwit::ops
