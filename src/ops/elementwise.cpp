#include "ops/elementwise.h"

#include <mlx/ops.h>

#include "ops/dtype.h"
#include "ops/families.h"
#include "ops/infer.h"
#include "ops/type_checks.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

bool is_integral(const array& x) { return !mx::issubdtype(x.dtype(), mx::inexact); }
bool is_signed(const array& x) { return mx::issubdtype(x.dtype(), mx::signedinteger); }
array like(const array& x, double value) { return mx::array(value, x.dtype()); }

// -1 as a divisor traps on the smallest integer: both the quotient and the remainder are known without dividing.
array safe_divisor(const array& y) { return is_signed(y) ? mx::where(mx::equal(y, like(y, -1)), like(y, 1), y) : y; }
array fix_quotient(const array& x, const array& y, const array& quotient) {
  return is_signed(y) ? mx::where(mx::equal(y, like(y, -1)), mx::negative(x), quotient) : quotient;
}

}  // namespace

array exp(const array& x) {
  if (x.dtype() != mx::float64) return mx::exp(x);
  array size = mx::abs(x), grown = mx::add(mx::sinh(size), mx::cosh(size));
  return mx::where(mx::less(x, like(x, 0)), mx::reciprocal(grown), grown);
}

array sin(const array& x) {
  if (x.dtype() != mx::float64) return mx::sin(x);
  array t = mx::tan(mx::multiply(x, like(x, 0.5)));
  return mx::divide(mx::multiply(like(x, 2), t), mx::add(like(x, 1), mx::square(t)));
}

array cos(const array& x) {
  if (x.dtype() != mx::float64) return mx::cos(x);
  array t = mx::square(mx::tan(mx::multiply(x, like(x, 0.5))));
  return mx::divide(mx::subtract(like(x, 1), t), mx::add(like(x, 1), t));
}

array angle(const array& x) { return mx::arctan2(mx::imag(x), mx::real(x)); }

array complex(const array& re, const array& im) {
  auto pair = mx::broadcast_arrays({re, im});
  return mx::squeeze(mx::view(mx::stack(pair, -1), mx::complex64), -1);
}

array logical_not(const array& x) { return mx::logical_not(x); }
array bitwise_not(const array& x) { return x.dtype() == mx::bool_ ? mx::logical_not(x) : mx::bitwise_invert(x); }

array is_inf(const array& x, bool positive, bool negative) {
  if (positive && negative) return mx::isinf(x);
  if (positive) return mx::isposinf(x);
  if (negative) return mx::isneginf(x);
  return mx::zeros_like(x, mx::bool_);
}

array trunc_divide(const array& x, const array& y) {
  if (!is_integral(x)) return mx::trunc(mx::divide(x, y));
  array divisor = safe_divisor(y);
  array down = mx::floor_divide(x, divisor);
  if (!is_signed(x)) return down;
  // Rounded down is one too low where the signs differ and something remains.
  array rest = mx::not_equal(mx::multiply(down, divisor), x);
  array differ = mx::less(mx::bitwise_xor(x, divisor), like(x, 0));
  array nonzero = mx::not_equal(divisor, like(x, 0));
  array up = mx::astype(mx::logical_and(nonzero, mx::logical_and(rest, differ)), x.dtype());
  return fix_quotient(x, y, mx::add(down, up));
}

array floor_divide(const array& x, const array& y) {
  if (is_integral(x)) return fix_quotient(x, y, mx::floor_divide(x, safe_divisor(y)));
  // (x - x mod y) / y is exact up to one rounding, where floor(x / y) may be one too high (1 // 0.1 is 9).
  array rest = fmod(x, y);
  array quotient = mx::divide(mx::subtract(x, rest), y);
  array differ = mx::logical_and(mx::not_equal(rest, like(x, 0)),
                                 mx::not_equal(mx::less(y, like(x, 0)), mx::less(rest, like(x, 0))));
  quotient = mx::where(differ, mx::subtract(quotient, like(x, 1)), quotient);
  array down = mx::floor(quotient);
  down = mx::where(mx::greater(mx::subtract(quotient, down), like(x, 0.5)), mx::add(down, like(x, 1)), down);
  return mx::where(mx::equal(y, like(y, 0)), mx::divide(x, y), down);
}

