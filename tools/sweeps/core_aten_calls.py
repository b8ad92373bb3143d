"""Calls of the Core ATen sweep for operators that no sample of PyTorch's own tests reaches."""
import torch


def extra_calls():
    """Operators that no sample reaches."""
    r = torch.randn
    yield "aten.sym_size.int", (r(3, 4), 1), {}
    yield "aten.sym_numel.default", (r(3, 4),), {}
    yield "aten.sym_stride.int", (r(3, 4), 0), {}
    yield "aten.sym_storage_offset.default", (r(3, 4),), {}
    for shape in ([2, 3], [], [0, 3], [4], [2, 1, 2], [5, 5], [1], [3, 2, 4]):
        for dtype in (torch.float32, torch.float16):
            yield "aten.full.default", (shape, 1.5), {"dtype": dtype}
            yield "aten.empty.memory_format", (shape,), {"dtype": dtype}
            yield "aten.rand.default", (shape,), {"dtype": dtype}
            yield "aten.randn.default", (shape,), {"dtype": dtype}
        yield "aten.empty_strided.default", (shape, list(torch.empty(shape).stride())), {}
        yield "aten.native_dropout.default", (r(shape), 0.5, False), {}
        yield "aten.resize_.default", (r(shape), shape), {}
        yield "aten._to_copy.default", (r(shape),), {"dtype": torch.float16}
        yield "aten._to_copy.default", (r(shape) * 3,), {"dtype": torch.int64}
        yield "aten.fill.Scalar", (r(shape), 2.5), {}
        yield "aten.fill.Tensor", (r(shape), torch.tensor(2.5)), {}
        yield "aten.copy.default", (r(shape), r(())), {}
        yield "aten.alias.default", (r(shape),), {}
        yield "aten.bitwise_not.default", (torch.randint(-9, 9, shape),), {}
        for op in ("_adaptive_avg_pool2d", "_adaptive_avg_pool3d"):
            n = int(op[-2])
            yield f"aten.{op}.default", (r([2, 3] + [len(shape) + 4] * n), [2] * n), {}
    for shape in ([2, 3], [], [0, 3], [4], [2, 1, 2], [5, 5], [1], [3, 2, 4]):
        ints = torch.randint(-9, 9, shape)
        for op in ("and", "or", "xor"):
            yield f"aten.bitwise_{op}.Scalar", (ints, 6), {}
        yield "aten.fmod.Scalar", (r(shape) * 5, 1.5), {}
        yield "aten.div.Scalar_mode", (r(shape) * 5, 1.5), {"rounding_mode": "floor" if len(shape) % 2 else "trunc"}
        yield "aten.atan2.out", (r(shape), r(shape)), {"out": torch.empty(shape)}
        for op in ("ceil", "floor", "round", "trunc"):
            yield f"aten.{op}.default", (r(shape) * 5,), {}
        yield "aten.resize_.default", (r(shape), shape), {}
        yield "aten.sym_is_contiguous.default", (r(shape),), {}
        yield "aten.sym_numel.default", (r(shape),), {}
        yield "aten.sym_storage_offset.default", (r(shape),), {}
        if shape:
            yield "aten.sym_size.int", (r(shape), -1), {}
            yield "aten.sym_size.int", (r(shape), 0), {}
            yield "aten.sym_stride.int", (r(shape), 0), {}
            yield "aten.sym_stride.int", (r(shape), -1), {}
            if 0 not in shape:
                yield "aten.var.dim", (r(shape), [0], False, True), {}
                yield "aten.var.dim", (r(shape), [-1], True), {}
    for size in (5, 8, 13, 4):
        for n in (2, 3):
            yield "aten.adaptive_avg_pool1d.default", (r(2, 3, size), [n]), {}
            yield "aten.avg_pool1d.default", (r(2, 3, size), [n], [2], [n // 2], n == 2, n == 3), {}
        for factors in (([size + 3, 2 * size], None), (None, [1.5, 2.0])):
            x = r(2, 3, size, size - 1)
            yield "aten.upsample_nearest2d.vec", (x, *factors), {}
            for align in (False, True):
                yield "aten.upsample_bilinear2d.vec", (x, factors[0], align, factors[1]), {}
    for shape in ((2, 3, 4), (4, 3), (1, 3, 2, 5), (2, 3, 2, 2, 2)):
        for dtype in (torch.float32, torch.float16):
            x, p = r(shape).to(dtype), [r(3).to(dtype), r(3).to(dtype), r(3).to(dtype), torch.rand(3).to(dtype) + 0.5]
            yield "aten._native_batch_norm_legit_no_training.default", (x, *p, 0.1, 1e-5), {}
        yield "aten._native_batch_norm_legit.no_stats", (r(shape), r(3), r(3), True, 0.1, 1e-5), {}
    for n in (2, 3, 4, 9):
        yield "aten.randperm.default", (n,), {}
    for n in (0, 1, 5, 17):
        yield "aten.randperm.default", (n,), {}
        yield "aten.arange.start_step", (0, n, 1), {}
        yield "aten.arange.start_step", (0.5, n + 1, 0.25), {}
        yield "aten.scalar_tensor.default", (n,), {"dtype": torch.float32}
        yield "aten.scalar_tensor.default", (n + 0.5,), {}
    for size in ((4, 6), (7, 7), (5, 8), (9, 4)):
        for out in ((2, 3), (1, 1), (3, 2)):
            x = r(2, 3, *size)
            yield "aten._adaptive_avg_pool2d_backward.default", (r(2, 3, *out), x), {}
    for groups in (1, 2, 3):
        for shape in ((2, 6, 4), (1, 6, 3, 3), (3, 6)):
            x = r(shape)
            hxw = x[0, 0].numel()
            g = [6, hxw, groups, 1e-5]
            out, mean, rstd = torch.ops.aten.native_group_norm(x, r(6), r(6), shape[0], *g)
            yield "aten.native_group_norm_backward.default", (r(shape), x, mean, rstd, r(6), shape[0], 6, hxw, groups, [True] * 3), {}
    for shape in ([4, 3], [12], [2, 2, 3], [3, 4]):
        for old in ([2, 6], [3, 4], [12]):
            yield "aten.resize_.default", (r(old), shape), {}
    for shape, size, stride, offset in (((4, 6), [2, 3], [6, 2], 1), ((20,), [3, 4], [4, 1], 2), ((3, 4, 5), [5, 3], [1, 20], 0),
                                        ((9,), [7, 3], [1, 1], 0), ((2, 2), [2, 2], [1, 2], 0), ((5,), [3], [2], 0)):
        yield "aten.as_strided.default", (r(shape), size, stride, offset), {}
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for shape in ((3, 7), (2, 5, 6), (11,), (4, 1, 8)):
            x = torch.randperm(torch.Size(shape).numel()).reshape(shape).to(dtype)
            yield "aten.topk.default", (x, 3, -1, len(shape) % 2 == 0), {}
            yield "aten.native_layer_norm.default", (r(shape).to(dtype), [shape[-1]], r(shape[-1]).to(dtype), r(shape[-1]).to(dtype), 1e-5), {}
    for shape in ((2, 3, 4), (5, 4), (4,)):
        for flags in ([True] * 3, [True, False, False], [True, True, False]):
            x = r(shape)
            out, mean, rstd = torch.ops.aten.native_layer_norm(x, [4], r(4), r(4), 1e-5)
            yield "aten.native_layer_norm_backward.default", (r(shape), x, [4], mean, rstd, r(4), r(4), flags), {}
    for k, s, p in ((2, 2, 0), (3, 1, 1), (3, 2, 1), (2, 1, 0)):
        for include in (True, False):
            x = r(2, 3, 7, 6)
            y = torch.nn.functional.avg_pool2d(x, k, s, p, count_include_pad=include)
            yield "aten.avg_pool2d_backward.default", (r(y.shape), x, [k, k], [s, s], [p, p], False, include, None), {}
        y, at = torch.ops.aten.max_pool2d_with_indices(x, [k, k], [s, s], [p, p])
        yield "aten.max_pool2d_with_indices_backward.default", (r(y.shape), x, [k, k], [s, s], [p, p], [1, 1], False, at), {}
        y, at = torch.ops.aten.max_pool2d_with_indices(x[:1], [k, k], [s, s], [p, p])
        yield "aten.max_pool2d_with_indices_backward.default", (r(y.shape), x[:1], [k, k], [s, s], [p, p], [1, 1], False, at), {}
    for n in (1, 2):
        for groups, s, p, d in ((1, 1, 0, 1), (2, 2, 1, 1), (1, 2, 1, 2), (2, 1, 2, 1), (1, 3, 0, 1)):
            x, w = r([2, 4] + [9] * n), r([6, 4 // groups] + [3] * n)
            y = torch.ops.aten.convolution(x, w, None, [s] * n, [p] * n, [d] * n, False, [0] * n, groups)
            yield "aten.convolution_backward.default", (r(y.shape), x, w, [6], [s] * n, [p] * n, [d] * n, False, [0] * n, groups, [True] * 3), {}
    for shape in ((3,), (2, 4), (0,), (1, 1, 5)):
        for pad in (-1, 2):
            at = torch.randint(0, 6, shape)
            yield "aten.embedding_dense_backward.default", (r(*shape, 4), at, 6, pad, False), {}
    for mode in (0, 1, 2):
        for last in (False, True):
            for weights in ((None, r(7)) if mode == 0 else (None,)):
                offsets = torch.tensor([0, 2, 5] + ([7] if last else []))
                yield "aten._embedding_bag.default", (r(6, 3), torch.tensor([1, 2, 4, 5, 0, 3, 2]), offsets, False, mode, False, weights, last), {}
