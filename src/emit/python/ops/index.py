"""Twins of src/ops/index.cpp."""
import mlx.core as mx
import numpy as np


# Indices from the end as indices from the start.
def _wrap(indices, size):
    return mx.where(indices < 0, indices + size, indices)


def take(x, indices, axis=0):
    return mx.take(x, _wrap(indices, x.shape[axis]), axis=axis)


def take_along(x, indices, axis):
    axis = axis % _max(x.ndim, 1)
    if x.ndim == 0:
        return mx.broadcast_to(x, indices.shape)
    lead = [_slice(0, n) for n in indices.shape]
    lead[axis] = _slice(None)
    return mx.take_along_axis(x[tuple(lead)], _wrap(indices, x.shape[axis]), axis=axis)


# Flat positions of the slices that (..., k) indices name in the first k axes, and the shape of one slice.
def _flat_places(shape, indices):
    depth = indices.shape[-1]
    place = mx.zeros(indices.shape[:-1], mx.int64)
    for k in _range(depth):
        place = place * shape[k] + _wrap(indices[..., k], shape[k]).astype(mx.int64)
    return place, shape[depth:]


def gather_nd(x, indices, batch_dims=0):
    if batch_dims == 0:
        place, rest = _flat_places(x.shape, indices)
        return mx.take(x.reshape([-1, *rest]), place, axis=0)
    lead = x.shape[:batch_dims]
    batch = int(np.prod(lead))
    rows = x.reshape([batch, *x.shape[batch_dims:]])
    named = indices.reshape([batch, *indices.shape[batch_dims:]])
    number = mx.broadcast_to(mx.arange(batch).astype(named.dtype).reshape([batch] + [1] * (named.ndim - 1)), [*named.shape[:-1], 1])
    out = gather_nd(rows, mx.concatenate([number, named], axis=-1))
    return out.reshape([*lead, *out.shape[1:]])


# rows (n, ...) with updates (m, ...) put, added, ... at positions (m,), in their order.
def _scatter_rows(rows, places, updates, reduction):
    if places.size == 0 or updates.size == 0:
        return rows
    if reduction == "mean":
        wide = _widen(rows)
        total = wide.at[places].add(updates.astype(wide.dtype))
        count = mx.ones([rows.shape[0]], mx.int64).at[places].add(mx.ones(places.shape, mx.int64))
        count = count.reshape([-1] + [1] * (rows.ndim - 1))
        if _is_integral(rows):
            return floor_divide(total, count.astype(total.dtype))
        return (total / count.astype(total.dtype)).astype(rows.dtype)
    if reduction == "none":
        out = mx.array(rows)
        out[places] = updates
        return out
    at = rows.at[places]
    method = {"add": "add", "mul": "multiply", "min": "minimum", "max": "maximum"}[reduction]
    return getattr(at, method)(updates)


def scatter(x, indices, updates, axis, reduction="none"):
    if x.ndim == 0:
        return scatter(x.reshape([1]), indices.reshape([1]), updates.reshape([1]), 0, reduction).reshape([])
    axis = axis % x.ndim
    updates = updates[tuple(_slice(0, n) for n in indices.shape)]
    place = mx.zeros(indices.shape, mx.int64)
    for k, size in enumerate(x.shape):
        if k == axis:
            along = _wrap(indices, size).astype(mx.int64)
        else:
            along = mx.arange(indices.shape[k]).astype(mx.int64).reshape([-1 if i == k else 1 for i in _range(x.ndim)])
        place = place * size + along
    return _scatter_rows(x.reshape([-1]), place.reshape([-1]), updates.reshape([-1]), reduction).reshape(x.shape)


def scatter_nd(x, indices, updates, reduction="none"):
    place, rest = _flat_places(x.shape, indices)
    rows = _scatter_rows(x.reshape([-1, *rest]), place.reshape([-1]), updates.reshape([-1, *rest]), reduction)
    return rows.reshape(x.shape)


