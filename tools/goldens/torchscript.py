"""Writes the small TorchScript archives and expected values of tests/data/torchscript.

    python3 tools/goldens/torchscript.py tests/data/torchscript

Each NAME.pt has a NAME.json beside it: a list of calls in order, each with inputs and outputs as
{"dtype", "shape", "data"} (flattened), so that the tests need no Python.
"""
import json
import sys
from typing import Dict, List, Optional, Tuple

import torch
from torch import Tensor, nn


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), x.size(1), -1).mean(2)
        return torch.softmax(self.head(x), dim=1)


class Control(nn.Module):
    """Lists, dicts, loops of known length, early returns, optional values, texts, tuples."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.names = ["a", "b", "c"]
        self.scale: Optional[float] = None

    def pick(self, flag: bool, x: Tensor) -> Tensor:
        if flag:
            return x * 2
        return x - 1

    def forward(self, x: Tensor) -> Tuple[Tensor, Dict[str, Tensor]]:
        if x.dim() != 2:
            raise ValueError("expected 2 dimensions, got {}".format(x.dim()))
        outs: List[Tensor] = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i % 2 == 0:
                x = torch.relu(x)
            outs.append(x)
        table: Dict[str, Tensor] = {}
        for name, out in zip(self.names, outs):
            table[name] = out.sum(1)
        scale = self.scale
        if scale is not None:
            x = x * scale
        total = 0
        n = 0
        while n < 5:
            total += n * n
            n += 1
            if total > 20:
                break
        y = self.pick("q" in "aqua", x) + total + int(7 / 2) + (-7) // 2
        return torch.cat(outs[::2] + [y], 1), table


class Branching(nn.Module):
    """A condition that only the run can tell."""

    def forward(self, x: Tensor) -> Tensor:
        if bool(x.sum() > 0):
            y = x * 2
        else:
            y = x - 1
        for i in range(int(x.abs().max())):
            y = y + i
        return y


class Stateful(nn.Module):
    """State that starts empty, as in streaming models, and a counter."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(3, 4)
        self.h = torch.zeros([0])
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        if len(self.h) == 0:
            self.h = torch.zeros([x.size(0), 4])
        self.h = self.cell(x, self.h)
        self.calls += 1
        return self.h * self.calls


class Writes(nn.Module):
    """In-place writes through views."""

    def forward(self, x: Tensor) -> Tensor:
        y = x.clone()
        y[0] = 1.0
        y[:, 1].add_(2.0)
        z = y.t()
        z.mul_(2)
        y[y > 3] = 0.5
        return y


class Compared(nn.Module):
    """Lists that are equal item by item, known and symbolic."""

    def forward(self, x: Tensor) -> Tensor:
        shape = x.shape
        y = x
        if shape == [3, 4]:
            y = y + 1
        if shape != [3, 4]:
            y = y * 100
        if [shape[0], 4] == [3, 4] and ["a", "b"] != ["a", "c"]:
            y = y * 2
        if [int(x.sum()), 1] == [0, 1]:
            y = y - 7
        return y


class InPlace(nn.Module):
    """Buffers that are written in place carry over to the next call."""

    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.arange(3.0))
        self.register_buffer("table", torch.ones(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        self.total.add_(x)
        self.table[1] *= 2
        return self.total + self.table.sum(0)


class Shared(nn.Module):
    """Writes to a buffer that overlaps with another."""

    def __init__(self):
        super().__init__()
        base = torch.arange(6.0)
        self.register_buffer("a", base[:3])
        self.register_buffer("b", base[1:4])

    def forward(self, x: Tensor) -> Tensor:
        self.a.add_(1.0)
        return x + self.a + self.b


class Transformers(torch.nn.Module):
    """The fused blocks that eval mode takes: encoder layers of both orders, attention with weights and with masks."""

    def __init__(self):
        super().__init__()
        self.after = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.before = torch.nn.TransformerEncoderLayer(8, 4, 12, batch_first=True, norm_first=True, activation="gelu")
        self.attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        self.register_buffer("padding", torch.tensor([[False] * 4 + [True], [False, True, False, False, False]]))
        self.register_buffer("causal", torch.triu(torch.ones(5, 5, dtype=torch.bool), 1))

    def forward(self, x):
        x = self.before(self.after(x), src_mask=self.causal)
        y, weights = self.attention(x, x, x, key_padding_mask=self.padding)
        z, each = self.attention(x, x, x, attn_mask=self.causal, average_attn_weights=False)
        return y, weights, z, each, self.attention(x, x, x, need_weights=False)[0]


def plain(t):
    return {"dtype": str(t.dtype).replace("torch.", ""), "shape": list(t.shape), "data": t.flatten().tolist()}


def flat(value):
    if isinstance(value, Tensor):
        return [plain(value)]
    if isinstance(value, dict):
        return [p for v in value.values() for p in flat(v)]
    return [p for v in value for p in flat(v)]


def write(folder, name, module, calls):
    torch.jit.save(module, f"{folder}/{name}.pt")
    module = torch.jit.load(f"{folder}/{name}.pt")
    rows = [{"inputs": [plain(t) for t in inputs], "outputs": flat(module(*[t.clone() for t in inputs]))} for inputs in calls]
    with open(f"{folder}/{name}.json", "w") as f:
        json.dump(rows, f)


def main(folder):
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    image = torch.rand(2, 3, 8, 8)
    net = Convolutional().eval()
    write(folder, "traced_conv", torch.jit.trace(net, image), [[image]])
    write(folder, "scripted_conv", torch.jit.script(net), [[image]])
    write(folder, "control", torch.jit.script(Control().eval()), [[torch.randn(2, 4)]])
    write(folder, "branching", torch.jit.script(Branching()), [[torch.tensor([1.5, 2.0])], [torch.tensor([-3.5, 2.0])], [torch.tensor([0.1, 0.2])]])
    write(folder, "stateful", torch.jit.script(Stateful().eval()), [[torch.randn(2, 3)] for _ in range(4)])
    write(folder, "writes", torch.jit.script(Writes()), [[torch.randn(3, 4)]])
    write(folder, "compared", torch.jit.script(Compared()), [[torch.full((3, 4), 0.5)], [torch.zeros(3, 4)]])
    write(folder, "in_place", torch.jit.script(InPlace()), [[torch.randn(3)] for _ in range(3)])
    torch.jit.script(Shared()).save(f"{folder}/shared.pt")
    write(folder, "frozen", torch.jit.freeze(torch.jit.script(net)), [[image]])
    transformers = Transformers().eval()
    for p in transformers.parameters():
        p.add_(torch.randn(p.shape) * 0.2)
    x = torch.randn(2, 5, 8)
    write(folder, "transformers", torch.jit.trace(transformers, x), [[x]])


if __name__ == "__main__":
    main(sys.argv[1])
