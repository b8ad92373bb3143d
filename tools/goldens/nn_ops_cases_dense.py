"""Cases of conv, pool, norm, attention and recurrent."""
import math

import torch
import torch.nn.functional as F

from nn_ops import Family, Real, onnx_run, rand

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_T = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def conv():
    f = Family("conv")

    def case(x, w, b, stride, low, high, dilation, groups=1):
        n = x.ndim - 2
        pads = [p for i in reversed(range(n)) for p in (low[i], high[i])]
        y = CONV[n](F.pad(x.float(), pads), w.float(), None if b is None else b.float(), stride, 0, dilation, groups)
        f.add("conv", [x, w, b], y.to(x.dtype), stride=stride, low=low, high=high, dilation=dilation, groups=groups)

    case(rand(2, 3, 11), rand(4, 3, 3), rand(4), [1], [1], [1], [1])
    case(rand(1, 4, 16), rand(6, 2, 5), None, [3], [0], [2], [2], 2)
    case(rand(2, 5, 9), rand(5, 1, 4), rand(5), [2], [3], [0], [1], 5)
    case(rand(1, 3, 9, 8), rand(4, 3, 3, 3), rand(4), [1, 1], [1, 1], [1, 1], [1, 1])
    case(rand(2, 3, 9, 8), rand(4, 3, 1, 1), rand(4), [1, 1], [0, 0], [0, 0], [1, 1])
    case(rand(2, 3, 9, 8), rand(4, 3, 1, 1), None, [2, 2], [0, 0], [0, 0], [1, 1])
    case(rand(2, 4, 10, 7), rand(6, 2, 3, 2), rand(6), [2, 1], [0, 1], [1, 2], [2, 1], 2)
    case(rand(1, 6, 8, 8), rand(12, 1, 3, 3), rand(12), [1, 2], [1, 1], [1, 1], [1, 1], 6)
    case(rand(1, 2, 5, 6), rand(3, 2, 5, 6), None, [1, 1], [0, 0], [0, 0], [1, 1])
    case(rand(1, 2, 6, 5, 4), rand(3, 2, 3, 2, 2), rand(3), [1, 2, 1], [1, 0, 1], [0, 1, 1], [1, 1, 2])
    case(rand(2, 4, 4, 5, 4), rand(4, 2, 2, 2, 2), rand(4), [1, 1, 1], [0, 0, 0], [0, 0, 0], [1, 1, 1], 2)
    case(rand(0, 3, 9), rand(4, 3, 3), rand(4), [1], [0], [0], [1])
    case(rand(1, 3, 12), rand(4, 3, 3), None, [1], [-1], [-2], [1])
    for dtype in (torch.float16, torch.bfloat16):
        case(rand(1, 16, 6, 6, dtype=dtype), rand(4, 16, 3, 3, dtype=dtype), rand(4, dtype=dtype), [1, 1], [1, 1],
             [1, 1], [1, 1])
    x, w = torch.rand(1, 3, 5, 5).double(), torch.rand(2, 3, 3, 3).double()
    f.add("conv", [x, w], F.conv2d(x, w), stride=[1, 1], low=[0, 0], high=[0, 0], dilation=[1, 1])
    x, w = torch.randint(-255, 256, (1, 40, 6, 6)), torch.randint(-128, 128, (2, 40, 3, 3))
    y = F.conv2d(x.double(), w.double()).to(torch.int32)
    f.add("conv", [x.int(), w.int()], y, stride=[1, 1], low=[0, 0], high=[0, 0], dilation=[1, 1])

    def transpose(x, w, b, stride, pad, extra, dilation, groups=1):
        y = CONV_T[x.ndim - 2](x.float(), w.float(), None if b is None else b.float(), stride, pad, extra, groups,
                               dilation)
        f.add("conv_transpose", [x, w, b], y.to(x.dtype), stride=stride, low=pad, high=pad, output_padding=extra,
              dilation=dilation, groups=groups)

    transpose(rand(2, 3, 7), rand(3, 4, 4), rand(4), [2], [1], [0], [1])
    transpose(rand(1, 3, 7), rand(3, 4, 5), None, [3], [0], [2], [2])
    transpose(rand(1, 4, 5), rand(4, 1, 3), rand(4), [2], [1], [1], [1], 4)
    transpose(rand(2, 3, 4, 5), rand(3, 2, 2, 2), rand(2), [2, 2], [0, 0], [0, 0], [1, 1])
    transpose(rand(1, 4, 4, 5), rand(4, 3, 3, 4), rand(6), [2, 3], [1, 0], [1, 2], [1, 2], 2)
    transpose(rand(1, 3, 6, 5), rand(3, 2, 3, 3), None, [1, 1], [1, 1], [0, 0], [1, 1])
    transpose(rand(1, 2, 3, 4, 3), rand(2, 3, 2, 3, 2), rand(3), [2, 1, 2], [0, 1, 0], [1, 0, 0], [1, 1, 1])
    transpose(rand(1, 4, 3, 3, 3), rand(4, 2, 2, 2, 2), rand(4), [2, 2, 2], [0, 0, 0], [0, 0, 0], [1, 1, 1], 2)
    transpose(rand(1, 8, 5, dtype=torch.float16), rand(8, 4, 4, dtype=torch.float16), None, [2], [1], [0], [1])
    x, w = rand(1, 2, 4, 4), rand(2, 3, 3, 3)
    y = onnx_run("ConvTranspose", [x, w], strides=[2, 2], pads=[0, 1, 2, 1])[0]
    f.add("conv_transpose", [x, w], y, stride=[2, 2], low=[0, 1], high=[2, 1], output_padding=[0, 0], dilation=[1, 1])

    for size, kernel, stride, pad, dilation in [((6, 7), (2, 3), (1, 2), (0, 1), (1, 1)), ((9, 8), (3, 2), (2, 1), (1, 0), (2, 3)),
                                                ((8, 8), (4, 4), (4, 4), (0, 0), (1, 1))]:
        columns = F.unfold(rand(2, 3, *size), kernel, dilation, pad, stride)
        y = F.fold(columns, size, kernel, dilation, pad, stride)
        f.add("fold", [columns], y, output_size=size, kernel=kernel, stride=stride, low=pad, high=pad,
              dilation=dilation)

    def deform(x, offset, w, mask, b, stride, pad, dilation, groups, offset_groups):
        y = onnx_run("DeformConv", [x, w, offset, b, mask], strides=stride, pads=pad + pad, dilations=dilation,
                     group=groups, offset_group=offset_groups)[0]
        f.add("deform_conv", [x, offset, w, mask, b], y, stride=stride, low=pad, high=pad, dilation=dilation,
              groups=groups, offset_groups=offset_groups)

    deform(rand(1, 4, 6, 5), rand(1, 18, 6, 5), rand(2, 4, 3, 3), None, rand(2), [1, 1], [1, 1], [1, 1], 1, 1)
    deform(rand(2, 4, 7, 6), rand(2, 16, 3, 3) * 3, rand(4, 2, 2, 2), torch.rand(2, 8, 3, 3), None, [2, 2], [0, 1],
           [2, 2], 2, 2)
    return f