# Axes with indices first, the position of each indexed element in them, and where torch puts the result's axes.
def _index_plan(x, indices, axes):
    axes = [a % x.ndim for a in axes]
    rest = [a for a in _range(x.ndim) if a not in axes]
    indices = mx.broadcast_arrays(*indices) if len(indices) > 1 else list(indices)
    place = mx.zeros(indices[0].shape, mx.int64)
    for axis, at in zip(axes, indices):
        place = place * x.shape[axis] + _wrap(at, x.shape[axis]).astype(mx.int64)
    together = axes == list(_range(axes[0], axes[0] + len(axes)))
    lead = len([a for a in rest if a < axes[0]]) if together else 0
    return axes + rest, [x.shape[a] for a in rest], place, lead


def index(x, indices, axes):
    order, rest, place, lead = _index_plan(x, indices, axes)
    rows = mx.transpose(x, order).reshape([-1, *rest])
    out = mx.take(rows, place, axis=0)
    n = place.ndim
    return mx.transpose(out, [n + i for i in _range(lead)] + list(_range(n)) + [n + i for i in _range(lead, len(rest))])


def index_put(x, values, indices, axes, accumulate=False):
    order, rest, place, lead = _index_plan(x, indices, axes)
    n = place.ndim
    # values have the shape of index()'s result: back to indexed axes first.
    shape = rest[:lead] + list(place.shape) + rest[lead:]
    values = mx.broadcast_to(values, shape)
    values = mx.transpose(values, list(_range(lead, lead + n)) + list(_range(lead)) + list(_range(lead + n, len(shape))))
    ordered = mx.transpose(x, order)
    rows = _scatter_rows(ordered.reshape([-1, *rest]), place.reshape([-1]), values.reshape([-1, *rest]), "add" if accumulate else "none")
    back = [order.index(a) for a in _range(x.ndim)]
    return mx.transpose(rows.reshape(ordered.shape), back)


def masked_scatter(x, mask, source):
    mask = mx.broadcast_to(mask, x.shape).reshape([-1])
    place = mx.cumsum(mask.astype(mx.int64)) - 1
    flat = source.reshape([-1])
    if flat.size == 0:
        return x
    taken = mx.take(flat, mx.clip(place, 0, flat.size - 1))
    return mx.where(mask, taken, x.reshape([-1])).reshape(x.shape)


def nonzero(x):
    places = np.argwhere(np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x))
    return mx.array(places.astype(np.int64)).reshape([-1, x.ndim])


def unique(x, axis=0, flat=True, sorted=True):
    host = np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x)
    values, first, inverse, counts = np.unique(
        host.reshape(-1) if flat else host, axis=None if flat else axis, return_index=True, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    if not sorted:
        order = np.argsort(first, kind="stable")
        rank = np.argsort(order)
        values = np.take(values, order, axis=0 if flat else axis)
        first, counts, inverse = first[order], counts[order], rank[inverse]
    return [mx.array(values).astype(x.dtype)] + [mx.array(v.astype(np.int64)) for v in (first, inverse, counts)]


# Positions that sort x; equal elements keep their order, NaNs count as the greatest.
def _sorted_places(x, axis, descending):
    host = np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x)
    if not descending:
        return mx.array(np.argsort(host, axis=axis, kind="stable"))
    turned = np.flip(host, axis=axis)
    places = np.flip(np.argsort(turned, axis=axis, kind="stable"), axis=axis)
    return mx.array(host.shape[axis] - 1 - places)


def sort(x, axis=-1, descending=False):
    if x.ndim == 0:
        return [x, mx.array(0, mx.int64)]
    places = _sorted_places(x, axis, descending)
    return [mx.take_along_axis(x, places, axis=axis), places.astype(mx.int64)]


def topk(x, k, axis=-1, largest=True, sorted=True):
    if x.ndim == 0:
        return [x, mx.array(0, mx.int64)]
    places = _cut(_sorted_places(x, axis, largest), axis, 0, k)
    return [mx.take_along_axis(x, places, axis=axis), places.astype(mx.int64)]


def searchsorted(sequence, values, right=False):
    lines, wanted = np.array(sequence), np.array(values)
    side = "right" if right else "left"
    if lines.ndim == 1:
        return mx.array(np.searchsorted(lines, wanted, side=side).astype(np.int64))
    rows = [np.searchsorted(a, v, side=side) for a, v in zip(lines.reshape(-1, lines.shape[-1]), wanted.reshape(-1, wanted.shape[-1]))]
    return mx.array(np.stack(rows).reshape(wanted.shape).astype(np.int64))
