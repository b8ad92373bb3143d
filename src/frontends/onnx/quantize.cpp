// Quantized tensors.
#include <limits>

#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

// With a one-element or 0-d scale the axis says nothing; it may then be out of range.
ir::Attrs placed(Call& c, const Value* scale, int64_t rank) {
  const bool one = scale->rank() == 0 || ir::product(scale->shape()).is(1);
  const int64_t given = c.integer("axis", 1), block = c.integer("block_size", 0);
  const int64_t axis = one && block == 0 ? 0 : c.axis(given, rank);
  return {{"axis", ir::Dim(axis)}, {"block", ir::Dim(block)}};
}

Values quantize(Call& c) {
  Value *x = c.in(0), *scale = c.in(1), *zero = c.maybe(2);
  const DType to = zero ? zero->dtype() : c.dtype_attribute("output_dtype", DType::u8);
  ir::Attrs attrs = placed(c, scale, x->rank());
  attrs["to"] = to;
  attrs["saturate"] = c.flag("saturate", true);
  const DType precision = c.dtype_attribute("precision", scale->dtype());
  x = c.cast(x, precision), scale = c.cast(scale, precision);
  return {c.op("quantize", {x, scale, zero}, attrs)};
}

Values dequantize(Call& c) {
  Value *x = c.in(0), *scale = c.in(1), *zero = c.maybe(2);
  if (is_small_float(x->dtype())) zero = nullptr;  // it can only be zero
  ir::Attrs attrs = placed(c, scale, x->rank());
  attrs["from"] = x->dtype();
  const DType to = c.dtype_attribute("output_dtype", scale->dtype());
  // float8e8m0 scales are powers of two.
  if (!is_float(scale->dtype())) scale = c.cast(scale, DType::f32);
  return {c.cast(c.op("dequantize", {x, scale, zero}, attrs), to)};
}

Values dynamic_quantize(Call& c) {
  Value* x = c.in(0);
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < x->rank(); ++i) axes.push_back(i);
  Value* zero = c.scalar(0, x);
  Value* high = c.op("maximum", {reduce(c, "max", x, axes, false), zero});
  Value* low = c.op("minimum", {reduce(c, "min", x, axes, false), zero});
  Value* range = subtract(c, high, low);
  range = c.op("where", {c.op("equal", {range, zero}), c.scalar(1, x), range});
  Value* scale = divide(c, range, c.scalar(255, x));
  Value* point = c.op("clip", {c.op("negative", {divide(c, low, scale)}), zero, c.scalar(255, x)});
  point = c.cast(c.op("round", {point}), DType::u8);
  return {c.op("quantize", {x, scale, point}, {{"to", DType::u8}, {"axis", ir::Dim(0)}}), scale, point};
}

// A scale or zero point of a row of a (`axis` second to last) or a column of b (last) in broadcast position.
Value* spread(Call& c, Value* v, int64_t axis, int64_t rank) {
  if (v->rank() == 0) return v;
  if (v->rank() == 1) return v->shape()[0].is(1) ? c.b.reshape(v, {}) : along(c, v, axis, rank);
  return v;
}

// a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero
Values qlinear_matmul(Call& c) {
  Value *a = c.in(0), *b = c.in(3);
  const int64_t row = std::max<int64_t>(a->rank() - 2, 0), column = b->rank() - 1;
  auto integers = [&](Value* x, Value* zero, int64_t axis) {
    return subtract(c, c.cast(x, DType::i32), spread(c, c.cast(zero, DType::i32), axis, x->rank()));
  };
  Value* product = c.op("matmul", {integers(a, c.in(2), row), integers(b, c.in(5), column)});
  const int64_t rank = product->rank();
  auto real = [&](size_t i, int64_t axis) { return spread(c, as_wide(c, c.in(i)), axis, rank); };
  Value* factor = divide(c, multiply(c, real(1, std::max<int64_t>(rank - 2, 0)), real(4, rank - 1)),
                         real(6, std::max<int64_t>(rank - 2, 0)));
  Value* y = multiply(c, c.cast(product, DType::f32), factor);
  Value* zero = spread(c, c.cast(c.in(7), DType::f32), std::max<int64_t>(rank - 2, 0), rank);
  const DType to = c.dtype(7);
  const bool is_signed = to == DType::i8;
  if (to != DType::i8 && to != DType::u8) c.fail("the result would be {}", long_name(to));
  y = c.op("clip",
           {c.op("round", {add(c, y, zero)}), c.scalar(is_signed ? -128 : 0, y), c.scalar(is_signed ? 127 : 255, y)});
  return {c.cast(y, to)};
}

}  // namespace

Rows quantize_rows() {
  return {{"QuantizeLinear", quantize},
          {"DequantizeLinear", dequantize},
          {"DynamicQuantizeLinear", dynamic_quantize},
          {"QLinearMatMul", qlinear_matmul}};
}

}  // namespace godwit::frontends::onnx
