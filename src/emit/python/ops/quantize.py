"""Twins of src/ops/quantize.cpp."""
import mlx.core as mx


# A scale or zero point per tensor, per element of an axis, or per block of it, shaped to broadcast.
def _spread(p, x, axis, block):
    if p.size == 1 and block == 0:
        return p.reshape([])
    axis = axis % x.ndim
    if block > 0:
        return _cut(mx.repeat(p, block, axis=axis), axis, 0, x.shape[axis])
    return p.reshape([-1] + [1] * (x.ndim - 1 - axis))


_BOUNDS = {"i4": (-8, 7), "u4": (0, 15), "i2": (-2, 1), "u2": (0, 3)}


def quantize(x, scale, zero_point=None, axis=1, block=0, *, to, saturate=True):
    wide = x.astype(mx.float32) / _spread(scale.astype(mx.float32), x, axis, block)
    if isinstance(to, str) and to not in _BOUNDS:
        return cast(wide, mx.float32, to, saturate)
    wide = mx.round(wide)
    if zero_point is not None:
        wide = wide + _spread(zero_point, x, axis, block).astype(mx.float32)
    low, high = _BOUNDS[to] if isinstance(to, str) else (mx.iinfo(to).min, mx.iinfo(to).max)
    held = to if not isinstance(to, str) else mx.int8 if to.startswith("i") else mx.uint8
    return mx.clip(wide, low, high).astype(mx.int64).astype(held)


def dequantize(x, scale, zero_point=None, axis=1, block=0, *, from_):
    factor = _spread(scale, x, axis, block)
    if isinstance(from_, str) and from_ not in _BOUNDS:
        wide = cast(x, from_, mx.float32)
    else:
        wide = x.astype(mx.float32)
        if zero_point is not None:
            wide = wide - _spread(zero_point, x, axis, block).astype(mx.float32)
    return (wide * factor.astype(mx.float32)).astype(scale.dtype)
