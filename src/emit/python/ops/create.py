"""Twins of src/ops/create.cpp."""
import math

import mlx.core as mx


def dims(values):
    return mx.array(values, mx.int64)


def dim(value):
    return mx.array(value, mx.int64)


def full(value, shape):
    return mx.broadcast_to(value.reshape([]), shape)


def eye(rows, columns, offset=0, *, dtype):
    if offset <= -rows or offset >= columns:
        return mx.zeros([rows, columns], dtype)
    return mx.eye(rows, columns, offset, dtype=dtype)


def arange(start, step=1, *, count, dtype):
    return (mx.arange(count).astype(mx.int64) * step + start).astype(dtype)


def range(start, limit, delta):
    count = _max(0, math.ceil((limit.item() - start.item()) / delta.item()))
    return start.reshape([]) + mx.arange(count).astype(start.dtype) * delta.reshape([])


def linspace(start, stop, count):
    if count == 1:
        return start.reshape([1])
    wide = mx.float64 if start.dtype == mx.float64 else mx.float32
    first, last = start.astype(wide).reshape([]), stop.astype(wide).reshape([])
    index = mx.arange(count).astype(wide)
    step = (last - first) / _max(count - 1, 1)
    # Each half is reckoned from its own end, so that both ends are exact.
    return mx.where(index < count // 2, first + step * index, last - step * (count - 1 - index)).astype(start.dtype)


def random_uniform(shape, dtype):
    return mx.random.uniform(shape=shape, dtype=dtype)


def random_normal(shape, dtype):
    return mx.random.normal(shape=shape, dtype=dtype)
