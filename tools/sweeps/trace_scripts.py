"""Small scripted functions over the operators of TorchScript that no trace holds: numbers, lists, dicts, texts, types.

Every function takes one float tensor of rank 2. Names that begin with run_ take numbers out of tensors, so that only
the run knows them.
"""
import math
import warnings
from enum import Enum
from typing import Dict, List, Optional, Tuple

import torch
from torch import Tensor


class Mode(Enum):
    FLAT = "flat"
    STEEP = "steep"


def integers(x: Tensor) -> Tensor:
    a, b = x.size(0), x.size(1)
    c = a + b * 2 - 3
    c = c // 2 + a % 2 - (-b)
    total = float(c) / 2.0 + a / b + 3.0 * b + b * 0.5 + 2 ** a + b ** 0.5
    return x * total + (a - 0.5) + math.sqrt(b)


def reals(x: Tensor) -> Tensor:
    a, b = float(x.size(0)), 2.75
    c = a + b * a - b / a
    d = math.floor(c) + math.ceil(b) + round(c) + int(b)
    return x + c + d + float(abs(-b)) + pow(2, 3)


def comparisons(x: Tensor) -> Tensor:
    a, b, f, g = x.size(0), x.size(1), 1.5, float(x.size(1))
    y = x
    if a == b or a != 3:
        y = y + 1
    if a < b and b <= 7:
        y = y * 2
    if b > a or b >= 9:
        y = y - 3
    if f < g and f <= g:
        y = y * 1.5
    if g > f:
        y = y + f
    if f == 1.5 and not (f == g):
        y = y / 2
    if a < g and g > a:
        y = y + 0.25
    return y


def truths(x: Tensor) -> Tensor:
    a = x.size(0)
    flags = [a > 1, a > 100, True]
    y = x
    if any(flags) and not all(flags):
        y = y + 1
    if bool(a) and bool(0.5):
        y = y * 2
    if (a > 1) & (a < 50):
        y = y - 0.5
    if any([a, 0]):
        y = y + 2
    return y


def lists(x: Tensor) -> Tensor:
    sizes: List[int] = [1, 2, 3]
    sizes.append(x.size(0))
    sizes.extend([4, 5])
    sizes.insert(0, 7)
    sizes[1] = 9
    again = sizes + [6] * 2
    copy = list(again)
    copy = copy[1:6:2]
    shape = x.shape
    if shape == [3, 4]:
        copy.append(11)
    if shape != [5, 5]:
        copy.append(12)
    total = sum(copy) + len(again) + again[-1]
    if x.size(1) in sizes:
        total += 1
    parts: List[Tensor] = []
    for i, v in enumerate(copy):
        parts.append(x * v + i)
    back = parts.copy()
    return torch.stack(back).sum(0) + total


def loops(x: Tensor) -> Tensor:
    y = x
    for i in range(x.size(0), -1, -1):
        y = y + i
    for row in x:
        y = y + row
    n = 0
    while n < x.dim() + len(x):
        y = y * 0.5
        n += 1
    return y


def dicts(x: Tensor) -> Tensor:
    table: Dict[str, Tensor] = {"first": x}
    table["second"] = x * 2
    table.update({"third": x - 1})
    names = list(table.keys())
    y = table["first"]
    for name in names:
        y = y + table[name]
    for name, value in table.items():
        if name != "first":
            y = y * 0.5 + value
    for value in table.values():
        y = y + value
    copied = dict(table)
    if "second" in copied:
        y = y + len(copied)
    empty: Dict[str, int] = {}
    empty["n"] = 3
    return y + empty["n"]


def texts(x: Tensor) -> Tensor:
    mode = "tanh" if x.size(0) < 6 else "relu"
    name = "{}_{}".format(mode, x.size(0))
    y = x
    if mode == "tanh":
        y = torch.tanh(y)
    if name != "tanh":
        y = y + len(name)
    if mode in ["relu", "tanh"]:
        y = y * 2
    if "an" in mode + str(x.size(1)):
        y = y - 1
    if ["a", mode] == ["a", "tanh"]:
        y = y + 0.5
    return y


