"""Twins of src/ops/reduce.cpp."""
import math

import mlx.core as mx
import numpy as np


def sum(x, axes, keepdims=False):
    return mx.sum(_widen(x), axis=axes, keepdims=keepdims).astype(x.dtype)


def mean(x, axes, keepdims=False):
    return mx.mean(_widen(x), axis=axes, keepdims=keepdims).astype(x.dtype)


def product(x, axes, keepdims=False):
    return mx.prod(_widen(x), axis=axes, keepdims=keepdims).astype(x.dtype)


def max(x, axes, keepdims=False):
    return mx.max(x, axis=axes, keepdims=keepdims) if axes else x


def min(x, axes, keepdims=False):
    return mx.min(x, axis=axes, keepdims=keepdims) if axes else x


def all(x, axes, keepdims=False):
    return mx.all(x, axis=axes, keepdims=keepdims)


def any(x, axes, keepdims=False):
    return mx.any(x, axis=axes, keepdims=keepdims)


def logsumexp(x, axes, keepdims=False):
    return mx.logsumexp(_widen(x), axis=axes, keepdims=keepdims).astype(x.dtype) if axes else x


def variance(x, axes, keepdims=False, correction=1.0):
    wide = _widen(x)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    squares = mx.square(wide - mx.mean(wide, axis=axes, keepdims=True))
    total = mx.sum(squares, axis=axes, keepdims=keepdims)
    return (total / _like(wide, _max(count - correction, 0.0))).astype(x.dtype)


def norm(x, axes, keepdims=False, order=2.0):
    wide = mx.abs(_widen(x))
    if order == math.inf:
        out = mx.max(wide, axis=axes, keepdims=keepdims)
    elif order == -math.inf:
        out = mx.min(wide, axis=axes, keepdims=keepdims)
    elif order == 0:
        out = mx.sum((wide != 0).astype(wide.dtype), axis=axes, keepdims=keepdims)
    elif order == 1:
        out = mx.sum(wide, axis=axes, keepdims=keepdims)
    elif order == 2:
        out = mx.sqrt(mx.sum(mx.square(wide), axis=axes, keepdims=keepdims))
    else:
        out = mx.power(mx.sum(mx.power(wide, order), axis=axes, keepdims=keepdims), 1 / order)
    return out.astype(mx.float32 if x.dtype == mx.complex64 else x.dtype)


# The place of the first or the last extreme element; a NaN is one.
def _place_of(x, axis, keepdims, last, pick):
    n = x.shape[axis] if x.ndim else 1
    if x.ndim == 0:
        return mx.array(0, mx.int64)
    extreme = (mx.max if pick == "max" else mx.min)(x, axis=axis, keepdims=True)
    hit = (x == extreme) | (mx.isnan(x) if not _is_integral(x) else mx.array(False))
    if last:
        hit = flip(hit, [axis])
    place = mx.argmax(hit.astype(mx.int32), axis=axis, keepdims=keepdims).astype(mx.int64)
    return n - 1 - place if last else place


def argmax(x, axis, keepdims=False, last=False):
    return _place_of(x, axis, keepdims, last, "max")


def argmin(x, axis, keepdims=False, last=False):
    return _place_of(x, axis, keepdims, last, "min")


def cumsum(x, axis, exclusive=False, reverse=False):
    return mx.cumsum(_widen(x), axis=axis, reverse=reverse, inclusive=not exclusive).astype(x.dtype) if x.ndim else (_like(x, 0) if exclusive else x)


def cumprod(x, axis, exclusive=False, reverse=False):
    return mx.cumprod(_widen(x), axis=axis, reverse=reverse, inclusive=not exclusive).astype(x.dtype) if x.ndim else (_like(x, 1) if exclusive else x)


# Running extremes with the place of the latest one; from a NaN on all are NaN.
def _running(x, axis, better):
    if x.ndim == 0:
        return [x, mx.array(0, mx.int64)]
    value, place = _cut(x, axis, 0, 1), mx.zeros(_cut(x, axis, 0, 1).shape, mx.int64)
    values, places = [value], [place]
    for i in _range(1, x.shape[axis]):
        item = _cut(x, axis, i, i + 1)
        is_better = better(item, value)
        if not _is_integral(x):
            is_better = (is_better | mx.isnan(item)) & ~(mx.isnan(value) & ~mx.isnan(item))
        value, place = mx.where(is_better, item, value), mx.where(is_better, mx.array(i, mx.int64), place)
        values.append(value)
        places.append(place)
    return [mx.concatenate(values, axis=axis), mx.concatenate(places, axis=axis)]


def cummax(x, axis):
    return _running(x, axis, lambda a, b: a >= b)


def cummin(x, axis):
    return _running(x, axis, lambda a, b: a <= b)


# The lower of the two middle elements and its place; a NaN where there is one.
def median(x, axis, keepdims=False):
    if x.ndim == 0:
        return [x, mx.array(0, mx.int64)]
    places = _sorted_places(x, axis, False)
    n = x.shape[axis]
    middle = _cut(places, axis, (n - 1) // 2, (n - 1) // 2 + 1).astype(mx.int64)
    if not _is_integral(x):
        nan = mx.isnan(x)
        first = mx.argmax(nan.astype(mx.int32), axis=axis, keepdims=True).astype(mx.int64)
        middle = mx.where(mx.any(nan, axis=axis, keepdims=True), first, middle)
    values = mx.take_along_axis(x, middle, axis=axis)
    return [values, middle] if keepdims else [values.squeeze(axis), middle.squeeze(axis)]
