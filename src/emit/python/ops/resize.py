"""Twins of src/ops/resize.cpp and grid_sample.cpp."""
import math

import mlx.core as mx
import numpy as np


# Source coordinates of the elements 0 .. out - 1 of one axis.
def _source(real, size, out, scale, given, coordinates, roi):
    width = scale * size if given else out
    x, step = np.arange(out).astype(real), real(1 / scale if given else size / out)
    if coordinates == "asymmetric":
        return x * step
    if coordinates == "align_corners":
        return x * 0 if width == 1 else x * (real(size - 1) / real(width - 1))
    if coordinates == "tf_crop_and_resize":
        start, span = roi[0] * (size - 1), (roi[1] - roi[0]) * (size - 1)
        at = np.full(out, span / 2) if width == 1 else np.arange(out) * span / (width - 1)
        return (at + start).astype(real)
    if coordinates == "pytorch_half_pixel" and width == 1:
        return x * 0 - real(0.5)
    offset = real(size / 2 * (1 - out / width)) if coordinates == "half_pixel_symmetric" else real(0)
    return offset + (x + real(0.5)) * step - real(0.5)


def _nearest_places(size, out, scale, given, coordinates, roi, rule):
    if coordinates == "half_pixel":
        x = (np.arange(out) + 0.5) / scale - 0.5 if given else (np.arange(out) + 0.5) * size / out - 0.5
    else:
        real = np.float32 if coordinates == "asymmetric" and rule == "floor" else np.float64
        x = _source(real, size, out, scale, given, coordinates, roi).astype(np.float64)
    rounded = {"floor": np.floor, "ceil": np.ceil, "round_prefer_ceil": lambda v: np.floor(v + 0.5)}.get(rule, lambda v: np.ceil(v - 0.5))(x)
    return np.clip(rounded, 0, size - 1).astype(np.int32)


def _cubic_weight(x, a):
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _lanczos_weight(x):
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


# The (in, out) matrix of shares.
def _shares(size, out, scale, given, coordinates, roi, mode, cubic_a, antialias, exclude_outside):
    squeeze = _min(scale, 1.0) if antialias else 1.0
    reach = int(-(math.floor(-{"lanczos": 3, "cubic": 2}.get(mode, 1) / squeeze) + 1))
    x = _source(np.float32, size, out, scale, given, coordinates, roi).astype(np.float64)
    at = np.floor(x)[:, None] - reach + np.arange(2 + 2 * reach)
    distance = (at - x[:, None]) * squeeze
    if mode == "lanczos":
        weight = _lanczos_weight(distance)
    else:
        weight = _cubic_weight(distance, cubic_a) if mode == "cubic" else np.maximum(0, 1 - np.abs(distance))
    if exclude_outside:
        weight = np.where((at < 0) | (at > size - 1), 0, weight)
    if antialias or exclude_outside:
        total = weight.sum(axis=1, keepdims=True)
        weight = weight / np.where(total == 0, 1, total)
    matrix = np.zeros((size, out), np.float32)
    rows = np.clip(at, 0, size - 1).astype(np.int64)
    np.add.at(matrix, (rows, np.broadcast_to(np.arange(out)[:, None], rows.shape)), weight.astype(np.float32))
    return mx.array(matrix)