def optionals(x: Tensor) -> Tensor:
    scale: Optional[float] = None
    bias: Optional[Tensor] = None
    if x.size(0) > 1:
        bias = x * 2
    if bias is None:
        x = x + 1
    if scale is None:
        scale = 2.0
    if bias is not None:
        x = x + bias
    flag = not (bias is not None)
    return x * scale + (1.0 if flag else 0.0)


def enums(x: Tensor) -> Tensor:
    mode = Mode.STEEP if x.size(0) > 1 else Mode.FLAT
    if mode == Mode.STEEP:
        x = x * 3
    if mode != Mode.FLAT:
        x = x - 1
    return x


def tensors(x: Tensor) -> Tensor:
    n = torch.tensor(x.size(0))
    f = torch.tensor(2.5, dtype=torch.float32)
    t = torch.tensor(x.size(1) > 2)
    many = torch.tensor([1.0, 2.0])
    other = torch.as_tensor([x.size(0), 3])
    y = x.to(x.device) + n + f + t + many.sum() + other.sum()
    if x.is_floating_point():
        y = y + x.numel() + x.dim()
    return y.to(torch.device("cpu"))


def warned(x: Tensor) -> Tensor:
    if x.size(0) > 0:
        warnings.warn("seen")
    return x + 1


def run_numbers(x: Tensor) -> Tensor:
    n = int(x.abs().sum())
    f = float(x.sum())
    flag = bool(x.sum() > 0)
    y = x + n + f * 2.0
    if flag:
        y = y * 2
    z = x.abs().max().item()
    return y + z - n % 3 + n // 2 + f / 2.0


def run_comparisons(x: Tensor) -> Tensor:
    n = int(x.abs().sum())
    f = float(x.sum())
    y = x
    if n > 3:
        y = y + 1
    if f < 0.5:
        y = y * 2
    if n == 4 or f > 1.0:
        y = y - 3
    if n != 5 and f <= 10.0:
        y = y + 0.5
    return y + (-n) + (-f) + (n - f) + (2 - f)


def run_masks(x: Tensor) -> Tensor:
    low, high = x > -0.5, x < 0.5
    y = torch.where(low & high, x, x * 2)
    return torch.where(low | high, y, y - 1)


def run_implicit(x: Tensor) -> Tensor:
    rows = torch.tensor(x.size(0))
    y = x.reshape(rows, -1).narrow(0, 0, 1)
    return y + int(x.abs().sum().item()) - -x.max().item() * 0.5


def conversions(x: Tensor) -> Tensor:
    half = float(x.size(0)) / 2.0
    y = x
    if bool(half):
        y = y + int(half) + math.ceil(half)
    if bool(x.size(1)):
        y = y - (half - x.size(1)) - int(x.size(1) > 2)
    device = torch.device("cpu" if x.size(0) > 0 else "meta")
    pairs = [("a", y), ("b", x)]
    table = dict(pairs)
    again = dict(table)
    none: Dict[str, Tensor] = dict()
    return again["a"].to(device) + again["b"] + len(none) + x.max().item() / 4


def run_loop(x: Tensor) -> Tensor:
    y = x
    for i in range(int(x.abs().max()) + 1):
        y = y * 0.5 + i
    return y


def negatives(x: Tensor) -> Tensor:
    a = x.size(0)
    b = -a
    c = -0.5
    return x * -c + b // 2 + b % 4 + int(-2.5) + a * [2, 3][1]


def pairs(x: Tensor) -> Tuple[Tensor, Tensor]:
    both = (x + 1, x.shape)
    y, shape = both
    return y, both[0] * shape[0]


FUNCTIONS = [integers, reals, comparisons, truths, lists, loops, dicts, texts, optionals, enums, tensors, warned, run_numbers,
             run_comparisons, run_masks, run_implicit, conversions, run_loop, negatives, pairs]
SHAPES = [(3, 4), (1, 1), (2, 5), (5, 5), (4, 3), (6, 2), (3, 4), (2, 2)]


def calls():
    """(function, input) pairs."""
    generator = torch.Generator().manual_seed(0)
    for function in FUNCTIONS:
        for shape in SHAPES:
            yield function, torch.randn(shape, generator=generator)


def module_of(function):
    return torch.jit.script(function)