def pool():
    f = Family("pool")
    MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
    AVG = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
    geometries = [((2, 3, 9), [3], [2], [1], [1]), ((1, 2, 10, 7), [2, 3], [2, 2], [0, 1], [1, 1]),
                  ((1, 2, 7, 8), [3, 2], [2, 3], [1, 1], [2, 1]), ((1, 2, 5, 6, 7), [2, 3, 2], [2, 2, 1], [1, 0, 1], [1, 1, 1]),
                  ((1, 1, 5, 5), [2, 2], [3, 3], [0, 0], [1, 1]), ((1, 1, 6, 6), [3, 3], [3, 3], [1, 1], [1, 1])]
    for shape, kernel, stride, pad, dilation in geometries:
        for ceil in (False, True):
            x = rand(*shape)
            frame = dict(kernel=kernel, stride=stride, low=pad, high=pad, dilation=dilation, ceil_mode=ceil)
            values, where = MAX[len(kernel)](x, kernel, stride, pad, dilation, ceil, return_indices=True)
            f.add("max_pool", [x], values, **frame)
            f.add("max_pool_indices", [x], [values, where], **frame)
            if dilation == [1] * len(kernel):
                for counted in (False, True):
                    y = AVG[len(kernel)](x, kernel, stride, pad, ceil, counted)
                    f.add("avg_pool", [x], y, **frame, count_padding=counted)
    x = rand(1, 2, 6, 6)
    frame = dict(kernel=[2, 2], stride=[2, 2], low=[0, 0], high=[0, 0], dilation=[1, 1])
    f.add("avg_pool", [x], F.avg_pool2d(x, 2, divisor_override=3), **frame, divisor=3)
    for n, kernel, stride, dilation in (((2, 2, 31), 17, 1, 2), ((1, 1, 60), 20, 3, 1), ((1, 2, 2), 1, 3, 2)):
        x, pad = rand(*n), kernel // 6
        values, where = F.max_pool1d(x, kernel, stride, pad, dilation, return_indices=True)
        frame = dict(kernel=[kernel], stride=[stride], low=[pad], high=[pad], dilation=[dilation])
        f.add("max_pool", [x], values, **frame)
        f.add("max_pool_indices", [x], [values, where], **frame)
        if dilation == 1:
            f.add("avg_pool", [x], F.avg_pool1d(x, kernel, stride, pad), **frame, count_padding=True)
    x = rand(2, 2, 5, 1)  # windows that hold nothing but pads
    values, where = F.max_pool2d(x, 2, [2, 4], 1, 2, return_indices=True)
    f.add("max_pool_indices", [x], [values, where], kernel=[2, 2], stride=[2, 4], low=[1, 1], high=[1, 1],
          dilation=[2, 2])
    frame = dict(kernel=[2, 2], stride=[2, 2], low=[0, 0], high=[0, 0], dilation=[1, 1])
    x = torch.randint(-100, 100, (1, 1, 6, 6))
    f.add("max_pool", [x.to(torch.int8)], F.max_pool2d(x.float(), 2).to(torch.int8), **frame)
    values, where = F.max_pool2d(torch.full((1, 1, 4, 4), 2.0), 2, return_indices=True)
    f.add("max_pool_indices", [torch.full((1, 1, 4, 4), 2.0)], [values, where], **frame)
    x = rand(1, 2, 6, 6)
    x[0, 0, 1, 1] = float("nan")
    f.add("max_pool", [x], F.max_pool2d(x, 2), **frame)
    for dtype in (torch.float16, torch.bfloat16):
        x = rand(1, 2, 12, 12, dtype=dtype)
        whole = dict(kernel=[6, 6], stride=[3, 3], low=[0, 0], high=[0, 0], dilation=[1, 1])
        f.add("avg_pool", [x], F.avg_pool2d(x.float(), 6, 3).to(dtype), **whole)
        f.add("max_pool", [x], F.max_pool2d(x, 6, 3), **whole)
        f.add("adaptive_avg_pool", [x], F.adaptive_avg_pool2d(x.float(), 5).to(dtype), size=[5, 5])
    for order in (1.0, 2.0, 3.0):
        x = rand(1, 2, 6, 7)
        y = onnx_run("LpPool", [x], kernel_shape=[2, 3], strides=[2, 1], pads=[1, 0, 1, 0], p=int(order))[0]
        f.add("lp_pool", [x], y, kernel=[2, 3], stride=[2, 1], low=[1, 0], high=[1, 0], dilation=[1, 1],
              order=Real(order))
    x = rand(1, 1, 9, 9)
    y = onnx_run("AveragePool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 2, 1], dilations=[2, 1],
                 count_include_pad=1)[0]
    f.add("avg_pool", [x], y, kernel=[3, 3], stride=[2, 2], low=[0, 1], high=[2, 1], dilation=[2, 1],
          count_padding=True)
    for shape, size in [((2, 3, 10), [4]), ((1, 2, 12, 8), [3, 4]), ((1, 2, 7, 5), [3, 7]), ((1, 2, 7, 7), [1, 1]),
                        ((1, 2, 5, 6, 7), [2, 6, 3])]:
        x = rand(*shape)
        avg = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}[len(size)]
        best = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}[len(size)]
        f.add("adaptive_avg_pool", [x], avg(x, size), size=size)
        f.add("adaptive_max_pool", [x], best(x, size, return_indices=True), size=size)
    return f


