"""What the twins of the op table share."""
import builtins

import mlx.core as mx


# Python's own, whose names ops have.
_slice = builtins.slice
_range = builtins.range
_sum = builtins.sum
_max = builtins.max
_min = builtins.min
_abs = builtins.abs
_any = builtins.any


# Sums over the half types are kept in float32.
def _widen(x):
    return x.astype(mx.float32) if x.dtype in (mx.float16, mx.bfloat16) else x


def _like(x, value):
    return mx.array(value, x.dtype)


def _is_integral(x):
    return not mx.issubdtype(x.dtype, mx.inexact)


def _is_signed(x):
    return mx.issubdtype(x.dtype, mx.signedinteger)


# x[..., start:stop:step, ...] along one axis.
def _cut(x, axis, start, stop, step=1):
    index = [_slice(None)] * x.ndim
    index[axis] = _slice(start, stop, step)
    return x[tuple(index)]
