// Conversions between element types.
#include <mlx/ops.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "ops/dtype.h"
#include "ops/elementwise.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

// A float format of at most 8 bits. Its bit patterns, sign apart, are ordered as their values are, so that the
// pattern of a finite value is a small integer that rounding may carry into the next exponent.
struct SmallFloat {
  int exponent_bits, mantissa_bits, bias;
  int largest;                // pattern of the largest finite value
  int infinity = -1;          // pattern of infinity; -1: the format has none
  int nan = -1;               // pattern of a NaN; -1: the format has none
  bool negative_zero = true;  // false (fnuz): the pattern of -0 is the NaN
};

SmallFloat small_float(DType dtype) {
  switch (dtype) {
    case DType::f8e4m3fn: return {4, 3, 7, 0x7e, -1, 0x7f};
    case DType::f8e4m3fnuz: return {4, 3, 8, 0x7f, -1, 0x80, false};
    case DType::f8e5m2: return {5, 2, 15, 0x7b, 0x7c, 0x7f};
    case DType::f8e5m2fnuz: return {5, 2, 16, 0x7f, -1, 0x80, false};
    case DType::f4e2m1: return {2, 1, 1, 0x7};
    case DType::f6e2m3: return {2, 3, 1, 0x1f};
    case DType::f6e3m2: return {3, 2, 3, 0x1f};
    default: raise<InternalError>("{} is not a small float", name(dtype));
  }
}

array f32(double v) { return mx::array(static_cast<float>(v)); }
array i32(int v) { return mx::array(v, mx::int32); }

// The value of every pattern of the format, as a table.
array decode_table(DType dtype) {
  std::vector<float> values(256);
  for (int bits = 0; bits < 256; ++bits) {
    float& v = values[static_cast<size_t>(bits)];
    if (dtype == DType::f8e8m0) {  // 2^(bits - 127)
      v = bits == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, bits - 127);
      continue;
    }
    SmallFloat f = small_float(dtype);
    const int width = 1 + f.exponent_bits + f.mantissa_bits, sign_bit = 1 << (width - 1);
    const int pattern = bits & (2 * sign_bit - 1), magnitude = pattern & (sign_bit - 1);
    const int exponent = magnitude >> f.mantissa_bits, mantissa = magnitude & ((1 << f.mantissa_bits) - 1);
    v = exponent == 0
            ? std::ldexp(static_cast<float>(mantissa), 1 - f.bias - f.mantissa_bits)
            : std::ldexp(static_cast<float>(mantissa | (1 << f.mantissa_bits)), exponent - f.bias - f.mantissa_bits);
    if (magnitude == f.infinity)
      v = std::numeric_limits<float>::infinity();
    else if (f.negative_zero ? magnitude > f.largest : pattern == f.nan)
      v = std::numeric_limits<float>::quiet_NaN();
    if (pattern & sign_bit) v = -v;
  }
  return mx::array(values.data(), {256}, mx::float32);
}

array decode(const array& bits, DType dtype) { return mx::take(decode_table(dtype), mx::astype(bits, mx::uint32)); }

// The magnitude's pattern in the format, rounded to nearest even; beyond the largest finite value it runs on.
array round_magnitude(const array& bits, const SmallFloat& f) {
  // Normal results: round off the surplus mantissa bits of float32, then rebias the exponent.
  const int surplus = 23 - f.mantissa_bits;
  array odd = mx::bitwise_and(mx::right_shift(bits, i32(surplus)), i32(1));
  array rounded = mx::right_shift(mx::add(mx::add(bits, i32((1 << (surplus - 1)) - 1)), odd), i32(surplus));
  array normal = mx::subtract(rounded, i32((127 - f.bias) << f.mantissa_bits));
  // Subnormal results: whole units of the smallest one.
  const int unit = 1 - f.bias - f.mantissa_bits;
  array value = mx::view(bits, mx::float32);
  array units = mx::round(
      mx::multiply(mx::multiply(value, f32(std::ldexp(1.0, -unit / 2))), f32(std::ldexp(1.0, -unit + unit / 2))));
  array subnormal = mx::astype(mx::minimum(units, f32(256)), mx::int32);
  return mx::where(mx::less(value, f32(std::ldexp(1.0, 1 - f.bias))), subnormal, normal);
}

