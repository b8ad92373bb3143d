// com.microsoft: 8-bit layers, as dequantize, operator, quantize.
#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Value* decoded(Call& c, size_t x, size_t scale, size_t zero, int64_t axis = 0) {
  return c.op("dequantize", {c.in(x), c.in(scale), c.maybe(zero)}, {{"from", c.dtype(x)}, {"axis", ir::Dim(axis)}});
}

Value* encoded(Call& c, Value* y, size_t scale, size_t zero) {
  const DType to = c.has(zero) ? c.dtype(zero) : c.dtype(0);
  return c.op("quantize", {y, c.in(scale), c.maybe(zero)}, {{"to", to}, {"axis", ir::Dim(0)}});
}

// A, A_scale, A_zero, B, B_scale, B_zero, C_scale, C_zero
Row two(std::string name, std::string op) {
  return {std::move(name), [op = std::move(op)](Call& c) -> Values {
            return {encoded(c, c.op(op, {decoded(c, 0, 1, 2), decoded(c, 3, 4, 5)}), 6, 7)};
          }};
}

// X, X_scale, X_zero, Y_scale, Y_zero
Values sigmoid(Call& c) { return {encoded(c, c.op("sigmoid", {decoded(c, 0, 1, 2)}), 3, 4)}; }

Values leaky_relu(Call& c) {
  return {encoded(c, c.op("leaky_relu", {decoded(c, 0, 1, 2)}, {{"slope", c.real("alpha", 0.01)}}), 3, 4)};
}

Values softmax(Call& c) {
  const int64_t axis = c.axis(c.integer("axis", -1), c.rank());
  return {encoded(c, c.op("softmax", {decoded(c, 0, 1, 2)}, {{"axis", ir::Dim(axis)}}), 3, 4)};
}

Values global_average(Call& c) {
  if (c.flag("channels_last")) c.fail("channels last is not supported");
  std::vector<int64_t> axes;
  for (int64_t i = 2; i < c.rank(); ++i) axes.push_back(i);
  return {encoded(c, reduce(c, "mean", decoded(c, 0, 1, 2), axes, true), 3, 4)};
}

// Y_scale, Y_zero, then triples of tensor, scale and zero point.
Values concat(Call& c) {
  if (c.count() < 5 || (c.count() - 2) % 3 != 0) c.fail("{} inputs", c.count());
  Values parts;
  for (size_t i = 2; i < c.count(); i += 3) parts.push_back(decoded(c, i, i + 1, i + 2));
  Value* y = c.op("concat", parts, {{"axis", ir::Dim(c.axis(c.integer("axis", 0), parts[0]->rank()))}});
  return {c.op("quantize", {y, c.in(0), c.in(1)}, {{"to", c.dtype(1)}, {"axis", ir::Dim(0)}})};
}

Value* centred(Call& c, Value* x, Value* zero, int64_t axis) {
  x = c.cast(x, DType::i32);
  if (!zero) return x;
  zero = c.cast(zero, DType::i32);
  const bool vector = zero->rank() == 1 && !zero->shape()[0].is(1);
  return subtract(c, x, vector ? along(c, zero, axis, x->rank()) : c.b.reshape(zero, {}));
}

Value* spread(Call& c, Value* v, int64_t axis, int64_t rank) {
  return v->rank() == 1 && !v->shape()[0].is(1) ? along(c, v, axis, rank) : c.b.reshape(v, {});
}

// A, B, a_scale, b_scale, a_zero?, b_zero?, bias?
Values matmul_integer_to_float(Call& c) {
  Value *a = c.in(0), *b = c.in(1);
  Value* y = c.cast(
      c.op("matmul", {centred(c, a, c.maybe(4), a->rank() - 2), centred(c, b, c.maybe(5), b->rank() - 1)}), DType::f32);
  y = multiply(c, y,
               multiply(c, spread(c, c.in(2), y->rank() - 2, y->rank()), spread(c, c.in(3), y->rank() - 1, y->rank())));
  return {c.has(6) ? add(c, y, c.in(6)) : y};
}

// A in float, B, b_scale, b_zero?, bias?: A is quantized as DynamicQuantizeLinear does.
Values dynamic_quantize_matmul(Call& c) {
  Call inner(c.importer, c.node, c.scope, 11, {c.in(0)});
  const Values a = (*find_translator("", "DynamicQuantizeLinear"))(inner);
  Value* b = c.in(1);
  Value* y = c.cast(c.op("matmul", {centred(c, a[0], a[2], 0), centred(c, b, c.maybe(3), b->rank() - 1)}), DType::f32);
  y = multiply(c, y, multiply(c, a[1], spread(c, c.in(2), y->rank() - 1, y->rank())));
  return {c.has(4) ? add(c, y, c.in(4)) : y};
}

}  // namespace

Rows microsoft_quantized_rows() {
  return {two("QLinearAdd", "add"),
          two("QLinearMul", "multiply"),
          {"QLinearSigmoid", sigmoid},
          {"QLinearLeakyRelu", leaky_relu},
          {"QLinearSoftmax", softmax},
          {"QLinearGlobalAveragePool", global_average},
          {"QLinearConcat", concat},
          {"MatMulIntegerToFloat", matmul_integer_to_float},
          {"DynamicQuantizeMatMul", dynamic_quantize_matmul}};
}

}  // namespace godwit::frontends::onnx