array divide(const array& x, const array& y) { return is_integral(x) ? trunc_divide(x, y) : mx::divide(x, y); }

array remainder(const array& x, const array& y) {
  if (is_integral(x)) {
    array divisor = safe_divisor(y);
    return mx::subtract(x, mx::multiply(mx::floor_divide(x, divisor), divisor));
  }
  array rest = fmod(x, y);
  array differ = mx::logical_and(mx::not_equal(rest, like(x, 0)),
                                 mx::not_equal(mx::less(y, like(x, 0)), mx::less(rest, like(x, 0))));
  return mx::where(differ, mx::add(rest, y), rest);
}

array fmod(const array& x, const array& y) {
  if (is_integral(x)) {
    array divisor = safe_divisor(y);
    return mx::subtract(x, mx::multiply(trunc_divide(x, divisor), divisor));
  }
  array rest = mx::remainder(mx::abs(x), mx::abs(y));
  return mx::where(mx::less(x, like(x, 0)), mx::negative(rest), rest);
}

array power(const array& x, const array& y) {
  if (!is_integral(x) || !is_signed(x)) return mx::power(x, y);
  array zero = like(x, 0), one = like(x, 1);
  array odd = mx::equal(mx::bitwise_and(y, one), one);
  array inverse =
      mx::where(mx::equal(x, one), one, mx::where(mx::equal(x, like(x, -1)), mx::where(odd, like(x, -1), one), zero));
  return mx::where(mx::less(y, zero), inverse, mx::power(x, mx::maximum(y, zero)));
}

namespace {

// True where y is a shift distance that the type has; a shift by more is undefined in hardware.
array in_width(const array& x, const array& y) {
  array fits = mx::less(y, like(y, static_cast<double>(8 * x.itemsize())));
  return is_signed(y) ? mx::logical_and(fits, mx::greater_equal(y, like(y, 0))) : fits;
}

}  // namespace

array shift_left(const array& x, const array& y) {
  array fits = in_width(x, y);
  return mx::where(fits, mx::left_shift(x, mx::where(fits, y, like(y, 0))), like(x, 0));
}

array shift_right(const array& x, const array& y) {
  array fits = in_width(x, y);
  array shifted = mx::right_shift(x, mx::where(fits, y, like(y, 0)));
  array sign = is_signed(x) ? mx::where(mx::less(x, like(x, 0)), like(x, -1), like(x, 0)) : like(x, 0);
  return mx::where(fits, shifted, sign);
}

array clip(const array& x, const std::optional<array>& low, const std::optional<array>& high) {
  array out = low ? mx::maximum(x, *low) : x;
  return high ? mx::minimum(out, *high) : out;
}

array nan_to_num(const array& x, double nan, double posinf, double neginf) {
  if (is_integral(x)) return x;
  array out = mx::where(mx::isnan(x), like(x, nan), x);
  out = mx::where(mx::isposinf(x), like(x, posinf), out);
  return mx::where(mx::isneginf(x), like(x, neginf), out);
}