array encode(const array& x, DType dtype, bool saturate) {
  const SmallFloat f = small_float(dtype);
  array wide = mx::view(x, mx::int32);
  array negative = mx::less(wide, i32(0));
  array bits = mx::bitwise_and(wide, i32(0x7fffffff));
  array is_nan = mx::greater(bits, i32(0x7f800000));
  array pattern = round_magnitude(bits, f);
  array over = mx::logical_or(mx::greater(pattern, i32(f.largest)), mx::equal(bits, i32(0x7f800000)));
  // Formats without NaN and infinity always saturate.
  const bool clamps = saturate || (f.infinity < 0 && f.nan < 0);
  array limit = i32(clamps ? f.largest : f.infinity >= 0 ? f.infinity : f.nan);
  pattern = mx::where(over, limit, pattern);
  array sign = mx::where(negative, i32(1 << (f.exponent_bits + f.mantissa_bits)), i32(0));
  if (!f.negative_zero) sign = mx::where(mx::equal(pattern, i32(0)), i32(0), sign);
  array out = mx::bitwise_or(pattern, sign);
  // NaN in a format that has none: the largest value, as the reference implementations do.
  out = mx::where(is_nan,
                  f.nan >= 0 ? (f.negative_zero ? mx::bitwise_or(i32(f.nan), sign) : i32(f.nan)) : i32(f.largest), out);
  return mx::astype(out, mx::uint8);
}

// float8_e8m0: powers of two. Rounds to the nearest, ties up (to even is meaningless: the pattern is the exponent).
array encode_e8m0(const array& x, bool saturate) {
  array wide = mx::view(x, mx::int32);
  array bits = mx::bitwise_and(wide, i32(0x7fffffff));
  array exponent = mx::right_shift(bits, i32(23));
  array mantissa = mx::bitwise_and(bits, i32(0x7fffff));
  array up = mx::logical_and(mx::greater_equal(mantissa, i32(0x400000)), mx::greater(exponent, i32(0)));
  // Below 2^-126: subnormal floats above 2^-127 * 1.5 are nearer to 2^-126.
  array up_small = mx::logical_and(mx::greater(mantissa, i32(0x600000)), mx::equal(exponent, i32(0)));
  array out = mx::add(exponent, mx::astype(mx::logical_or(up, up_small), mx::int32));
  array is_nan = mx::greater_equal(bits, i32(0x7f800000));  // infinities too: there is none
  array over = mx::greater_equal(out, i32(255));
  out = mx::where(over, i32(saturate ? 254 : 255), out);
  return mx::astype(mx::where(is_nan, i32(255), out), mx::uint8);
}

// Keeps the low bits of an integer, sign-extended for the signed types.
array wrap_bits(const array& x, DType to) {
  const bool is_signed = is_signed_integer(to);
  const int drop = 8 - (to == DType::i4 || to == DType::u4 ? 4 : 2);
  array byte = mx::astype(x, is_signed ? mx::int8 : mx::uint8);
  array by = mx::array(drop, byte.dtype());
  return mx::right_shift(mx::left_shift(byte, by), by);
}

bool is_sub_byte(DType d) { return d == DType::i4 || d == DType::u4 || d == DType::i2 || d == DType::u2; }

}  // namespace

array cast(const array& x, DType from, DType to, bool saturate) {
  if (from == to) return x;
  array value = is_small_float(from) ? decode(x, from) : x;
  if (to == DType::boolean) return mx::not_equal(value, mx::array(0, value.dtype()));
  if (is_small_float(to)) {
    array wide = is_complex(from) ? mx::real(value) : mx::astype(value, mx::float32);
    return to == DType::f8e8m0 ? encode_e8m0(wide, saturate) : encode(wide, to, saturate);
  }
  // MLX converts a complex number by its real part as well, but not to every type.
  if (is_complex(from) && !is_complex(to)) value = mx::real(value);
  // Floats outside of the target's range are undefined in C; through int64 the low bits stay.
  const bool narrow = is_integer(to) && item_size(to) < 8;
  if (narrow && !is_integer(from) && from != DType::boolean) value = mx::astype(value, mx::int64);
  return is_sub_byte(to) ? wrap_bits(value, to) : mx::astype(value, mlx_dtype(to));
}

array bitcast(const array& x, DType from, DType to) {
  require<UsageError>(item_size(from) == item_size(to), "[bitcast] {} and {} differ in size", name(from), name(to));
  return mx::view(x, mlx_dtype(to));
}

}  // namespace godwit::ops