def norm():
    f = Family("norm")
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        x, w, b = rand(2, 6, 10, dtype=dtype), rand(10, dtype=dtype), rand(10, dtype=dtype)
        f.add("layer_norm", [x, w, b], F.layer_norm(x, [10], w, b), axes_count=1, eps=1e-5)
        f.add("rms_norm", [x, w], F.rms_norm(x, [10], w, 1e-6), axes_count=1, eps=1e-6)
        w, b = rand(6, dtype=dtype), rand(6, dtype=dtype)
        f.add("group_norm", [x, w, b], F.group_norm(x, 3, w, b), groups=3, eps=1e-5)
        mean, variance = rand(6, dtype=dtype), rand(6, dtype=dtype).abs()
        f.add("batch_norm", [x, w, b, mean, variance], F.batch_norm(x, mean, variance, w, b), eps=1e-5)
    x = rand(2, 6, 10) + 1000  # a variance from squares would lose every digit here
    f.add("layer_norm", [x, None, None], F.layer_norm(x.double(), [10]).float(), tolerance=1e-4, axes_count=1, eps=1e-5)
    x, w, b = rand(2, 3, 4, 5), rand(4, 5), rand(4, 5)
    f.add("layer_norm", [x, w, b], F.layer_norm(x, [4, 5], w, b), axes_count=2, eps=1e-5)
    f.add("layer_norm", [x, w], F.layer_norm(x, [4, 5], w, eps=1e-3), axes_count=2, eps=1e-3)
    f.add("rms_norm", [x], F.rms_norm(x, [3, 4, 5], None, 1e-6), axes_count=3, eps=1e-6)
    f.add("group_norm", [x], F.group_norm(x, 1), groups=1, eps=1e-5)
    f.add("group_norm", [x], F.instance_norm(x), groups=3, eps=1e-5)
    x, mean, variance = rand(4, 3), rand(3), rand(3).abs()
    f.add("batch_norm", [x, None, None, mean, variance], F.batch_norm(x, mean, variance), eps=1e-5)
    for size in (3, 5):
        x = rand(1, 7, 3, 2)
        y = onnx_run("LRN", [x], size=size, alpha=0.2, beta=0.6, bias=1.5)[0]
        f.add("local_response_norm", [x], y, size=size, alpha=0.2, beta=0.6, bias=1.5)
    return f


