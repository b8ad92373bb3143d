#!/usr/bin/env python3
"""Writes tests/data/pt2: small exported programs with their inputs and PyTorch's results (JSON), for tests without
PyTorch. Source paths are cut to file names, other metadata is dropped.

    python3 tools/goldens/pt2.py
"""
import io
import json
import pathlib
import re
import zipfile

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests/data/pt2"


class Block(nn.Module):
    """Convolution, batch norm, pooling, linear; a dynamic batch."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding="same", groups=2)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)
        self.norm.running_mean.uniform_(-1, 1)
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        y = nn.functional.relu_(self.norm(self.conv(x)))
        y = nn.functional.adaptive_avg_pool2d(y, 1).flatten(1)
        return self.head(nn.functional.dropout(y, 0.5, False)).softmax(-1)


class Views(nn.Module):
    """Writes through views that older names must see."""

    def forward(self, x):
        y = x.clone()
        row, column = y[1], y[:, 0]
        row.fill_(7.0)
        column.add_(row[:3], alpha=2)
        flat = y.view(-1)
        flat[2:5].mul_(0.5)
        y.t()[3].copy_(x[:, 1])
        return {"all": y, "row": row.clone(), "flat": flat[::2]}


class Picked(nn.Module):
    """Writes through views that pick elements: a diagonal, windows, strides, an expanded row."""

    def forward(self, x):
        y = x.clone()
        y.diagonal(1).mul_(3)
        torch.diagonal(y, -1, 1, 0).fill_(9)
        windows = y.clone().unfold(1, 2, 2)
        windows[..., 1].add_(5)
        sliding = x.clone()
        sliding.unfold(0, 2, 1)[1].zero_()
        strided = x.clone()
        strided[1:].as_strided((2, 2), (4, 1), 1).fill_(float("nan"))
        torch.as_strided(strided, (3,), (5,)).copy_(x[:, 0])
        row = x[0].clone()
        row.expand(3, 4)[2].sub_(1)
        row.expand(3, 4)[:, 1].fill_(4)
        return y, windows, sliding, torch.nan_to_num(strided, 7.0), row


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(8, 3)

    def forward(self, x):
        y, (h, c) = self.lstm(x)
        z, last = self.gru(y.transpose(0, 1))
        return z, h, c, last


class Counter(nn.Module):
    """A buffer that carries over from call to call."""

    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(2))

    def forward(self, x):
        self.total.add_(x.sum(0))
        return self.total * 2


class Control(nn.Module):
    """cond, while_loop and scan."""

    def forward(self, x):
        y = torch.cond(x.sum() > 0, lambda a: a * 2, lambda a: a - 1, (x,))
        n, z = torch.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * 1.5), (torch.tensor(0), y))
        total, steps = torch._higher_order_ops.scan(lambda c, v: (c + v, c * v), x[0] * 0, x, dim=0)
        return y, n, z, total, steps


class Mixed(nn.Module):
    """An autocast region, a no-grad region, tied and strided weights, einsum, attention."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
        self.b.weight = self.a.weight
        self.table = nn.Parameter(torch.randn(6, 8)[1:5, ::2].t())

    def forward(self, x, *, scale=None):
        with torch.no_grad():
            q = self.a(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            k = self.b(x)
        v = torch.einsum("bij,jk->bik", x, self.table)
        return nn.functional.scaled_dot_product_attention(q, k.float(), v, is_causal=True)


class Symbolic(nn.Module):
    """Sizes as numbers: arithmetic, factories, slices by a size, a size as a result."""

    def forward(self, x):
        n = x.shape[1]
        half = x[:, : n - 2]
        places = torch.arange(n, device=x.device) * 2 + x.shape[0]
        picked = x[x > 0]
        return half.sum(1), places, picked.sum(), torch.nn.functional.pad(x, (1, n)).mean(1)


class Mapped(nn.Module):
    """vmap over scalars: axes hidden in turn and shown at other places, results without some of them."""

    def forward(self, x):
        rows, columns = torch.arange(x.shape[0]), torch.arange(x.shape[1])

        def keep(i, j):
            return (j <= i + 1) & (torch.remainder(j, 3) != 2)

        mask = torch.vmap(torch.vmap(keep, in_dims=(None, 0)), in_dims=(0, None))(rows, columns)
        repeated = torch.vmap(lambda value: torch.vmap(lambda j: value * 2 + 1)(columns))(x[:, 0])
        folded = torch.vmap(torch.vmap(lambda value: torch.where(value > 0, value * 2, -value)), in_dims=1)(x)
        return mask.float() * x, repeated, folded


def dim(name, low=2):
    return torch.export.Dim(name, min=low, max=64)


def cases():
    r = torch.randn
    yield "block", Block().eval(), (r(3, 2, 5, 6),), {"x": {0: dim("batch")}}
    yield "views", Views(), (r(3, 4),), None
    yield "recurrent", Recurrent().eval(), (r(2, 5, 3),), None
    yield "counter", Counter(), (r(3, 2),), None
    yield "control", Control(), (r(4, 3),), None
    yield "mixed", Mixed().eval(), (r(2, 3, 4),), None
    yield "picked", Picked(), (r(3, 4),), None
    yield "symbolic", Symbolic(), (r(3, 8),), {"x": {0: dim("rows"), 1: dim("columns", 4)}}
    yield "mapped", Mapped(), (r(3, 4),), None


def text(values):
    return {"dtype": str(values.dtype).split(".")[1], "shape": list(values.shape), "values": values.double().flatten().tolist()}


def named(result):
    if isinstance(result, dict):
        return result
    if isinstance(result, tuple):
        return {f"output_{i}": value for i, value in enumerate(result)}
    return {"output": result}


def cleaned(data):
    """The archive with its node metadata cut down."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for entry in source.namelist():
            content = source.read(entry)
            if "sample_inputs" in entry or entry.endswith("serialization_id"):
                continue
            if "/models/" in entry:
                content = json.dumps(strip(json.loads(content)), separators=(",", ":")).encode()
            target.writestr(zipfile.ZipInfo(entry, (1980, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


def strip(value):
    if isinstance(value, dict):
        if "stack_trace" in value or "nn_module_stack" in value:
            kept = {}
            places = re.findall(r'File "[^"]*?([^"/]+)", line (\d+)', value.get("stack_trace", ""))
            if places:
                kept["stack_trace"] = f'  File "{places[-1][0]}", line {places[-1][1]}, in forward'
            if "nn_module_stack" in value:
                kept["nn_module_stack"] = value["nn_module_stack"]
            return kept
        return {key: strip(item) for key, item in value.items() if key != "guards_code"}
    if isinstance(value, list):
        return [strip(item) for item in value]
    return value


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, model, args, dynamic in cases():
        torch.manual_seed(0)
        program = torch.export.export(model, args, dynamic_shapes=dynamic, strict=False)
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
        (FOLDER / f"{name}.pt2").write_bytes(cleaned(buffer.getvalue()))
        calls = []
        runnable = torch.export.load(io.BytesIO(buffer.getvalue())).module()
        for step in range(2):
            again = tuple(torch.cat([a, a[:1] * 0.5]) if dynamic and step else a + 0.25 * step for a in args)
            with torch.no_grad():
                outputs = {key: text(value) for key, value in named(runnable(*[a.clone() for a in again])).items()}
            calls.append({"inputs": {"x": text(again[0])}, "outputs": outputs})
        (FOLDER / f"{name}.json").write_text(json.dumps({"calls": calls}))


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