namespace {

using infer::Types;

Types real(InferContext& c) {
  checks::floats(c);
  return infer::same(c);
}

Types numbers(InferContext& c) {
  checks::one_dtype(c);
  return infer::broadcast(c);
}

Types reals(InferContext& c) {
  checks::one_dtype(c);
  checks::floats(c);
  return infer::broadcast(c);
}

Types bools(InferContext& c) {
  for (size_t i = 0; i < c.count(); ++i)
    if (c.dtype(i) != DType::boolean) c.fail("operand {} is {}, bool is needed", i, name(c.dtype(i)));
  return infer::broadcast(c);
}

Types bits(InferContext& c) {
  checks::one_dtype(c);
  if (!is_integer(c.dtype(0)) && c.dtype(0) != DType::boolean)
    c.fail("operands are {}, integers are needed", name(c.dtype(0)));
  return infer::broadcast(c);
}

Types comparison(InferContext& c) {
  checks::one_dtype(c);
  return infer::broadcast_bool(c);
}

Types magnitude(InferContext& c) { return {{is_complex(c.dtype(0)) ? DType::f32 : c.dtype(0), c.shape(0)}}; }

Types part(InferContext& c) {
  if (!is_complex(c.dtype(0))) c.fail("operand is {}, complex64 is needed", name(c.dtype(0)));
  return {{DType::f32, c.shape(0)}};
}

Types join(InferContext& c) {
  checks::one_dtype(c);
  if (c.dtype(0) != DType::f32) c.fail("operands are {}, float32 is needed", name(c.dtype(0)));
  return {{DType::c64, infer::broadcast(c)[0].shape}};
}

Types choose(InferContext& c) {
  if (c.dtype(0) != DType::boolean) c.fail("the condition is {}, bool is needed", name(c.dtype(0)));
  if (c.dtype(1) != c.dtype(2)) c.fail("the two sides are {} and {}", name(c.dtype(1)), name(c.dtype(2)));
  return {{c.dtype(1), infer::broadcast(c)[0].shape}};
}

Types converted(InferContext& c) {
  DType from = c.dtype_of("from");
  if (from != c.dtype(0)) c.fail("attribute from is {}, operand is {}", name(from), name(c.dtype(0)));
  if (from == DType::text || c.dtype_of("to") == DType::text) c.fail("texts cannot be cast");
  return {{c.dtype_of("to"), c.shape(0)}};
}

Types reinterpreted(InferContext& c) {
  DType from = c.dtype_of("from"), to = c.dtype_of("to");
  if (from != c.dtype(0)) c.fail("attribute from is {}, operand is {}", name(from), name(c.dtype(0)));
  if (item_size(from) != item_size(to)) c.fail("{} and {} differ in size", name(from), name(to));
  return {{to, c.shape(0)}};
}

using Unary = array (*)(const array&);
using Binary = array (*)(const array&, const array&);

// A row that is one call of MLX, in C++ and in Python.
Op unary(std::string name, Unary f, Infer infer, std::string mlx = "") {
  if (mlx.empty()) mlx = name;
  return row(std::move(name), f, "x", infer).cpp("mx::" + mlx + "({x})").python("mx." + mlx + "({x})");
}
Op binary(std::string name, Binary f, Infer infer, std::string mlx = "") {
  if (mlx.empty()) mlx = name;
  return row(std::move(name), f, "x, y", infer).cpp("mx::" + mlx + "({x}, {y})").python("mx." + mlx + "({x}, {y})");
}

// Wraps an MLX function, whose last parameter is a stream.
#define MLX_UNARY(f) [](const array& x) { return mx::f(x); }
#define MLX_BINARY(f) [](const array& x, const array& y) { return mx::f(x, y); }

Rows unary_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(unary("abs", MLX_UNARY(abs), magnitude));
  add(unary("negative", MLX_UNARY(negative), infer::same));
  add(unary("sign", MLX_UNARY(sign), infer::same));
  add(unary("floor", MLX_UNARY(floor), infer::same));
  add(unary("ceil", MLX_UNARY(ceil), infer::same));
  add(unary("round", MLX_UNARY(round), infer::same));
  add(unary("trunc", MLX_UNARY(trunc), infer::same));
  add(unary("square", MLX_UNARY(square), infer::same));
  add(unary("sqrt", MLX_UNARY(sqrt), real));
  add(unary("rsqrt", MLX_UNARY(rsqrt), real));
  add(unary("reciprocal", MLX_UNARY(reciprocal), real));
  add(unary("exp", &exp, real));
  add(unary("expm1", MLX_UNARY(expm1), real));
  add(unary("log", MLX_UNARY(log), real));
  add(unary("log2", MLX_UNARY(log2), real));
  add(unary("log10", MLX_UNARY(log10), real));
  add(unary("log1p", MLX_UNARY(log1p), real));
  add(unary("sin", &sin, real));
  add(unary("cos", &cos, real));
  add(unary("tan", MLX_UNARY(tan), real));
  add(unary("asin", MLX_UNARY(arcsin), real, "arcsin"));
  add(unary("acos", MLX_UNARY(arccos), real, "arccos"));
  add(unary("atan", MLX_UNARY(arctan), real, "arctan"));
  add(unary("sinh", MLX_UNARY(sinh), real));
  add(unary("cosh", MLX_UNARY(cosh), real));
  add(unary("tanh", MLX_UNARY(tanh), real));
  add(unary("asinh", MLX_UNARY(arcsinh), real, "arcsinh"));
  add(unary("acosh", MLX_UNARY(arccosh), real, "arccosh"));
  add(unary("atanh", MLX_UNARY(arctanh), real, "arctanh"));
  add(unary("erf", &erf, real));
  add(unary("erfinv", &erfinv, real));
  add(row("lgamma", &lgamma, "x", real));
  add(row("digamma", &digamma, "x", real));
  add(unary("logical_not", &logical_not, bools));
  add(row("bitwise_not", &bitwise_not, "x", bits));
  add(unary("is_nan", MLX_UNARY(isnan), infer::same_bool, "isnan"));
  add(unary("is_finite", MLX_UNARY(isfinite), infer::same_bool, "isfinite"));
  add(row("is_inf", &is_inf, "x, positive=true, negative=true", infer::same_bool));
  add(row(
          "copy", +[](const array& x) { return x; }, "x", infer::same)
          .cpp("{x}")
          .python("{x}"));
  add(unary("real", MLX_UNARY(real), part));
  add(unary("imag", MLX_UNARY(imag), part));
  add(unary("conjugate", MLX_UNARY(conjugate), infer::same));
  add(row("angle", &angle, "x", part));
  return rows;
}

}  // namespace