def attention():
    f = Family("attention")

    def case(q, k, v, mask, causal=False, scale=None):
        wide = lambda t: t if t is None or t.dtype == torch.bool else t.float()
        scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
        y = F.scaled_dot_product_attention(wide(q), wide(k), wide(v), wide(mask), is_causal=causal and mask is None,
                                           scale=scale, enable_gqa=q.shape[1] != k.shape[1]).to(q.dtype)
        f.add("attention", [q, k, v, mask], y, scale=Real(scale), causal=causal)

    case(rand(2, 3, 5, 8), rand(2, 3, 5, 8), rand(2, 3, 5, 8), None)
    case(rand(2, 3, 4, 8), rand(2, 3, 7, 8), rand(2, 3, 7, 6), None, scale=0.3)
    case(rand(1, 2, 5, 8), rand(1, 2, 5, 8), rand(1, 2, 5, 8), None, causal=True)
    case(rand(1, 2, 3, 8), rand(1, 2, 6, 8), rand(1, 2, 6, 8), None, causal=True)
    case(rand(1, 6, 4, 8), rand(1, 2, 5, 8), rand(1, 2, 5, 8), None)
    case(rand(2, 4, 4, 8), rand(2, 2, 5, 8), rand(2, 2, 5, 8), rand(2, 4, 4, 5))
    case(rand(2, 4, 4, 8), rand(2, 2, 5, 8), rand(2, 2, 5, 8), rand(4, 5))
    keep = torch.rand(2, 1, 4, 5) > 0.4
    keep[0, 0, 1] = False  # a query that sees nothing
    case(rand(2, 3, 4, 8), rand(2, 3, 5, 8), rand(2, 3, 5, 8), keep)
    minus = torch.zeros(1, 1, 4, 5)
    minus[..., 2, :] = float("-inf")
    minus[..., 0, 3:] = float("-inf")
    case(rand(1, 3, 4, 8), rand(1, 3, 5, 8), rand(1, 3, 5, 8), minus)
    for dtype in (torch.float16, torch.bfloat16):
        case(rand(1, 2, 5, 16, dtype=dtype), rand(1, 2, 9, 16, dtype=dtype), rand(1, 2, 9, 16, dtype=dtype),
             rand(5, 9, dtype=dtype))
    q, k, v = rand(1, 2, 4, 8), rand(1, 2, 4, 8), rand(1, 2, 4, 8)
    keep = torch.rand(4, 4) > 0.3
    y = F.scaled_dot_product_attention(q, k, v, keep & torch.ones(4, 4).tril().bool(), scale=0.5)
    f.add("attention", [q, k, v, keep], y, scale=0.5, causal=True)

    x = rand(2, 3, 5, 8)
    angle = torch.rand(5, 4) * 3
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., :4], x[..., 4:]
    y = torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
    f.add("rope", [x, cos, sin], y)
    f.add("rope", [x, torch.cat([cos, cos], -1), torch.cat([sin, sin], -1)], y)
    a, b = x[..., 0::2], x[..., 1::2]
    y = torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2)
    f.add("rope", [x, cos, sin], y, interleaved=True)
    f.add("rope", [x, cos.repeat_interleave(2, -1), sin.repeat_interleave(2, -1)], y, interleaved=True)
    return f


