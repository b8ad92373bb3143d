"""Twins of src/ops/movement.cpp."""
import mlx.core as mx


def shape(x):
    return mx.array(x.shape, mx.int64)


def reshape(x, shape, zero_copies=False):
    if zero_copies:
        shape = [x.shape[i] if d == 0 else d for i, d in enumerate(shape)]
    if x.size == 0 and -1 in shape:
        shape = [0 if d == -1 else d for d in shape]
    return mx.reshape(x, shape)


def broadcast(x, shape):
    rank = _max(x.ndim, len(shape))
    given = (1,) * (rank - x.ndim) + x.shape
    wanted = [1] * (rank - len(shape)) + list(shape)
    return mx.broadcast_to(x, [g if w in (1, -1) else w for g, w in zip(given, wanted)])


def split(x, sizes, axis):
    parts, start = [], 0
    for size in sizes:
        parts.append(_cut(x, axis, start, start + size))
        start += size
    return parts


# Python's slice object: one of the functions here has its name.
def _index(x, axes, starts, stops, steps):
    index = [_slice(None)] * x.ndim
    for i, axis in enumerate(axes):
        n, step = x.shape[axis], steps[i] if steps else 1
        low, high = (0, n) if step > 0 else (-1, n - 1)
        start, stop = (_min(_max(at + n if at < 0 else at, low), high) for at in (starts[i], stops[i]))
        index[axis] = _slice(start, None if stop < 0 else stop, step)
    return tuple(index)


def slice(x, axes, starts, stops, steps=()):
    return x[_index(x, axes, starts, stops, steps)]


def slice_update(x, update, axes, starts, stops, steps=()):
    index = _index(x, axes, starts, stops, steps)
    out = mx.array(x)
    if out[index].size > 0:
        out[index] = update
    return out


def pad(x, value=None, *, low, high, mode="constant"):
    if mode == "constant":
        fill = _like(x, 0) if value is None else value.reshape([])
        out = mx.pad(x, [(_max(l, 0), _max(h, 0)) for l, h in zip(low, high)], constant_values=fill)
        for axis, (l, h) in enumerate(zip(low, high)):
            out = _cut(out, axis, _max(-l, 0), out.shape[axis] - _max(-h, 0))
        return out
    for axis, (l, h) in enumerate(zip(low, high)):
        n, count = x.shape[axis], x.shape[axis] + l + h
        if l == 0 and h == 0:
            continue
        at = mx.arange(count) - l
        if mode == "edge":
            at = mx.clip(at, 0, n - 1)
        elif mode == "wrap":
            at = at % n
        else:
            at = at % _max(2 * (n - 1), 1)
            at = mx.where(at < n, at, 2 * (n - 1) - at)
        x = mx.take(x, at, axis=axis)
    return x


def flip(x, axes):
    for axis in axes:
        x = mx.take(x, mx.arange(x.shape[axis])[::-1], axis=axis)
    return x


def roll(x, shifts, axes):
    for shift, axis in zip(shifts, axes):
        x = mx.roll(x, shift, axis=axis)
    return x


def tile(x, repeats):
    return mx.tile(x, repeats)


def unfold(x, axis, size, step):
    axis = axis % x.ndim
    count = (x.shape[axis] - size) // step + 1
    index = mx.arange(count)[:, None] * step + mx.arange(size)
    return mx.moveaxis(mx.take(x, index, axis=axis), axis + 1, -1)


def as_strided(x, shape, strides, offset=0):
    return mx.as_strided(mx.contiguous(x), shape, strides, offset)


def diagonal(x, offset=0, axis1=0, axis2=1):
    return mx.diagonal(x, offset, axis1, axis2)


def concat(xs, axis=0):
    return mx.concatenate(xs, axis=axis)