Rows elementwise_rows() {
  Rows rows = unary_rows();
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(binary("add", MLX_BINARY(add), numbers));
  add(binary("subtract", MLX_BINARY(subtract), numbers));
  add(binary("multiply", MLX_BINARY(multiply), numbers));
  add(row("divide", &divide, "x, y", numbers));
  add(row("floor_divide", &floor_divide, "x, y", numbers));
  add(row("trunc_divide", &trunc_divide, "x, y", numbers));
  add(row("remainder", &remainder, "x, y", numbers));
  add(row("fmod", &fmod, "x, y", numbers));
  add(row("power", &power, "x, y", numbers));
  add(binary("atan2", MLX_BINARY(arctan2), reals, "arctan2"));
  add(binary("minimum", MLX_BINARY(minimum), numbers));
  add(binary("maximum", MLX_BINARY(maximum), numbers));
  add(binary("logaddexp", &logaddexp, reals));
  add(binary("logical_and", MLX_BINARY(logical_and), bools));
  add(binary("logical_or", MLX_BINARY(logical_or), bools));
  add(binary("logical_xor", MLX_BINARY(not_equal), bools, "not_equal"));
  add(binary("bitwise_and", MLX_BINARY(bitwise_and), bits));
  add(binary("bitwise_or", MLX_BINARY(bitwise_or), bits));
  add(binary("bitwise_xor", MLX_BINARY(bitwise_xor), bits));
  add(row("shift_left", &shift_left, "x, y", bits));
  add(row("shift_right", &shift_right, "x, y", bits));
  add(binary("equal", MLX_BINARY(equal), comparison));
  add(binary("not_equal", MLX_BINARY(not_equal), comparison));
  add(binary("less", MLX_BINARY(less), comparison));
  add(binary("less_equal", MLX_BINARY(less_equal), comparison));
  add(binary("greater", MLX_BINARY(greater), comparison));
  add(binary("greater_equal", MLX_BINARY(greater_equal), comparison));
  add(row("complex", &complex, "re, im", join));
  add(row(
          "where", +[](const array& condition, const array& x, const array& y) { return mx::where(condition, x, y); },
          "condition, x, y", choose)
          .cpp("mx::where({condition}, {x}, {y})")
          .python("mx.where({condition}, {x}, {y})"));
  add(row("clip", &clip, "x, low?, high?", numbers)
          .cpp("mx::clip({x}, {low}, {high})")
          .python("mx.clip({x}, {low}, {high})"));
  add(row("nan_to_num", &nan_to_num, "x, nan=0.0, posinf, neginf", infer::same));
  add(row("cast", &cast, "x, from, to, saturate=true", converted));
  add(row("bitcast", &bitcast, "x, from, to", reinterpreted));
  return rows;
}

}  // namespace godwit::ops