def resize(x, axes, size, mode="nearest", coordinates="half_pixel", scales=(), nearest="round_prefer_floor",
           cubic_a=-0.75, antialias=False, exclude_outside=False, roi=(), extrapolation=0.0):
    y = x if mode == "nearest" else x.astype(mx.float32) if _is_integral(x) else _widen(x)
    off = None
    for i, axis in enumerate(axes):
        axis, n, out = axis % x.ndim, x.shape[axis], size[i]
        given = len(scales) > 0
        scale = scales[i] if given else out / _max(n, 1)
        ends = (roi[i], roi[len(size) + i]) if roi else (0.0, 1.0)
        if out == 0:
            y = _cut(y, axis, 0, 0)
            continue
        if mode == "nearest":
            y = mx.take(y, mx.array(_nearest_places(n, out, scale, given, coordinates, ends, nearest)), axis=axis)
        else:
            shares = _shares(n, out, scale, given, coordinates, ends, mode, cubic_a, antialias, exclude_outside)
            y = mx.moveaxis(mx.moveaxis(y, axis, -1) @ shares.astype(y.dtype), -1, axis)
        if coordinates == "tf_crop_and_resize":
            at = _source(np.float64, n, out, scale, given, coordinates, ends)
            flags = mx.array((at < 0) | (at > n - 1)).reshape([-1] + [1] * (x.ndim - 1 - axis))
            off = flags if off is None else off | flags
    if off is not None:
        y = mx.where(off, _like(y, extrapolation), y)
    return y.astype(x.dtype)


# Coordinates and weights stay in the grid's own type, rounding included.
def _number(like, value):
    return mx.array(value, like.dtype)


# Folds coordinates back and forth between the edges.
def _reflected(x, size, align_corners):
    low, both_ways = (0.0, 2.0 * (size - 1)) if align_corners else (-0.5, 2.0 * size)
    if both_ways <= 0:
        return mx.zeros_like(x)
    span, border = _number(x, both_ways), _number(x, low)
    distance = mx.abs(x - border)
    extra = distance - mx.floor(distance / span) * span
    return mx.minimum(extra, span - extra) + border


def _padded(x, size, padding, align_corners):
    if padding == "zeros":
        return x
    return mx.clip(_reflected(x, size, align_corners) if padding == "reflection" else x, 0, size - 1)


# (coordinate, weight) pairs along one axis at normalized coordinates.
def _grid_taps(at, size, mode, padding, align_corners):
    x = (at + 1) * _number(at, (size - 1 if align_corners else size) / 2)
    if not align_corners:
        x = x - _number(x, 0.5)
    if mode == "nearest":
        return [(mx.round(_padded(x, size, padding, align_corners)), mx.ones_like(x))]
    if mode == "linear":
        x = _padded(x, size, padding, align_corners)
        base = mx.floor(x)
        return [(base, 1 - (x - base)), (base + 1, x - base)]
    base, a = mx.floor(x), -0.75
    part = x - base

    def near(d):
        return (_number(d, a + 2) * d - _number(d, a + 3)) * d * d + 1

    def far(d):
        return ((_number(d, a) * d - _number(d, 5 * a)) * d + _number(d, 8 * a)) * d - _number(d, 4 * a)

    weights = [far(part + 1), near(part), near(1 - part), far(2 - part)]
    return [(_padded(base + k - 1, size, padding, align_corners), w) for k, w in enumerate(weights)]


def grid_sample(x, grid, mode="linear", padding="zeros", align_corners=False):
    n, batch, channels = x.ndim - 2, x.shape[0], x.shape[1]
    result = [batch, channels, *grid.shape[1:-1]]
    flat = grid.reshape([batch, -1, n])
    planes = _widen(x).reshape([batch, channels, -1])
    # Coordinates come innermost axis first.
    combined = [(mx.zeros(flat.shape[:2], mx.int32), mx.ones(flat.shape[:2]))]
    for i in _range(n):
        size, grown = x.shape[2 + i], []
        for at, weight in _grid_taps(flat[..., n - 1 - i], size, mode, padding, align_corners):
            inside = (at >= 0) & (at <= size - 1)
            place = mx.clip(mx.clip(at, 0, size - 1).astype(mx.int32), 0, size - 1)
            grown += [(index * size + place, mx.where(inside, w * weight, 0)) for index, w in combined]
        combined = grown
    total = 0
    for index, weight in combined:
        taken = mx.take_along_axis(planes, mx.broadcast_to(index[:, None], [batch, channels, index.shape[1]]), axis=2)
        total = total + taken * weight[:, None].astype(planes.dtype)
    return total.reshape(result).astype(x.dtype)
