"""Twins of src/ops/elementwise.cpp, cast.cpp and special.cpp."""
import math

import mlx.core as mx
import numpy as np


def angle(x):
    return mx.arctan2(mx.imag(x), mx.real(x))


def complex(re, im):
    re, im = mx.broadcast_arrays(re, im)
    return mx.stack([re, im], axis=-1).view(mx.complex64).squeeze(-1)


def bitwise_not(x):
    return mx.logical_not(x) if x.dtype == mx.bool_ else mx.bitwise_invert(x)


def is_inf(x, positive=True, negative=True):
    if positive and negative:
        return mx.isinf(x)
    if positive:
        return mx.isposinf(x)
    return mx.isneginf(x) if negative else mx.zeros(x.shape, mx.bool_)


# -1 as a divisor traps on the smallest integer.
def _safe_divisor(y):
    return mx.where(y == -1, _like(y, 1), y) if _is_signed(y) else y


def _fix_quotient(x, y, quotient):
    return mx.where(y == -1, -x, quotient) if _is_signed(y) else quotient


def trunc_divide(x, y):
    if not _is_integral(x):
        return mx.trunc(x / y)
    divisor = _safe_divisor(y)
    down = mx.floor_divide(x, divisor)
    if not _is_signed(x):
        return down
    rest = down * divisor != x
    differ = mx.bitwise_xor(x, divisor) < 0
    up = ((divisor != 0) & rest & differ).astype(x.dtype)
    return _fix_quotient(x, y, down + up)


def floor_divide(x, y):
    if _is_integral(x):
        return _fix_quotient(x, y, mx.floor_divide(x, _safe_divisor(y)))
    # (x - x mod y) / y is exact up to one rounding, where floor(x / y) may be one too high.
    rest = fmod(x, y)
    quotient = (x - rest) / y
    differ = (rest != 0) & ((y < 0) != (rest < 0))
    quotient = mx.where(differ, quotient - 1, quotient)
    down = mx.floor(quotient)
    down = mx.where(quotient - down > 0.5, down + 1, down)
    return mx.where(y == 0, x / y, down)


def divide(x, y):
    return trunc_divide(x, y) if _is_integral(x) else x / y


def remainder(x, y):
    if _is_integral(x):
        divisor = _safe_divisor(y)
        return x - mx.floor_divide(x, divisor) * divisor
    rest = fmod(x, y)
    differ = (rest != 0) & ((y < 0) != (rest < 0))
    return mx.where(differ, rest + y, rest)


def fmod(x, y):
    if _is_integral(x):
        divisor = _safe_divisor(y)
        return x - trunc_divide(x, divisor) * divisor
    rest = mx.remainder(mx.abs(x), mx.abs(y))
    return mx.where(x < 0, -rest, rest)


def power(x, y):
    if not _is_integral(x) or not _is_signed(x):
        return mx.power(x, y)
    zero, one, minus = _like(x, 0), _like(x, 1), _like(x, -1)
    odd = mx.bitwise_and(y, one) == one
    inverse = mx.where(x == one, one, mx.where(x == minus, mx.where(odd, minus, one), zero))
    return mx.where(y < zero, inverse, mx.power(x, mx.maximum(y, zero)))


# A shift by more than the type is wide is undefined in hardware.
def _in_width(x, y):
    fits = y < 8 * x.itemsize
    return fits & (y >= 0) if _is_signed(y) else fits


def shift_left(x, y):
    fits = _in_width(x, y)
    return mx.where(fits, mx.left_shift(x, mx.where(fits, y, _like(y, 0))), _like(x, 0))


def shift_right(x, y):
    fits = _in_width(x, y)
    shifted = mx.right_shift(x, mx.where(fits, y, _like(y, 0)))
    sign = mx.where(x < 0, _like(x, -1), _like(x, 0)) if _is_signed(x) else _like(x, 0)
    return mx.where(fits, shifted, sign)


def clip(x, low=None, high=None):
    if low is not None:
        x = mx.maximum(x, low)
    return x if high is None else mx.minimum(x, high)


def nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0):
    if _is_integral(x):
        return x
    out = mx.where(mx.isnan(x), _like(x, nan), x)
    out = mx.where(mx.isposinf(x), _like(x, posinf), out)
    return mx.where(mx.isneginf(x), _like(x, neginf), out)


# exponent bits, mantissa bits, bias, largest finite pattern, infinity, NaN, whether there is a negative zero
_SMALL_FLOATS = {
    "f8e4m3fn": (4, 3, 7, 0x7E, None, 0x7F, True),
    "f8e4m3fnuz": (4, 3, 8, 0x7F, None, 0x80, False),
    "f8e5m2": (5, 2, 15, 0x7B, 0x7C, 0x7F, True),
    "f8e5m2fnuz": (5, 2, 16, 0x7F, None, 0x80, False),
    "f4e2m1": (2, 1, 1, 0x7, None, None, True),
    "f6e2m3": (2, 3, 1, 0x1F, None, None, True),
    "f6e3m2": (3, 2, 3, 0x1F, None, None, True),
}


# The value of every bit pattern of a float of at most 8 bits.
def _small_float_values(dtype):
    if dtype == "f8e8m0":
        return mx.array([2.0 ** (bits - 127) for bits in _range(255)] + [math.nan], mx.float32)
    exponent_bits, mantissa_bits, bias, largest, infinity, nan, negative_zero = _SMALL_FLOATS[dtype]
    sign_bit = 1 << (exponent_bits + mantissa_bits)
    values = []
    for bits in _range(256):
        pattern = bits & (2 * sign_bit - 1)
        size = pattern & (sign_bit - 1)
        exponent, mantissa = size >> mantissa_bits, size & ((1 << mantissa_bits) - 1)
        value = math.ldexp(mantissa if exponent == 0 else mantissa | 1 << mantissa_bits, _max(exponent, 1) - bias - mantissa_bits)
        if size == infinity:
            value = math.inf
        elif size > largest if negative_zero else pattern == nan:
            value = math.nan
        values.append(-value if pattern & sign_bit else value)
    return mx.array(values, mx.float32)


# The pattern of each magnitude, rounded to nearest even; beyond the largest finite value it runs on.
def _round_magnitude(bits, mantissa_bits, bias):
    surplus = 23 - mantissa_bits
    odd = mx.bitwise_and(mx.right_shift(bits, surplus), 1)
    normal = mx.right_shift(bits + ((1 << (surplus - 1)) - 1) + odd, surplus) - ((127 - bias) << mantissa_bits)
    value = bits.view(mx.float32)
    units = mx.round(value * 2.0 ** (bias + mantissa_bits - 1))
    subnormal = mx.minimum(units, 256.0).astype(mx.int32)
    return mx.where(value < 2.0 ** (1 - bias), subnormal, normal)


def _encode_small_float(x, dtype, saturate):
    wide = x.astype(mx.float32).view(mx.int32)
    bits = mx.bitwise_and(wide, 0x7FFFFFFF)
    is_nan, is_infinite = bits > 0x7F800000, bits == 0x7F800000
    if dtype == "f8e8m0":
        exponent, mantissa = mx.right_shift(bits, 23), mx.bitwise_and(bits, 0x7FFFFF)
        up = ((mantissa >= 0x400000) & (exponent > 0)) | ((mantissa > 0x600000) & (exponent == 0))
        out = exponent + up.astype(mx.int32)
        out = mx.where(out >= 255, 254 if saturate else 255, out)
        return mx.where(is_nan | is_infinite, 255, out).astype(mx.uint8)
    exponent_bits, mantissa_bits, bias, largest, infinity, nan, negative_zero = _SMALL_FLOATS[dtype]
    pattern = _round_magnitude(bits, mantissa_bits, bias)
    clamps = saturate or (infinity is None and nan is None)
    limit = largest if clamps else nan if infinity is None else infinity
    pattern = mx.where((pattern > largest) | is_infinite, limit, pattern)
    sign = mx.where(wide < 0, 1 << (exponent_bits + mantissa_bits), 0)
    if not negative_zero:
        sign = mx.where(pattern == 0, 0, sign)
    if nan is None:
        of_nan = mx.full(pattern.shape, largest, mx.int32)
    else:
        of_nan = mx.bitwise_or(sign, nan) if negative_zero else mx.full(pattern.shape, nan, mx.int32)
    return mx.where(is_nan, of_nan, mx.bitwise_or(pattern, sign)).astype(mx.uint8)


