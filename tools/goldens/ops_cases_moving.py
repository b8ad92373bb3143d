"""Cases of create, movement and index."""
import math

import numpy as np
import torch

from nn_ops import Family, Kind, Real, rand

nan, inf = math.nan, math.inf
TO_END = 2 ** 63 - 1


def create():
    f = Family("create")
    for value, shape in ((torch.tensor(2.5), [2, 3]), (torch.tensor(7), []), (torch.tensor(True), [0, 2]),
                         (torch.tensor(1.5).half(), [4])):
        f.add("full", [value], torch.full(shape, value.item(), dtype=value.dtype), shape=shape)
    for rows, columns, offset in ((3, 3, 0), (2, 4, 1), (4, 2, -2), (3, 3, 7), (3, 3, -3), (0, 2, 0)):
        f.add("eye", [], torch.from_numpy(np.eye(rows, columns, offset, dtype=np.float32)), rows=rows, columns=columns,
              offset=offset, dtype=Kind("f32"))
    f.add("eye", [], torch.eye(2, dtype=torch.bool), rows=2, columns=2, dtype=Kind("bool"))
    for start, step, count in ((0, 1, 5), (7, -2, 4), (-3, 5, 1), (2, 3, 0), (0, 0, 3)):
        out = torch.tensor([start + step * i for i in range(count)], dtype=torch.int64)
        f.add("arange", [], out, start=start, step=step, count=count, dtype=Kind("i64"))
        f.add("arange", [], out.float(), start=start, step=step, count=count, dtype=Kind("f32"))
    for start, limit, delta in ((0, 5, 1), (0, 5, 2), (5, 0, -1), (5, 0, 1), (0, 5, -1), (3, 3, 1), (-2, 9, 3), (9, -2, -5)):
        values = [torch.tensor(v) for v in (start, limit, delta)]
        f.add("range", values, torch.tensor(range(start, limit, delta), dtype=torch.int64))
        f.add("range", [v.float() for v in values], torch.tensor(range(start, limit, delta), dtype=torch.float32))
    values = [torch.tensor(v) for v in (0.0, 1.0, 0.3)]
    f.add("range", values, torch.arange(0.0, 1.0, 0.3))
    for start, stop, count in ((0.0, 1.0, 5), (2.0, -1.0, 7), (3.0, 9.0, 1), (0.0, 1.0, 0), (-0.3, 0.7, 2)):
        f.add("linspace", [torch.tensor(start), torch.tensor(stop)], torch.linspace(start, stop, count), count=count)
    for shape in ((3, 4), (2, 4, 3), (1, 1), (0, 3)):
        for offset in (0, 1, -2, 9, -9):
            x = rand(*shape)
            f.add("tri_lower", [x], torch.tril(x, offset), offset=offset)
            f.add("tri_upper", [x], torch.triu(x, offset), offset=offset)
    x = torch.full((2, 2), nan)
    f.add("tri_lower", [x], torch.tril(x))
    f.add("tri_upper", [torch.tensor([[True, True], [True, True]])], torch.tensor([[True, True], [False, True]]))
    return f


def slices(f):
    def case(x, where, symbolic=True):
        axes, starts, stops, steps = zip(*where)
        y = x.numpy()[tuple(next((slice(s, e, k) for a, s, e, k in where if a % x.ndim == i), slice(None)) for i in range(x.ndim))]
        attrs = dict(axes=list(axes), starts=[-2 ** 63 if s is None and k < 0 else s or 0 for s, k in zip(starts, steps)],
                     stops=[e for e in stops])
        for i, (_, s, e, k) in enumerate(where):  # None as exporters write it
            attrs["starts"][i] = (0 if k > 0 else TO_END) if s is None else s
            attrs["stops"][i] = (TO_END if k > 0 else -2 ** 63) if e is None else e
        if any(k != 1 for k in steps):
            attrs["steps"] = list(steps)
        f.add("slice", [x], torch.from_numpy(np.ascontiguousarray(y)), symbolic=symbolic, **attrs)
        update = torch.randn(y.shape).to(x.dtype) if y.ndim else x
        z = x.numpy().copy()
        z[tuple(next((slice(s, e, k) for a, s, e, k in where if a % x.ndim == i), slice(None)) for i in range(x.ndim))] = update.numpy()
        f.add("slice_update", [x, update], torch.from_numpy(z), symbolic=symbolic, **attrs)

    for dtype in (torch.float32, torch.int64, torch.bool, torch.float16):
        x = (rand(4, 5, 3) * 5).to(dtype)
        case(x, [(0, 1, 3, 1)])
        case(x, [(1, -2, None, 1), (-1, 0, 2, 1)])
        case(x, [(1, None, None, -1)])
        case(x, [(0, None, None, -2), (1, 1, None, 2)])
    for where in ([(1, 3, 0, -1)], [(1, -1, -4, -2)], [(1, 4, -99, -3)], [(1, 9, 20, 1)], [(1, 3, 1, 1)], [(1, -99, 99, 1)],
                  [(0, 2, 2, 1)], [(1, 0, 5, 7)], [(1, -1, None, 1)], [(0, 1, -1, 1), (1, 4, 0, -2), (2, 0, 1, 1)]):
        case(x.float(), where, symbolic=False)


