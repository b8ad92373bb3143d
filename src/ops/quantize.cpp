#include "ops/quantize.h"

#include <mlx/mlx.h>

#include <map>

#include "ops/dtype.h"
#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

struct Range {
  double low, high;
};

// Limits of the integer types; null for float8 and narrower floats.
const Range* range_of(DType dtype) {
  static const std::map<DType, Range> ranges = {
      {DType::u8, {0, 255}},         {DType::i8, {-128, 127}}, {DType::u16, {0, 65535}},
      {DType::i16, {-32768, 32767}}, {DType::u4, {0, 15}},     {DType::i4, {-8, 7}},
      {DType::u2, {0, 3}},           {DType::i2, {-2, 1}},     {DType::i32, {-2147483648.0, 2147483647.0}},
  };
  auto found = ranges.find(dtype);
  return found == ranges.end() ? nullptr : &found->second;
}

// Scale or zero point in a shape that broadcasts to x.
array spread(const array& p, const array& x, int axis, int block) {
  if (p.size() == 1 && block == 0) return mx::reshape(p, mx::Shape{});
  const int at = axis < 0 ? axis + static_cast<int>(x.ndim()) : axis;
  require<UsageError>(at >= 0 && at < static_cast<int>(x.ndim()), "[quantize] axis {} is out of range", axis);
  if (block > 0) {
    array whole = mx::repeat(p, block, at);
    mx::Shape stops = whole.shape();
    stops[at] = std::min(stops[at], x.shape(at));
    return mx::slice(whole, mx::Shape(stops.size(), 0), stops);
  }
  mx::Shape shape(x.ndim() - static_cast<size_t>(at), 1);
  shape[0] = static_cast<int>(p.size());
  return mx::reshape(p, shape);
}

array number(double v) { return array(static_cast<float>(v)); }

// Integers below 2^24 are exact here.
array in_float(const array& x) { return mx::astype(x, mx::float32); }

}  // namespace

array quantize(const array& x, const array& scale, const std::optional<array>& zero_point, int axis, int block,
               DType to, bool saturate) {
  array ratio = mx::divide(in_float(x), in_float(spread(scale, x, axis, block)));
  const Range* range = range_of(to);
  if (!range) return cast(ratio, DType::f32, to, saturate);
  array rounded = mx::round(ratio);
  if (zero_point) rounded = mx::add(rounded, in_float(spread(*zero_point, x, axis, block)));
  return mx::astype(mx::clip(rounded, number(range->low), number(range->high)), mlx_dtype(to));
}

array dequantize(const array& x, const array& scale, const std::optional<array>& zero_point, int axis, int block,
                 DType from) {
  array factor = in_float(spread(scale, x, axis, block));
  if (!range_of(from)) return mx::astype(mx::multiply(cast(x, from, DType::f32, true), factor), scale.dtype());
  array value = in_float(x);
  if (zero_point) {
    array zero = spread(*zero_point, x, axis, block);
    // The difference is taken in integers where float32 could not hold its operands.
    value = from == DType::i32 ? in_float(mx::subtract(x, zero)) : mx::subtract(value, in_float(zero));
  }
  return mx::astype(mx::multiply(value, factor), scale.dtype());
}

namespace {

using Types = infer::Types;

void check_parameter(const InferContext& c, size_t i) {
  if (!c.has(i)) return;
  const ir::Shape &x = c.shape(0), &p = c.shape(i);
  const int64_t block = c.number("block");
  if (block < 0 || block > 1 << 24) c.fail("block {} is out of range", block);
  if (block == 0) {
    if (p.empty() || (p.size() == 1 && p[0].is(1))) return;
    if (p.size() != 1) c.fail("{} is neither one number nor a vector", ir::str(p));
    const ir::Dim& size = x[static_cast<size_t>(c.axis(c.integer("axis"), c.rank(0)))];
    if (!agree(p[0], size)) c.fail("{} numbers for an axis of {}", p[0].str(), size.str());
    return;
  }
  const size_t axis = static_cast<size_t>(c.axis(c.integer("axis"), c.rank(0)));
  bool fits = p.size() == x.size();
  for (size_t k = 0; fits && k < x.size(); ++k) fits = agree(p[k], k == axis ? ceildiv(x[k], ir::Dim(block)) : x[k]);
  if (!fits) c.fail("{} does not fit blocks of {} along axis {} of {}", ir::str(p), block, axis, ir::str(x));
}

Types infer_quantize(InferContext& c) {
  const DType to = c.dtype_of("to");
  if (!range_of(to) && !is_small_float(to)) c.fail("{} is no quantized type", name(to));
  check_parameter(c, 1);
  check_parameter(c, 2);
  return {{to, c.shape(0)}};
}

Types infer_dequantize(InferContext& c) {
  if (c.dtype(0) != c.dtype_of("from")) c.fail("operand 0 is not {}", name(c.dtype_of("from")));
  if (!range_of(c.dtype(0)) && !is_small_float(c.dtype(0))) c.fail("{} is no quantized type", name(c.dtype(0)));
  if (!is_float(c.dtype(1))) c.fail("the scale is no float");
  check_parameter(c, 1);
  check_parameter(c, 2);
  return {{c.dtype(1), c.shape(0)}};
}

}  // namespace

Rows quantize_rows() {
  Rows rows;
  rows.push_back(
      row("quantize", &quantize, "x, scale, zero_point?, axis=1, block=0, to, saturate=true", infer_quantize));
  rows.push_back(row("dequantize", &dequantize, "x, scale, zero_point?, axis=1, block=0, from", infer_dequantize));
  return rows;
}

}  // namespace godwit::ops
