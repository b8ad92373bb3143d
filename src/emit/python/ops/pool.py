"""Twins of src/ops/pool.cpp."""
import math

import mlx.core as mx


# Numbers of windows and the pads at the end that the last of them need.
def _pool_plan(x, kernel, stride, low, high, dilation, ceil_mode):
    out, ends = [], []
    for size, k, s, l, h, d in zip(x.shape[2:], kernel, stride, low, high, dilation):
        room = size + l + h - d * (k - 1) - 1
        count = (room + s - 1) // s + 1 if ceil_mode else room // s + 1
        if ceil_mode and (count - 1) * s >= size + l:
            count -= 1
        out.append(count)
        ends.append((count - 1) * s + d * (k - 1) + 1 - size - l)
    return out, ends


# (N, C, spatial...) -> (N, C, out..., k...)
def _windows(x, out, kernel, stride, dilation):
    n = len(kernel)
    for i in _range(n):
        at = mx.arange(out[i])[:, None] * stride[i] + mx.arange(kernel[i]) * dilation[i]
        x = mx.take(x, at, axis=2 + 2 * i)
    return mx.transpose(x, [0, 1] + [2 + 2 * i for i in _range(n)] + [3 + 2 * i for i in _range(n)])


# Folds every window, one axis after the other.
def _sliding(x, out, kernel, stride, dilation, join):
    for i in _range(len(kernel)):
        total = None
        for k in _range(kernel[i]):
            tap = _cut(x, 2 + i, k * dilation[i], k * dilation[i] + (out[i] - 1) * stride[i] + 1, stride[i])
            total = tap if total is None else join(total, tap)
        x = total
    return x


def _lowest(dtype):
    if mx.issubdtype(dtype, mx.floating):
        return -math.inf
    return mx.iinfo(dtype).min


# Steps of 1 and no pads where nothing is said.
def _settings(kernel, stride, low, high, dilation):
    n = len(kernel)
    return stride or [1] * n, low or [0] * n, high or [0] * n, dilation or [1] * n


def max_pool(x, kernel, stride=None, low=None, high=None, dilation=None, ceil_mode=False):
    stride, low, high, dilation = _settings(kernel, stride, low, high, dilation)
    out, ends = _pool_plan(x, kernel, stride, low, high, dilation, ceil_mode)
    return _sliding(_pad_spatial(x, low, ends, _lowest(x.dtype)), out, kernel, stride, dilation, mx.maximum)


# The greatest of each window and its flat place in the plane; `places`: for each axis (out, k) coordinates.
def _best_of(view, places, sizes):
    n = len(sizes)
    rows = view.reshape([*view.shape[: 2 + n], -1])
    best = mx.argmax(rows, axis=-1, keepdims=True)
    table = mx.zeros([1] * (2 * n), mx.int64)
    for i, (line, size) in enumerate(zip(places, sizes)):
        shape = [1] * (2 * n)
        shape[i], shape[n + i] = line.shape
        table = table * size + line.astype(mx.int64).reshape(shape)
    table = mx.broadcast_to(table.reshape([*rows.shape[2:]]), rows.shape)
    return [mx.take_along_axis(rows, best, axis=-1).squeeze(-1), mx.take_along_axis(table, best, axis=-1).squeeze(-1)]


def max_pool_indices(x, kernel, stride, low, high, dilation, ceil_mode=False):
    out, ends = _pool_plan(x, kernel, stride, low, high, dilation, ceil_mode)
    view = _windows(_pad_spatial(x, low, ends, _lowest(x.dtype)), out, kernel, stride, dilation)
    sizes = x.shape[2:]
    places = [mx.clip(mx.arange(o)[:, None] * s - l + mx.arange(k) * d, 0, _max(n - 1, 0)) for o, k, s, l, d, n in zip(out, kernel, stride, low, dilation, sizes)]
    return _best_of(view, places, sizes)


def avg_pool(x, kernel, stride=None, low=None, high=None, dilation=None, ceil_mode=False, count_padding=False, divisor=0):
    stride, low, high, dilation = _settings(kernel, stride, low, high, dilation)
    out, ends = _pool_plan(x, kernel, stride, low, high, dilation, ceil_mode)
    total = _sliding(_pad_spatial(_widen(x), low, ends), out, kernel, stride, dilation, mx.add)
    if divisor != 0:
        return (total / divisor).astype(x.dtype)
    for i, (size, k, s, l, h, d) in enumerate(zip(x.shape[2:], kernel, stride, low, high, dilation)):
        first, last = (-l, size + h) if count_padding else (0, size)
        at = mx.arange(out[i])[:, None] * s - l + mx.arange(k) * d
        count = mx.sum((at >= first) & (at < last), axis=1).astype(total.dtype)
        total = total / count.reshape([-1 if j == i else 1 for j in _range(len(kernel))])
    return total.astype(x.dtype)


def lp_pool(x, kernel, stride, low, high, dilation, ceil_mode=False, order=2.0):
    out, ends = _pool_plan(x, kernel, stride, low, high, dilation, ceil_mode)
    powers = mx.power(mx.abs(_widen(x)), order)
    total = _sliding(_pad_spatial(powers, low, ends), out, kernel, stride, dilation, mx.add)
    return mx.power(total, 1 / order).astype(x.dtype)


# Starts and ends of the bins of one axis.
def _bins(size, count):
    return [(i * size // count, -(-(i + 1) * size // count)) for i in _range(count)]


def adaptive_avg_pool(x, size):
    y = _widen(x)
    for i, count in enumerate(size):
        axis = 2 + i
        y = mx.concatenate([mx.mean(_cut(y, axis, a, b), axis=axis, keepdims=True) for a, b in _bins(y.shape[axis], count)], axis=axis)
    return y.astype(x.dtype)


def adaptive_max_pool(x, size):
    n, sizes, places, view = len(size), x.shape[2:], [], x
    for i, count in enumerate(size):
        bins = _bins(sizes[i], count)
        longest = _max(b - a for a, b in bins)
        # Bins are filled up by repeating their last element, which cannot be the first maximum.
        places.append(mx.array([[_min(a + k, b - 1) for k in _range(longest)] for a, b in bins]))
        view = mx.take(view, places[-1], axis=2 + 2 * i)
    view = mx.transpose(view, [0, 1] + [2 + 2 * i for i in _range(n)] + [3 + 2 * i for i in _range(n)])
    return _best_of(view, places, sizes)