def movement():
    f = Family("movement")
    for shape in ([24], [6, 4], [-1, 2], [2, -1, 2, 2], [4, 3, 2], [1, 24, 1]):
        x = rand(2, 3, 4)
        f.add("reshape", [x], x.reshape(shape), shape=shape)
    f.add("reshape", [x], x.reshape(2, 12), shape=[0, -1], zero_copies=True)
    f.add("reshape", [x], x.reshape(2, 3, 2, 2), shape=[0, 0, 2, -1], zero_copies=True)
    f.add("reshape", [torch.zeros(0, 3)], torch.zeros(3, 0), shape=[3, 0])
    f.add("reshape", [torch.zeros(0, 3)], torch.zeros(0), shape=[-1])
    f.add("reshape", [torch.tensor(2.0)], torch.tensor([[2.0]]), shape=[1, -1])
    f.add("reshape", [torch.tensor([2])], torch.tensor(2), shape=[])
    f.add("shape", [x], torch.tensor([2, 3, 4]))
    f.add("shape", [torch.tensor(1.0)], torch.zeros(0, dtype=torch.int64))
    for axes in ([2, 0, 1], [0, 1, 2], [-1, 1, 0]):
        f.add("transpose", [x], x.permute(axes).contiguous(), axes=axes)
    for source, shape in (((3, 1), [2, 3, 4]), ((), [2, 2]), ((2, 1, 4), [2, 3, 4]), ((2, 3), [1, 3]), ((1,), [0]),
                          ((3, 1), [-1, 4])):
        y = torch.randn(source)
        target = np.broadcast_shapes(source, tuple(1 if d == -1 else d for d in shape))
        f.add("broadcast", [y], y.broadcast_to(target).contiguous(), shape=shape, symbolic=1 not in source)
    f.add("expand_dims", [x], x[:, None, :, :, None], axes=[1, 4])
    f.add("expand_dims", [x], x[..., None], axes=[-1])
    f.add("expand_dims", [torch.tensor(1)], torch.tensor([[1]]), axes=[0, 1])
    f.add("squeeze", [x[:1, :, None]], x[0], axes=[0, 2])
    f.add("squeeze", [x[:, :1]], x[:, 0], axes=[-2])
    for axis in (0, 1, -1):
        y = rand(2, 3, 4)
        f.add("concat", [x, y, x], torch.cat([x, y, x], axis), axis=axis, symbolic=False)
    f.add("concat", [torch.zeros(0, 3), rand(2, 3) * 0 + 1], torch.ones(2, 3), axis=0, symbolic=False)
    f.add("concat", [torch.tensor([True]), torch.tensor([False, True])], torch.tensor([True, False, True]), axis=0)
    for sizes, axis in (([1, 2, 0], 1), ([2, 2], -1), ([2], 0)):
        f.add("split", [x], [t.contiguous() for t in x.split(sizes, axis)], sizes=sizes, axis=axis)
    slices(f)

    def pad(x, low, high, mode, value=None):
        arr = x.numpy()
        crop = tuple(slice(max(-a, 0), n - max(-b, 0)) for a, b, n in zip(low, high, arr.shape))
        width = [(max(a, 0), max(b, 0)) for a, b in zip(low, high)]
        if mode == "constant":
            y = np.pad(arr[crop], width, constant_values=0 if value is None else value.item())
        else:
            y = np.pad(arr, width, mode=mode)[tuple(slice(max(-a, 0), None if b >= 0 else b) for a, b in zip(low, high))]
        f.add("pad", [x, value], torch.from_numpy(np.ascontiguousarray(y)), low=low, high=high, mode=mode)

    for dtype in (torch.float32, torch.int64, torch.bool, torch.float16, torch.uint8):
        y = (rand(3, 4).abs() * 5).to(dtype)
        pad(y, [1, 0], [0, 2], "constant")
        pad(y, [0, 1], [2, 1], "constant", torch.tensor(3).to(dtype))
        for mode in ("reflect", "edge", "wrap"):
            pad(y, [1, 2], [2, 0], mode)
    pad(y.float(), [-1, 2], [1, -2], "constant", torch.tensor(-inf))
    pad(y.float(), [7, 0], [9, 8], "reflect")
    pad(y.float(), [7, 0], [9, 8], "wrap")
    pad(y.float(), [-1, 2], [2, -1], "edge")
    pad(torch.ones(2, 0), [1, 1], [0, 2], "constant")
    pad(torch.ones(1, 2), [2, 0], [1, 0], "reflect")
    for axes in ([0], [1, -1], [0, 1, 2], []):
        f.add("flip", [x], x.flip(axes) if axes else x, axes=axes)
    for shifts, axes in (([1], [0]), ([-5, 2], [2, 1]), ([100], [-1]), ([1, 1], [1, 1])):
        f.add("roll", [x], x.roll(shifts, axes), shifts=shifts, axes=axes)
    for repeats in ([2], [1, 2, 3], [2, 1, 1, 2], [0, 1, 1]):
        f.add("tile", [x], torch.from_numpy(np.tile(x.numpy(), repeats)), repeats=repeats)
    for count, axis in ((3, 0), (2, -1), (0, 1)):
        f.add("repeat", [x], x.repeat_interleave(count, axis), count=count, axis=axis)
    for axis, size, step in ((2, 2, 1), (0, 1, 3), (-1, 4, 1), (1, 2, 2)):
        f.add("unfold", [x], x.unfold(axis, size, step).contiguous(), axis=axis, size=size, step=step)
    for shape, strides, offset in (([2, 3], [1, 2], 0), ([4, 4], [0, 5], 2), ([], [], 7), ([0, 2], [1, 1], 0), ([3, 2, 2], [8, 1, 4], 1)):
        f.add("as_strided", [x], x.as_strided(shape, strides, offset).contiguous(), shape=shape, strides=strides, offset=offset)
    for offset, a, b in ((0, 0, 1), (1, 1, 2), (-1, 1, -1), (0, 2, 0), (5, 0, 1), (-1, 2, 0)):
        f.add("diagonal", [x], x.diagonal(offset, a, b).contiguous(), offset=offset, axis1=a, axis2=b)
    return f


