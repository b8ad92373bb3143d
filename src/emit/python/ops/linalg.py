"""Twins of src/ops/linalg.cpp."""
import math

import mlx.core as mx
import numpy as np


# MLX may add on a CPU one product after the other, whose rounding grows with their number: sums over at least
# _LEAST_RUNS * _RUN of them are made of sums over runs.
_RUN = 256
_LEAST_RUNS = 4


def _is_long(x, inner):
    return x.dtype == mx.float32 and inner >= _LEAST_RUNS * _RUN and mx.default_device() == mx.cpu


# a @ b
def _product(a, b):
    if not _is_long(a, a.shape[-1]):
        return a @ b
    if a.ndim == 1:
        return mx.squeeze(_product(a[None], b), -_min(b.ndim, 2))
    if b.ndim == 1:
        return mx.squeeze(_product(a, b[:, None]), -1)
    runs = a.shape[-1] // _RUN
    whole = runs * _RUN
    rest = a[..., whole:] @ b[..., whole:, :]
    a = mx.unflatten(a[..., :whole], -1, (runs, _RUN)).swapaxes(-3, -2)
    b = mx.unflatten(b[..., :whole, :], -2, (runs, _RUN))
    return mx.sum(a @ b, axis=-3) + rest


def matmul(a, b):
    if not _is_integral(a):
        return _product(a, b)
    # float64 holds every sum of 32-bit products of real size; it exists on the CPU only.
    with mx.stream(mx.cpu):
        return mx.matmul(a.astype(mx.float64), b.astype(mx.float64)).astype(a.dtype)


def linear(x, weight, bias=None):
    y = matmul(x, weight.T)
    return y if bias is None else y + bias


def einsum(xs, equation):
    return mx.einsum(equation, *xs)


def determinant(x):
    host = np.linalg.det(np.array(x.astype(mx.float32)).astype(np.float64))
    return mx.array(np.asarray(host)).astype(x.dtype)


def inverse(x):
    return mx.array(np.linalg.inv(np.array(x.astype(mx.float32)).astype(np.float64))).astype(x.dtype)


def cholesky(x):
    return mx.array(np.linalg.cholesky(np.array(x.astype(mx.float32)).astype(np.float64))).astype(x.dtype)


def cdist(a, b, p=2.0):
    gap = mx.abs(_widen(a)[..., :, None, :] - _widen(b)[..., None, :, :])
    if p == math.inf:
        out = mx.max(gap, axis=-1)
    elif p == 0:
        out = mx.sum((gap != 0).astype(gap.dtype), axis=-1)
    elif p == 1:
        out = mx.sum(gap, axis=-1)
    elif p == 2:
        out = mx.sqrt(mx.sum(mx.square(gap), axis=-1))
    else:
        out = mx.power(mx.sum(mx.power(gap, p), axis=-1), 1 / p)
    return out.astype(a.dtype)