# Element types that MLX has no name for, and what it holds them as.
_HELD_AS = {"i4": mx.int8, "i2": mx.int8, "u4": mx.uint8, "u2": mx.uint8, "c128": mx.complex64}


def cast(x, from_, to, saturate=True):
    if from_ == to:
        return x
    if isinstance(from_, str) and from_ not in _HELD_AS:
        x = _small_float_values(from_)[x.astype(mx.uint32)]
    if to == mx.bool_:
        return x != _like(x, 0)
    if x.dtype == mx.complex64 and to not in (mx.complex64, "c128"):
        x = mx.real(x)
    if isinstance(to, str) and to not in _HELD_AS:
        return _encode_small_float(x, to, saturate)
    held = _HELD_AS.get(to, to) if isinstance(to, str) else to
    # Floats outside of the target's range are undefined in C; through int64 the low bits stay.
    if mx.issubdtype(held, mx.integer) and held.size < 8 and mx.issubdtype(x.dtype, mx.floating):
        x = x.astype(mx.int64)
    if to not in ("i4", "i2", "u4", "u2"):
        return x.astype(held)
    drop = 4 if to.endswith("4") else 6
    x = x.astype(held)
    return mx.right_shift(mx.left_shift(x, drop), drop).astype(held)


def bitcast(x, from_, to):
    held = mx.uint8 if isinstance(to, str) and to not in _HELD_AS else _HELD_AS.get(to, to) if isinstance(to, str) else to
    return x.view(held)


def _polynomial(t, coefficients):
    total = _like(t, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total * t + c
    return total


# log(gamma(x)) for x >= 0.5, by Stirling's series beyond 8.
def _lgamma_right(x):
    small = x < 8
    factor, inner = _like(x, 1), mx.where(small, x, _like(x, 1))
    for k in _range(8):
        factor = factor * (inner + k)
    y = mx.where(small, x + 8, x)
    inverse = mx.reciprocal(y)
    series = inverse * _polynomial(mx.square(inverse), [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156])
    stirling = (y - 0.5) * (mx.log(y) - 1) + (0.5 * math.log(2 * math.pi) - 0.5 + series)
    return mx.where(small, stirling - mx.log(factor), stirling)


def lgamma(x):
    wide = _widen(x)
    left = wide < 0.5
    right = _lgamma_right(mx.where(left, 1 - wide, wide))
    fraction = wide - mx.floor(wide)
    reflected = mx.log(math.pi / mx.abs(mx.sin(math.pi * fraction))) - right
    infinite = ((wide <= 0) & (fraction == 0)) | mx.isinf(wide)
    return mx.where(infinite, _like(wide, math.inf), mx.where(left, reflected, right)).astype(x.dtype)


def _digamma_right(x):
    small = x < 8
    inner, total = mx.where(small, x, _like(x, 1)), _like(x, 0)
    for k in _range(8):
        total = total + mx.reciprocal(inner + k)
    y = mx.where(small, x + 8, x)
    inverse = mx.reciprocal(y)
    t = mx.square(inverse)
    series = t * _polynomial(t, [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12])
    far = mx.log(y) - 0.5 * inverse - series
    return mx.where(small, far - total, far)


def digamma(x):
    wide = _widen(x)
    left = wide < 0.5
    right = _digamma_right(mx.where(left, 1 - wide, wide))
    fraction = wide - mx.floor(wide)
    value = mx.where(left, right - math.pi / mx.tan(math.pi * fraction), right)
    value = mx.where((wide < 0) & (fraction == 0), _like(wide, math.nan), value)
    value = mx.where(wide == 0, -mx.reciprocal(wide), value)
    return mx.where(mx.isposinf(wide), wide, value).astype(x.dtype)