def index():
    f = Family("index")
    for dtype in (torch.float32, torch.int64, torch.bool, torch.bfloat16, torch.float64):
        x = (rand(4, 3, 5) * 5).to(dtype)
        for axis in (0, 1, -1):
            at = torch.randint(-3, 3, (2, 2))
            f.add("take", [x, at], torch.from_numpy(np.take(x.double().numpy(), at.numpy(), axis)).to(dtype), axis=axis)
        f.add("take", [x, torch.tensor(-1)], x[-1], axis=0)
    f.add("take", [x, torch.zeros(0, 2, dtype=torch.int64)], torch.zeros(0, 2, 3, 5, dtype=torch.float64), axis=0)
    f.add("take", [torch.tensor(3.0), torch.tensor(0)], torch.tensor(3.0), axis=0)
    x = rand(4, 3)
    for axis, shape in ((0, (2, 3)), (1, (4, 5)), (0, (6, 2)), (1, (2, 1)), (0, (0, 3))):
        at = torch.randint(0, x.shape[axis], shape)
        f.add("take_along", [x, at], x.gather(axis, at), axis=axis, symbolic=False)
    at = torch.randint(0, 4, (4, 3))
    f.add("take_along", [x, at - 4], x.gather(0, at), axis=0)
    f.add("take_along", [torch.tensor(2.0), torch.tensor(0)], torch.tensor(2.0), axis=0)

    from onnx.reference.ops.op_gathernd import _gather_nd_impl
    for shape, at_shape, batch in (((3, 4, 5), (2, 2), 0), ((3, 4, 5), (6, 3), 0), ((3, 4, 5), (3, 2, 1), 1),
                                   ((3, 4, 5), (3, 4, 1), 2), ((3, 4), (2, 3, 1), 0)):
        x = rand(*shape)
        limits = shape[batch:batch + at_shape[-1]]
        at = torch.stack([torch.randint(0, n, at_shape[:-1]) for n in limits], -1)
        y = torch.from_numpy(np.ascontiguousarray(_gather_nd_impl(x.numpy(), at.numpy(), batch)[0]))
        f.add("gather_nd", [x, at], y, batch_dims=batch, symbolic=batch == 0)
        f.add("gather_nd", [x, at - torch.tensor(limits)], y, batch_dims=batch, symbolic=batch == 0)

    x = rand(3, 4, 5, 2)
    i, j = torch.tensor([[0, -1, 2]]), torch.tensor([[1], [3]])
    for axes, indices in (([0], [i]), ([1], [j]), ([0, 1], [i, j]), ([1, 2], [i, j]), ([0, 2], [i, j]), ([1, 3], [i, i * 0]),
                          ([0, 1, 2, 3], [i, j, i * 0, j * 0])):
        where = [slice(None)] * 4
        for a, v in zip(axes, indices):
            where[a] = v
        y = x[tuple(where)]
        f.add("index", [x, *indices], y.contiguous(), axes=axes)
        for values in (rand(*y.shape), torch.tensor(9.0)):
            z = x.clone()
            z[tuple(where)] = values
            if len(axes) != 1 or values.ndim == 0:  # of repeated places any may win in torch
                f.add("index_put", [x, values, *indices], z, axes=axes)
        places = tuple(v if isinstance(v, torch.Tensor) else None for v in where)
        z = x.clone().double()
        v = rand(*y.shape)
        f.add("index_put", [x, v, *indices], torch.ops.aten.index_put(z, places, v.double(), True).float(), axes=axes, accumulate=True)
    k = torch.tensor([0, 0, 1, 0])
    x = torch.zeros(2, 2)
    v = torch.tensor([[1.0, 2], [3, 4], [5, 6], [7, 8]])
    f.add("index_put", [x, v, k], torch.tensor([[11.0, 14], [5, 6]]), axes=[0], accumulate=True)
    f.add("index_put", [x, v, k], torch.tensor([[7.0, 8], [5, 6]]), axes=[0])
    f.add("index_put", [x > 1, torch.tensor(True), torch.tensor([1])], torch.tensor([[False, False], [True, True]]), axes=[0])

    for dtype in (torch.float32, torch.float16, torch.int64):
        for axis in (0, -1):
            x, at = (rand(3, 4, 2) * 5).to(dtype), torch.randint(0, 2, (2, 3, 2))
            updates = (rand(3, 4, 2) * 5).to(dtype)
            for how, ours in (("sum", "add"), ("prod", "mul"), ("amax", "max"), ("amin", "min"), ("mean", "mean")):
                wide = torch.float64 if dtype.is_floating_point else dtype
                y = x.to(wide).scatter_reduce(axis % 3, at, updates.to(wide), how).to(dtype)
                f.add("scatter", [x, at, updates], y, axis=axis, reduction=ours)
    x, at = rand(3, 4), torch.tensor([[0, 2, 1, 1], [1, 0, 2, 0]])
    f.add("scatter", [x, at, rand(2, 4) * 0 + 7], x.scatter(0, at, 7.0), axis=0)
    f.add("scatter", [x, at - 3, rand(2, 4) * 0 + 7], x.scatter(0, at, 7.0), axis=0)
    f.add("scatter", [x, at[:, :0], x], x, axis=0)
    f.add("scatter", [torch.tensor(1.0), torch.tensor(0), torch.tensor(4.0)], torch.tensor(4.0), axis=0)
    x, at, u = torch.tensor([1.0, nan, 3.0, 4.0]), torch.tensor([0, 1, 2, 2]), torch.tensor([nan, 1.0, nan, 9.0])
    for how, ours in (("amax", "max"), ("amin", "min")):
        f.add("scatter", [x, at, u], x.scatter_reduce(0, at, u, how), axis=0, reduction=ours)

    from onnx.reference.ops.op_scatternd import _scatter_nd_impl
    for dtype in (torch.float32, torch.int64):
        for shape, at in (((4, 3), [[0], [2], [0]]), ((4, 3), [[[0, 1]], [[3, -1]]]), ((4, 3, 2), [[1, 2], [3, 0]])):
            at = torch.tensor(at)
            x = (rand(*shape) * 5).to(dtype)
            u = (rand(*at.shape[:-1], *shape[at.shape[-1]:]) * 5).to(dtype)
            for how in ("none", "add", "mul", "max", "min"):
                y = _scatter_nd_impl(x.numpy(), at.numpy(), u.numpy(), how)
                f.add("scatter_nd", [x, at, u], torch.from_numpy(np.ascontiguousarray(y)), reduction=how)
    x, mask = rand(3, 4), rand(3, 4) > 0
    source = torch.arange(12.0)
    f.add("masked_scatter", [x, mask, source], x.masked_scatter(mask, source))
    f.add("masked_scatter", [x, mask[:1], source], x.masked_scatter(mask[:1], source))
    f.add("masked_scatter", [x, mask & False, source[:0]], x)

    for x in (torch.tensor([[1.0, 0.0, nan], [0.0, 0.0, -2.0]]), torch.tensor([True, False]), torch.zeros(0, 3), torch.zeros(2, 2),
              torch.tensor([[[0, 3]], [[4, 0]]])):
        f.add("nonzero", [x], x.nonzero())
    f.add("nonzero", [torch.tensor(3.0)], torch.zeros(1, 0, dtype=torch.int64))
    f.add("nonzero", [torch.tensor(0.0)], torch.zeros(0, 0, dtype=torch.int64))

    def unique(x, axis=None, ordered=True):
        values, first, inverse, counts = np.unique(x.numpy(), return_index=True, return_inverse=True, return_counts=True, axis=axis)
        inverse = inverse.reshape(-1)
        if not ordered:
            order = np.argsort(first)
            back = np.argsort(order)
            values, first, counts, inverse = np.take(values, order, axis or 0), first[order], counts[order], back[inverse]
        outs = [torch.from_numpy(np.ascontiguousarray(v)) for v in (values, first, inverse, counts)]
        f.add("unique", [x], outs, axis=axis or 0, flat=axis is None, sorted=ordered)

    for dtype in (torch.float32, torch.int64, torch.bool):
        x = torch.randint(0, 3, (3, 3)).to(dtype)
        unique(x)
        unique(x, ordered=False)
        unique(torch.cat([x, x]), 0)
        unique(torch.cat([x, x], 1), 1)
        unique(torch.cat([x, x]), 0, False)
    unique(torch.zeros(0))
    unique(torch.tensor(5))
    unique(torch.tensor([2 ** 53 + 1, 2 ** 53, 2 ** 53 + 1]))

    for dtype in (torch.float32, torch.int64, torch.uint8, torch.float16, torch.float64):
        x = torch.randint(0, 9, (2, 20)).to(dtype)
        for axis in (0, 1):
            for descending in (False, True):
                values, at = torch.sort(x, dim=axis, descending=descending, stable=True)
                f.add("sort", [x], [values, at], axis=axis, descending=descending)
                f.add("topk", [x], [values.narrow(axis, 0, 1).contiguous(), at.narrow(axis, 0, 1).contiguous()], k=1, axis=axis, largest=descending)
    x = torch.tensor([2.0, nan, 1.0, -inf, inf, nan, 0.0])
    for descending in (False, True):
        values, at = torch.sort(x, descending=descending, stable=True)
        f.add("sort", [x], [values, at], axis=-1, descending=descending)
        f.add("topk", [x], [values[:4], at[:4]], k=4, axis=-1, largest=descending)
    f.add("sort", [torch.tensor(1.0)], [torch.tensor(1.0), torch.tensor(0)], axis=0)
    f.add("sort", [torch.zeros(0, 2)], [torch.zeros(0, 2), torch.zeros(0, 2, dtype=torch.int64)], axis=0)
    f.add("sort", [torch.tensor([True, False, True])], [torch.tensor([False, True, True]), torch.tensor([1, 0, 2])], axis=0)
    f.add("topk", [torch.zeros(3, 2)], [torch.zeros(0, 2), torch.zeros(0, 2, dtype=torch.int64)], k=0, axis=0)
    f.add("topk", [torch.tensor(1.0)], [torch.tensor(1.0), torch.tensor(0)], k=1, axis=0)
    s, v = torch.tensor([1.0, 2, 2, 3]), torch.tensor([[0.0, 2.0], [2.5, 9.0]])
    for right in (False, True):
        f.add("searchsorted", [s, v], torch.searchsorted(s, v, right=right), right=right)
        many = torch.stack([s, s + 1])
        f.add("searchsorted", [many, v], torch.searchsorted(many, v, right=right), right=right)
        f.add("searchsorted", [s.long(), v.long()], torch.searchsorted(s.long(), v.long(), right=right), right=right)
    return f


FAMILIES = [create, movement, index]
