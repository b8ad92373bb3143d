#include "frontends/onnx/common.h"

#include "ops/op.h"

namespace godwit::frontends::onnx {

Value* binary(const Call& c, std::string_view op, Value* x, Value* y) {
  if (c.opset < 7 && c.node.domain.empty() && c.has_attribute("axis") && c.flag("broadcast")) {
    const int64_t axis = c.axis(c.integer("axis", 0), x->rank()), tail = x->rank() - axis - y->rank();
    if (tail < 0) c.fail("the second operand does not fit at axis {}", axis);
    ir::Dims shape = y->shape();
    shape.insert(shape.end(), static_cast<size_t>(tail), ir::Dim(1));
    y = c.b.reshape(y, shape);
  }
  if (x->dtype() != y->dtype()) c.fail("the operands have different element types");
  return c.op(op, {x, y});
}

Value* as_wide(const Call& c, Value* v) {
  return v->dtype() == DType::f16 || v->dtype() == DType::bf16 ? c.cast(v, DType::f32) : v;
}

Value* as_real(const Call& c, Value* v) { return is_float(v->dtype()) ? as_wide(c, v) : c.cast(v, DType::f32); }

Value* add(const Call& c, Value* x, Value* y) { return c.op("add", {x, y}); }
Value* subtract(const Call& c, Value* x, Value* y) { return c.op("subtract", {x, y}); }
Value* multiply(const Call& c, Value* x, Value* y) { return c.op("multiply", {x, y}); }
Value* divide(const Call& c, Value* x, Value* y) { return c.op("divide", {x, y}); }
Value* add(const Call& c, Value* x, double y) { return add(c, x, c.scalar(y, x)); }
Value* multiply(const Call& c, Value* x, double y) { return multiply(c, x, c.scalar(y, x)); }

Value* reduce(const Call& c, std::string_view op, Value* x, const std::vector<int64_t>& axes, bool keepdims) {
  return c.op(op, {x}, {{"axes", to_dims(axes)}, {"keepdims", keepdims}});
}

Value* slice(const Call& c, Value* x, int64_t axis, ir::Dim start, ir::Dim stop) {
  return c.op("slice", {x}, {{"axes", ir::Dims{axis}}, {"starts", ir::Dims{start}}, {"stops", ir::Dims{stop}}});
}

Value* expand(const Call& c, Value* x, const std::vector<int64_t>& axes) {
  return c.op("expand_dims", {x}, {{"axes", to_dims(axes)}});
}

Value* transpose(const Call& c, Value* x, const std::vector<int64_t>& axes) {
  return c.op("transpose", {x}, {{"axes", to_dims(axes)}});
}

Value* full(const Call& c, DType dtype, double value, ir::Dims shape) {
  return c.op("full", {c.b.scalar(dtype, value)}, {{"shape", std::move(shape)}});
}

std::vector<Value*> split(const Call& c, Value* x, const ir::Dims& sizes, int64_t axis) {
  return c.b.ops("split", {x}, {{"sizes", sizes}, {"axis", ir::Dim(axis)}});
}

Value* along(const Call& c, Value* vector, int64_t axis, int64_t rank) {
  ir::Dims shape(static_cast<size_t>(rank), ir::Dim(1));
  shape[static_cast<size_t>(axis)] = ir::product(vector->shape());
  return c.b.reshape(vector, shape);
}

Row rename(std::string onnx, std::string op) {
  return {std::move(onnx), [op = std::move(op)](Call& c) -> Values {
            size_t needed = 0;
            for (const ops::Param& p : ops::get(op).params) needed += p.kind == ops::Param::Kind::operand;
            for (size_t i = 0; i < std::max(needed, c.count()); ++i) c.in(i);
            return {c.op(op, c.inputs)};
          }};
}

}  // namespace godwit::frontends::onnx