def recurrent():
    f = Family("recurrent")
    T, B, I, H = 6, 3, 4, 5
    for dtype in (torch.float32, torch.float16):
        m = torch.nn.LSTM(I, H)
        x, h, c = rand(T, B, I), rand(B, H), rand(B, H)
        y, (hn, cn) = m(x, (h[None], c[None]))
        p = {k: v.detach() for k, v in m.named_parameters()}
        ins = [x, h, c, p["weight_ih_l0"], p["weight_hh_l0"], p["bias_ih_l0"] + p["bias_hh_l0"]]
        f.add("lstm", [t.to(dtype) for t in ins], [t.to(dtype) for t in (y, hn[0], cn[0])],
              tolerance=1e-5 if dtype == torch.float32 else 4e-3)
    m = torch.nn.GRU(I, H)
    x, h = rand(T, B, I), rand(B, H)
    y, hn = m(x, h[None])
    p = {k: v.detach() for k, v in m.named_parameters()}
    f.add("gru", [x, h, p["weight_ih_l0"], p["weight_hh_l0"], p["bias_ih_l0"], p["bias_hh_l0"]], [y, hn[0]])
    for kind in ("tanh", "relu"):
        m = torch.nn.RNN(I, H, nonlinearity=kind)
        y, hn = m(x, h[None])
        p = {k: v.detach() for k, v in m.named_parameters()}
        f.add("rnn", [x, h, p["weight_ih_l0"], p["weight_hh_l0"], p["bias_ih_l0"] + p["bias_hh_l0"]], [y, hn[0]],
              activation=kind)

    lengths = torch.tensor([6, 2, 4], dtype=torch.int32)

    def gates(w, order):  # rows of ONNX's gate order in ours
        return torch.cat([w.chunk(len(order))[i] for i in order])

    def onnx_case(op, count, order, direction, lens, attrs, more, inputs_more=None, peephole=None, bias=True):
        w, r = rand(count * H, I) * 0.5, rand(count * H, H) * 0.5
        b = rand(2 * count * H) * 0.5 if bias else None
        x, h, c = rand(T, B, I), rand(B, H), rand(B, H)
        ins = [x, w[None], r[None], None if b is None else b[None], lens, h[None]]
        if op == "LSTM":
            ins += [c[None], None if peephole is None else peephole[None]]
        outs = onnx_run(op, ins, 3 if op == "LSTM" else 2, opset=14, hidden_size=H, direction=direction, **attrs)
        y = [outs[0][:, 0]] + [o[0] for o in outs[1:]]
        w, r = gates(w, order), gates(r, order)
        wb, rb = (None, None) if b is None else [gates(t, order) for t in b.chunk(2)]
        both = None if b is None else wb + rb
        more = dict(more, reverse=direction == "reverse")
        if op == "LSTM":
            f.add("lstm", [x, h, c, w, r, both, peephole, lens], y, **more)
        elif op == "GRU":
            f.add("gru", [x, h, w, r, wb, rb, lens], y, **more)
        else:
            f.add("rnn", [x, h, w, r, both, lens], y, **more)

    LSTM, GRU = [0, 2, 3, 1], [1, 0, 2]  # i o f c -> i f g o; z r h -> r z n
    for direction in ("forward", "reverse"):
        for lens in (None, lengths):
            onnx_case("LSTM", 4, LSTM, direction, lens, {}, {})
            onnx_case("GRU", 3, GRU, direction, lens, {"linear_before_reset": 1}, {})
            onnx_case("GRU", 3, GRU, direction, lens, {"linear_before_reset": 0}, {"linear_before_reset": False})
            onnx_case("RNN", 1, [0], direction, lens, {}, {})
    onnx_case("LSTM", 4, LSTM, "forward", None, {}, {}, peephole=rand(3 * H))
    onnx_case("LSTM", 4, LSTM, "forward", None, {}, {}, bias=False)
    onnx_case("LSTM", 4, LSTM, "forward", None, {"clip": 0.4}, {"clip": 0.4})
    onnx_case("LSTM", 4, LSTM, "forward", None,
              {"activations": ["HardSigmoid", "Softsign", "Relu"], "activation_alpha": [0.3], "activation_beta": [0.4]},
              {"activations": ["hard_sigmoid:0.3:0.4", "softsign", "relu"]})
    onnx_case("GRU", 3, GRU, "reverse", lengths,
              {"activations": ["Sigmoid", "LeakyRelu"], "activation_alpha": [0.05], "linear_before_reset": 1},
              {"activations": ["sigmoid", "leaky_relu:0.05"]})
    onnx_case("RNN", 1, [0], "forward", None, {"activations": ["ScaledTanh"], "activation_alpha": [0.7],
                                                "activation_beta": [1.3]}, {"activation": "scaled_tanh:0.7:1.3"})
    return f


FAMILIES = [conv, pool, norm, attention, recurrent]
