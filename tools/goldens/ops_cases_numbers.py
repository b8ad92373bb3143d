"""Cases of elementwise, activation, reduce, linalg and cast."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from nn_ops import Family, Kind, Real, rand

FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
INTS = (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)
NAMES = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16", torch.float64: "f64", torch.int8: "i8",
         torch.uint8: "u8", torch.int16: "i16", torch.int32: "i32", torch.int64: "i64", torch.bool: "bool",
         torch.complex64: "c64"}
nan, inf = math.nan, math.inf
SPECIAL = torch.tensor([nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5])


def elementwise():
    f = Family("elementwise")
    ranges = {"sqrt": (0.1, 5), "rsqrt": (0.1, 5), "log": (0.1, 9), "log2": (0.1, 9), "log10": (0.1, 9), "log1p": (-0.9, 5),
              "asin": (-0.95, 0.95), "acos": (-0.95, 0.95), "atanh": (-0.95, 0.95), "erfinv": (-0.95, 0.95),
              "acosh": (1.1, 9), "tan": (-1.2, 1.2), "reciprocal": (0.2, 4), "lgamma": (-4.7, 25), "digamma": (0.2, 30)}
    same = ("abs negative sign floor ceil round trunc square sqrt rsqrt reciprocal exp expm1 log log2 log10 log1p sin cos "
            "tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfinv lgamma digamma").split()
    for name in same:
        fn = getattr(torch, name)
        low, high = ranges.get(name, (-4, 4))
        for dtype in FLOATS:
            x = (torch.rand(3, 5) * (high - low) + low).to(dtype)
            f.add(name, [x], fn(x))
        if name != "reciprocal":
            f.add(name, [SPECIAL], fn(SPECIAL))
        f.add(name, [torch.tensor(0.75)], fn(torch.tensor(0.75)))
        f.add(name, [torch.zeros(0, 3)], torch.zeros(0, 3))
    f.add("exp", [torch.tensor([-87.0, -100.0, 80.0, 89.0])], torch.tensor([-87.0, -100.0, 80.0, 89.0]).exp())
    x = torch.tensor([-1.5, -2.5, 0.5, 1.5, 2.5, 3.5, 1e10, -0.2])
    f.add("round", [x], x.round())
    for values in ([-20.3, -7.5, -0.1], [1e-3, 3.0, 1.0, 2.0], [1e4, 3e6]):
        x = torch.tensor(values)
        f.add("lgamma", [x], torch.lgamma(x), tolerance=1e-5)
    x = torch.tensor([-3.3, -0.4, -1.0, 0.0, 1e-2, 100.0, inf])
    f.add("digamma", [x[:2]], torch.digamma(x[:2]))
    f.add("digamma", [x[2:]], torch.digamma(x[2:]))
    for name, fn in (("is_nan", torch.isnan), ("is_finite", torch.isfinite), ("is_inf", torch.isinf)):
        for dtype in FLOATS:
            f.add(name, [SPECIAL.to(dtype)], fn(SPECIAL.to(dtype)))
    f.add("is_inf", [SPECIAL], torch.isposinf(SPECIAL), positive=True, negative=False)
    f.add("is_inf", [SPECIAL], torch.isneginf(SPECIAL), positive=False, negative=True)
    f.add("is_inf", [SPECIAL], torch.zeros(10, dtype=torch.bool), positive=False, negative=False)
    f.add("is_finite", [torch.tensor([1, 2])], torch.tensor([True, True]))
    f.add("copy", [SPECIAL], SPECIAL)

    binary = {"add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "divide": torch.div, "fmod": torch.fmod,
              "floor_divide": torch.floor_divide, "remainder": torch.remainder, "atan2": torch.atan2,
              "trunc_divide": lambda a, b: torch.div(a, b, rounding_mode="trunc"), "minimum": torch.minimum,
              "maximum": torch.maximum, "equal": torch.eq, "not_equal": torch.ne, "less": torch.lt,
              "less_equal": torch.le, "greater": torch.gt, "greater_equal": torch.ge, "power": torch.pow,
              "logaddexp": torch.logaddexp}
    for name, fn in binary.items():
        for dtype in FLOATS:
            a, b = rand(2, 1, 4, dtype=dtype) * 3, rand(3, 1, dtype=dtype)
            if name == "power":
                a = a.abs() + 0.1
            if dtype in (torch.float16, torch.bfloat16) and name in ("fmod", "floor_divide", "remainder", "trunc_divide"):
                a, b = (a * 4).round() / 4, (b * 4).round() / 4 + 0.125  # exact in the half types
            if name == "logaddexp" and dtype in (torch.float16, torch.bfloat16):
                f.add(name, [a, b], fn(a.float(), b.float()).to(dtype))
                continue
            f.add(name, [a, b], fn(a, b))
        a, b = torch.meshgrid(SPECIAL[:7], SPECIAL[:7], indexing="ij")
        if name not in ("floor_divide", "fmod", "remainder", "trunc_divide"):
            f.add(name, [a, b], fn(a, b))
        f.add(name, [torch.tensor(1.5), rand(0, 2)], fn(torch.tensor(1.5), torch.zeros(0, 2)))
        f.add(name, [torch.tensor(1.5), torch.tensor(0.25)], fn(torch.tensor(1.5), torch.tensor(0.25)))
    a = torch.tensor([1.0, -1.0, 7.0, -7.0, 5.5, -5.5, 1e8, 0.3])
    b = torch.tensor([0.1, 0.1, -3.0, 3.0, 2.0, -2.0, 3.0, -0.1])
    for name in ("floor_divide", "trunc_divide", "remainder", "fmod"):
        f.add(name, [a, b], binary[name](a, b))
    f.add("power", [torch.tensor([-2.0, -2.0, 0.0, 4.0]), torch.tensor([3.0, 0.5, 0.0, -0.5])],
          torch.tensor([-2.0, -2.0, 0.0, 4.0]).pow(torch.tensor([3.0, 0.5, 0.0, -0.5])))

    z, w = torch.randn(3, 4, dtype=torch.complex64), torch.randn(4, dtype=torch.complex64)
    for name, fn in (("real", torch.real), ("imag", torch.imag), ("conjugate", torch.conj), ("angle", torch.angle),
                     ("abs", torch.abs), ("negative", torch.neg), ("exp", torch.exp), ("sin", torch.sin)):
        f.add(name, [z], fn(z).resolve_conj())
    for name in ("add", "subtract", "multiply", "divide"):
        f.add(name, [z, w], binary[name](z, w))
    re, im = rand(2, 1), rand(3)
    f.add("complex", [re, im], torch.complex(*[t.contiguous() for t in torch.broadcast_tensors(re, im)]))

    for dtype in FLOATS + INTS + (torch.bool,):
        x, y = (rand(2, 3) * 9).to(dtype), (rand(3) * 9).to(dtype)
        condition = torch.tensor([[[True], [False]]])
        f.add("where", [condition, x, y], torch.where(condition, x, y))
    x = torch.cat([rand(5) * 3, SPECIAL])
    low, high = torch.tensor(-1.0), torch.tensor(2.0)
    f.add("clip", [x, low, high], x.clamp(-1, 2))
    f.add("clip", [x, low], x.clamp(min=-1))
    f.add("clip", [x, None, high], x.clamp(max=2))
    f.add("clip", [x, high, low], x.clamp(2, -1))
    f.add("clip", [torch.arange(9), torch.tensor(2), torch.tensor(5)], torch.arange(9).clamp(2, 5))
    for dtype in FLOATS:
        x = SPECIAL.to(dtype)
        f.add("nan_to_num", [x], torch.nan_to_num(x, 0.5, 9.0, -7.0), nan=Real(0.5), posinf=Real(9), neginf=Real(-7))
    return f


def integers():
    f = Family("integers")
    a = [-7, 7, -8, 8, 5, -5, 0, 1, 100, -128]
    b = [3, -3, 3, -3, -2, 2, 5, -7, -1, -1]
    binary = {"add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "remainder": torch.remainder, "fmod": torch.fmod,
              "floor_divide": torch.floor_divide, "trunc_divide": lambda x, y: torch.div(x, y, rounding_mode="trunc"),
              "divide": lambda x, y: torch.div(x, y, rounding_mode="trunc"), "minimum": torch.minimum,
              "maximum": torch.maximum, "equal": torch.eq, "less": torch.lt, "greater_equal": torch.ge,
              "bitwise_and": torch.bitwise_and, "bitwise_or": torch.bitwise_or, "bitwise_xor": torch.bitwise_xor}
    for dtype in INTS:
        x, y = torch.tensor(a).to(dtype), torch.tensor(b).to(dtype)
        for name, fn in binary.items():
            if name in ("divide", "floor_divide", "trunc_divide", "remainder", "fmod") and dtype == torch.int8:
                f.add(name, [x[:9], y[:9]], fn(x[:9], y[:9]))
                continue
            f.add(name, [x, y], fn(x, y))
        for name, fn in (("abs", torch.abs), ("negative", torch.neg), ("sign", torch.sign), ("square", torch.square),
                         ("bitwise_not", torch.bitwise_not), ("floor", torch.floor), ("ceil", torch.ceil),
                         ("round", torch.round), ("trunc", torch.trunc)):
            f.add(name, [x], fn(x))
        base = torch.tensor([3, 2, 1, 0, 5, 2]).to(dtype)
        power = torch.tensor([2, 5, 7, 0, 1, 0]).to(dtype)
        f.add("power", [base, power], torch.pow(base, power))
        bits, by = torch.tensor([1, 5, 100, 77]).to(dtype), torch.tensor([0, 1, 3, 6]).to(dtype)
        f.add("shift_left", [bits, by], torch.bitwise_left_shift(bits, by))
        f.add("shift_right", [bits, by], torch.bitwise_right_shift(bits, by))
    x = torch.tensor([1, -1, -1, 2, -3, 7])
    y = torch.tensor([-3, -3, -2, -1, -5, -1])
    f.add("power", [x, y], torch.tensor([1, -1, 1, 0, 0, 0]))
    x, by = torch.tensor([-8, 8, -1, 1]), torch.tensor([1, 100, 64, -1])
    f.add("shift_right", [x, by], torch.tensor([-4, 0, -1, 0]))
    f.add("shift_left", [x, by], torch.tensor([-16, 0, 0, 0]))
    p, q = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    for name, fn in (("logical_and", torch.logical_and), ("logical_or", torch.logical_or), ("logical_xor", torch.logical_xor),
                     ("bitwise_and", torch.bitwise_and), ("bitwise_or", torch.bitwise_or), ("bitwise_xor", torch.bitwise_xor),
                     ("equal", torch.eq), ("not_equal", torch.ne)):
        f.add(name, [p, q], fn(p, q))
    f.add("logical_not", [p], ~p)
    f.add("bitwise_not", [p], ~p)
    # Beyond what a double holds.
    big = torch.tensor([2 ** 53 + 1, 2 ** 62 + 3, -(2 ** 60) - 1])
    for name, other in (("floor_divide", 3), ("remainder", 7), ("trunc_divide", -5), ("subtract", 2 ** 53)):
        f.add(name, [big, torch.tensor([other])], binary[name](big, torch.tensor([other])))
    return f


def activation():
    f = Family("activation")
    table = [("relu", {}, F.relu), ("sigmoid", {}, torch.sigmoid), ("silu", {}, F.silu), ("mish", {}, F.mish),
             ("softsign", {}, F.softsign), ("log_sigmoid", {}, F.logsigmoid), ("hard_swish", {}, F.hardswish),
             ("leaky_relu", {}, F.leaky_relu), ("leaky_relu", {"slope": 0.3}, lambda x: F.leaky_relu(x, 0.3)),
             ("elu", {}, F.elu), ("elu", {"alpha": 1.5}, lambda x: F.elu(x, 1.5)),
             ("elu", {"alpha": 1.6732632423543772, "scale": 1.0507009873554805}, F.selu),
             ("elu", {"alpha": 0.7, "input_scale": 1 / 0.7}, lambda x: F.celu(x, 0.7)),
             ("hard_sigmoid", {"alpha": 1 / 6}, F.hardsigmoid),
             ("softplus", {}, F.softplus), ("softplus", {"beta": 2.0, "threshold": 3.0}, lambda x: F.softplus(x, 2, 3)),
             ("gelu", {}, F.gelu), ("gelu", {"approximate": "tanh"}, lambda x: F.gelu(x, approximate="tanh")),
             ("gelu", {"approximate": "sigmoid"}, lambda x: x * torch.sigmoid(1.702 * x))]
    for name, attrs, fn in table:
        for dtype in FLOATS:
            x = rand(3, 5, dtype=dtype) * 3
            f.add(name, [x], fn(x.float()).to(dtype) if dtype != torch.float64 else fn(x), **attrs)
        x = torch.tensor([nan, 0.0, -60.0, 60.0, 1e-4])
        f.add(name, [x], fn(x), **attrs)
        f.add(name, [torch.tensor(-0.5)], fn(torch.tensor(-0.5)), **attrs)
        f.add(name, [torch.zeros(2, 0)], torch.zeros(2, 0), **attrs)
    x, slope = rand(2, 3, 4), rand(3, 1)
    f.add("prelu", [x, slope], torch.where(x > 0, x, slope * x))
    for dtype in FLOATS:
        for axis in (-1, 0, 1):
            x = rand(3, 4, 2, dtype=dtype) * 5
            f.add("softmax", [x], F.softmax(x, axis), axis=axis)
            f.add("log_softmax", [x], F.log_softmax(x, axis), axis=axis)
        f.add("glu", [x], F.glu(x, 1), axis=1)
    x = torch.tensor([[-inf, 1.0, 2.0], [1000.0, 999.0, -inf], [0.0, nan, 1.0]])
    f.add("softmax", [x], F.softmax(x, -1), axis=-1)
    f.add("log_softmax", [x], F.log_softmax(x, -1), axis=-1)
    f.add("softmax", [torch.full((2, 3), -inf)], torch.full((2, 3), nan), axis=-1)
    f.add("softmax", [torch.tensor(3.0)], torch.tensor(1.0), axis=0)
    f.add("log_softmax", [torch.tensor(3.0)], torch.tensor(0.0), axis=0)
    f.add("softmax", [torch.zeros(0, 3)], torch.zeros(0, 3), axis=0)
    f.add("softmax", [torch.full((1, 5000), 8.0).half()], torch.full((1, 5000), 1 / 5000).half(), axis=-1)
    return f


def reduce():
    f = Family("reduce")
    fns = {"sum": torch.sum, "mean": torch.mean, "logsumexp": torch.logsumexp}
    single = {"max": torch.amax, "min": torch.amin}
    for dtype in FLOATS:
        x = rand(2, 3, 4, dtype=dtype)
        wide = x if dtype == torch.float64 else x.float()
        for axes, keep in (([0], False), ([-1, 0], True), ([1], True), ([0, 1, 2], False)):
            for name, fn in {**fns, **single}.items():
                f.add(name, [x], fn(wide, dim=axes, keepdim=keep).to(dtype), axes=axes, keepdims=keep)
            for correction in (0.0, 1.0):
                f.add("variance", [x], torch.var(wide, dim=axes, correction=correction, keepdim=keep).to(dtype), axes=axes,
                      keepdims=keep, correction=Real(correction))
            product = wide
            for a in sorted((a % 3 for a in axes), reverse=True):
                product = product.prod(a, keepdim=keep)
            f.add("product", [x], product.to(dtype), axes=axes, keepdims=keep)
            for order in (2.0, 1.0, 0.0, 3.0, inf, -inf)[:6 if axes == [1] else 1]:
                f.add("norm", [x], torch.linalg.vector_norm(wide, order, dim=axes, keepdim=keep).to(dtype), axes=axes,
                      keepdims=keep, order=Real(order))
        f.add("sum", [x], x, axes=[])
        f.add("mean", [x], x, axes=[])
        for axis in (0, -1):
            f.add("cumsum", [x], wide.cumsum(axis).to(dtype), axis=axis)
            f.add("cumprod", [x], wide.cumprod(axis).to(dtype), axis=axis)
    big = torch.full((4096,), 100.0).half()
    f.add("mean", [big], torch.tensor(100.0).half(), axes=[0])
    f.add("sum", [big * 0 + 15], torch.tensor(61440.0).half(), axes=[0])
    for dtype in INTS:
        x = torch.randint(0, 100, (3, 4)).to(dtype)
        f.add("sum", [x], x.sum(0, dtype=dtype), axes=[0])
        f.add("product", [x], x.prod(1, dtype=dtype), axes=[1])
        f.add("max", [x], x.amax(0), axes=[0])
        f.add("min", [x], x.amin(0), axes=[0])
        f.add("cumsum", [x], x.cumsum(1, dtype=dtype), axis=1)
        f.add("argmax", [x], x.argmax(1), axis=1)
        f.add("max", [torch.zeros(0, 2, dtype=dtype)], torch.full((2,), torch.iinfo(dtype).min, dtype=dtype), axes=[0])
        f.add("min", [torch.zeros(0, 2, dtype=dtype)], torch.full((2,), torch.iinfo(dtype).max, dtype=dtype), axes=[0])
    for name, value in (("sum", 0.0), ("product", 1.0), ("max", -inf), ("min", inf), ("logsumexp", -inf), ("mean", nan)):
        f.add(name, [torch.zeros(0, 3)], torch.full((3,), value), axes=[0])
        f.add(name, [torch.zeros(0, 3)], torch.zeros(0), axes=[1])
    x = torch.tensor([[1.0, nan, 2.0], [inf, 0.0, -inf], [-inf, -inf, -inf]])
    for name, fn in {**fns, **single}.items():
        f.add(name, [x], fn(x, dim=[1]), axes=[1])
    p = torch.tensor([[True, False], [True, True], [False, False]])
    for name, fn in (("all", torch.all), ("any", torch.any)):
        f.add(name, [p], fn(p, 1), axes=[1])
        f.add(name, [p], fn(p, 0, keepdim=True), axes=[0], keepdims=True)
        f.add(name, [p], fn(p), axes=[0, 1])
        f.add(name, [torch.tensor([0.0, nan, 2.0])], fn(torch.tensor([0.0, nan, 2.0])), axes=[0])
        f.add(name, [torch.tensor(3)], torch.tensor(True), axes=[])
        f.add(name, [torch.zeros(0, 2, dtype=torch.bool)], torch.tensor([name == "all"] * 2), axes=[0])
    f.add("max", [p], p.amax(1), axes=[1])
    f.add("min", [p], p.amin(1), axes=[1])
    f.add("sum", [torch.tensor(2.5)], torch.tensor(2.5), axes=[0])
    x = torch.tensor([[1.0, 3.0, 3.0, 2.0], [3.0, 1.0, 1.0, 3.0]])
    f.add("argmax", [x], torch.tensor([1, 0]), axis=1)
    f.add("argmin", [x], torch.tensor([[0], [1]]), axis=-1, keepdims=True)
    f.add("argmax", [x], torch.tensor([2, 3]), axis=1, last=True)
    f.add("argmin", [x], torch.tensor([0, 2]), axis=1, last=True)
    f.add("argmax", [x], torch.tensor([1, 0, 0, 1]), axis=0)
    f.add("argmax", [torch.tensor([1.0, nan, 5.0, nan])], torch.tensor(1), axis=0)
    f.add("argmin", [torch.tensor([1.0, nan, 0.0, nan])], torch.tensor(1), axis=0)
    f.add("argmax", [torch.tensor(4.0)], torch.tensor(0), axis=0)
    x = torch.tensor([[1, 2, 3], [4, 5, 6]])
    f.add("cumsum", [x], torch.tensor([[0, 1, 3], [0, 4, 9]]), axis=1, exclusive=True)
    f.add("cumsum", [x], torch.tensor([[6, 5, 3], [15, 11, 6]]), axis=1, reverse=True)
    f.add("cumsum", [x], torch.tensor([[5, 3, 0], [11, 6, 0]]), axis=1, exclusive=True, reverse=True)
    f.add("cumprod", [x], torch.tensor([[1, 1, 2], [1, 4, 20]]), axis=-1, exclusive=True)
    f.add("cumsum", [torch.tensor(2.0)], torch.tensor(2.0), axis=0)
    f.add("cumsum", [torch.zeros(0, 2)], torch.zeros(0, 2), axis=0)
    x = torch.tensor([[1.0, 3.0, 2.0, 3.0, nan, 1.0], [5.0, 5.0, 6.0, -1.0, 6.0, 0.0]])
    f.add("cummax", [x], list(torch.cummax(x, 1)), axis=1)
    f.add("cummin", [x], list(torch.cummin(x, 1)), axis=-1)
    f.add("cummax", [x], list(torch.cummax(x, 0)), axis=0)
    x = torch.tensor([[5.0, 1.0, 4.0, 2.0], [nan, 1.0, 7.0, 0.0]])
    f.add("median", [x], list(x.median(1)), axis=1, keepdims=False)
    y = rand(5, 3)
    f.add("median", [y], list(y.median(0, keepdim=True)), axis=0, keepdims=True)
    z = torch.randn(2, 3, dtype=torch.complex64)
    f.add("norm", [z], torch.linalg.vector_norm(z, 2, dim=1), axes=[1])
    f.add("sum", [z], z.sum(0), axes=[0])
    return f


def linalg():
    f = Family("linalg")
    shapes = [((3, 4), (4, 5)), ((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 2)), ((2, 1, 3, 4), (5, 4, 2)), ((2, 3, 4), (4, 5)),
              ((2, 0), (0, 3)), ((0, 3), (3, 2)), ((5, 3, 4), (4,))]
    for dtype in FLOATS:
        for a, b in shapes:
            x, y = rand(*a, dtype=dtype), rand(*b, dtype=dtype)
            out = x @ y if dtype == torch.float64 else (x.float() @ y.float()).to(dtype)
            f.add("matmul", [x, y], out)
    for dtype in (torch.int32, torch.int64, torch.uint8):
        for a, b in shapes[:6]:
            x, y = torch.randint(0, 50, a).to(dtype), torch.randint(0, 50, b).to(dtype)
            f.add("matmul", [x, y], (x.long() @ y.long()).to(dtype))
    for dtype in FLOATS:
        x, w, b = rand(2, 3, 4, dtype=dtype), rand(5, 4, dtype=dtype), rand(5, dtype=dtype)
        out = F.linear(x, w, b) if dtype == torch.float64 else F.linear(x.float(), w.float(), b.float()).to(dtype)
        f.add("linear", [x, w, b], out)
        f.add("linear", [x[0, 0], w], F.linear(x[0, 0].double(), w.double()).to(dtype))
    for equation, shapes in (("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]), ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 5)]),
                             ("ii->i", [(3, 3)]), ("ii", [(3, 3)]), ("ij,jk", [(2, 3), (3, 4)]), ("i,i->", [(3,), (3,)]),
                             ("bn,anm,bm->ba", [(2, 3), (4, 3, 5), (2, 5)]), ("ij -> ji", [(2, 3)]), ("ba", [(2, 3)]),
                             ("b...d,b...d->b...", [(2, 3, 4), (2, 3, 4)]), ("bhwc,hkc->bhwk", [(2, 3, 4, 5), (3, 4, 5)]),
                             ("i,j->ij", [(3,), (4,)]), ("...,...", [(2, 3), (3,)]), ("ijk->j", [(2, 3, 4)])):
        xs = [rand(*s) for s in shapes]
        f.add("einsum", xs, torch.einsum(equation, *xs), equation=equation, symbolic=equation[:2] != "ii")
    x = torch.randint(0, 9, (2, 3))
    f.add("einsum", [x, x], torch.einsum("ij,kj->ik", x, x), equation="ij,kj->ik")
    for shape in ((3, 3), (2, 4, 4), (1, 1)):
        for dtype in (torch.float32, torch.float64):
            x = rand(*shape, dtype=dtype) + 2 * torch.eye(shape[-1], dtype=dtype)
            spd = x @ x.mT + torch.eye(shape[-1], dtype=dtype)
            f.add("determinant", [x], torch.linalg.det(x), symbolic=False)
            f.add("inverse", [x], torch.linalg.inv(x), symbolic=False)
            f.add("cholesky", [spd], torch.linalg.cholesky(spd), symbolic=False)
    f.add("inverse", [torch.zeros(0, 0)], torch.zeros(0, 0), symbolic=False)
    f.add("determinant", [torch.zeros(2, 0, 0)], torch.ones(2), symbolic=False)
    for p in (2.0, 1.0, 3.0, 0.0):
        a, b = rand(2, 4, 3), rand(2, 5, 3)
        f.add("cdist", [a, b], torch.cdist(a, b, p), p=Real(p))
    return f


def cast():
    import ml_dtypes
    f = Family("cast")
    floats = torch.tensor([0.0, 1.9, -1.9, 100.7, -5.0, 2.5, 3.5, 1e-3])
    kinds = FLOATS + INTS + (torch.bool,)
    for a in kinds:
        for b in kinds:
            x = floats.abs().to(a) if b == torch.uint8 or a == torch.uint8 else floats.to(a)
            f.add("cast", [x], x.to(b), **{"from": Kind(NAMES[a]), "to": Kind(NAMES[b])})
    x = torch.tensor([-1, 300, 2 ** 40 + 5, -(2 ** 33)])
    for b in INTS:
        f.add("cast", [x], x.to(b), **{"from": Kind("i64"), "to": Kind(NAMES[b])})
    x = torch.tensor([nan, 0.0, -0.0, inf])
    f.add("cast", [x], x.to(torch.bool), **{"from": Kind("f32"), "to": Kind("bool")})
    f.add("cast", [x], x.half(), **{"from": Kind("f32"), "to": Kind("f16")})
    z = torch.randn(4, dtype=torch.complex64)
    f.add("cast", [z], z.real.clone(), **{"from": Kind("c64"), "to": Kind("f32")})
    f.add("cast", [floats], floats.to(torch.complex64), **{"from": Kind("f32"), "to": Kind("c64")})

    small = {"f8e4m3fn": ml_dtypes.float8_e4m3fn, "f8e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "f8e5m2": ml_dtypes.float8_e5m2,
             "f8e5m2fnuz": ml_dtypes.float8_e5m2fnuz, "f4e2m1": ml_dtypes.float4_e2m1fn, "f6e2m3": ml_dtypes.float6_e2m3fn,
             "f6e3m2": ml_dtypes.float6_e3m2fn, "f8e8m0": ml_dtypes.float8_e8m0fnu}
    for name, kind in small.items():
        bits = 4 if name.startswith("f4") else 6 if name.startswith("f6") else 8
        codes = np.arange(2 ** bits, dtype=np.uint8)
        values = codes.view(kind).astype(np.float32)
        f.add("cast", [torch.from_numpy(codes)], torch.from_numpy(values), types={"0": name}, tolerance=0.0,
              **{"from": Kind(name), "to": Kind("f32")})
        finite = np.sort(np.unique(values[np.isfinite(values)])).astype(np.float64)
        middle = (finite[:-1] + finite[1:]) / 2  # ties, and their neighbours
        x = np.concatenate([finite, middle, np.nextafter(middle.astype(np.float32), np.float32(inf)),
                            np.nextafter(middle.astype(np.float32), np.float32(-inf))]).astype(np.float32)
        if name == "f8e8m0":
            x = x[x > 1e-37]
        x = x[np.isfinite(x)]
        y = x.astype(kind).view(np.uint8)
        f.add("cast", [torch.from_numpy(x)], torch.from_numpy(y), out_types={"0": name}, tolerance=0.0,
              **{"from": Kind("f32"), "to": Kind(name)})
        if name == "f8e8m0":
            continue
        top = float(finite[-1])
        over = np.array([top * 1.01, top * 1.5, top * 4, -top * 4, 1e30, inf, -inf], dtype=np.float32)
        clamped = np.clip(over, -top, top).astype(kind).view(np.uint8)
        f.add("cast", [torch.from_numpy(over)], torch.from_numpy(clamped), out_types={"0": name}, tolerance=0.0,
              **{"from": Kind("f32"), "to": Kind(name), "saturate": True})
        if bits == 8:
            loose = over.astype(kind).view(np.uint8)
            f.add("cast", [torch.from_numpy(over)], torch.from_numpy(loose), out_types={"0": name}, tolerance=0.0,
                  **{"from": Kind("f32"), "to": Kind(name), "saturate": False})
    for name, dtype, values in (("i4", torch.int8, [-8, 7, -1, 0]), ("u4", torch.uint8, [8, 15, 0, 3]),
                                ("i2", torch.int8, [-2, 1, -1, 0]), ("u2", torch.uint8, [2, 3, 0, 1])):
        x = torch.tensor(values, dtype=dtype)
        f.add("cast", [x], x.float(), types={"0": name}, **{"from": Kind(name), "to": Kind("f32")})
        f.add("cast", [x.float()], x, out_types={"0": name}, **{"from": Kind("f32"), "to": Kind(name)})
    x = torch.tensor([17, -9, 8, 255], dtype=torch.int32)
    f.add("cast", [x], torch.tensor([1, 7, -8, -1], dtype=torch.int8), out_types={"0": "i4"}, **{"from": Kind("i32"), "to": Kind("i4")})
    f.add("cast", [x], torch.tensor([1, 7, 8, 15], dtype=torch.uint8), out_types={"0": "u4"}, **{"from": Kind("i32"), "to": Kind("u4")})
    f.add("bitcast", [floats], floats.view(torch.int32), **{"from": Kind("f32"), "to": Kind("i32")})
    f.add("bitcast", [floats.half()], floats.half().view(torch.int16), **{"from": Kind("f16"), "to": Kind("i16")})
    return f


FAMILIES = [elementwise, integers, activation, reduce, linalg, cast]
