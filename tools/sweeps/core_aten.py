#!/usr/bin/env python3
"""Every operator of PyTorch's Core ATen opset through .pt2 and, where a trace can hold it, TorchScript: random calls,
exported and traced one by one, compared with torch.

    core_aten.py --runner build/bin/run_cases --summary build/sweeps/core-aten.json

The calls come from PyTorch's own table of sample inputs (its OpInfo database): it runs under a dispatch mode that
records every call of a core operator, forward and backward. For each operator up to --cases calls are kept, spread over
dtypes (float32, float16, bfloat16, integers, bool, complex64) and kinds (empty, 0-d, plain); float32 calls are repeated
with non-contiguous operands. The summary lists what is left out, each with the reason.

One rule judges every operator (run_cases.cpp). A case passes when its outputs are torch's within the tolerance of their
type. Where some are not, torch's own float32 or half result may be the one that is off: what cancels to nearly 0 is
rounding. Such a case passes only when all its floating outputs are, within the same tolerance, what torch gives on the
same operand values in float64, rounded to the type at the end; it is counted and listed as closer to float64 than torch.
Integers and booleans must be torch's own in any case.
"""
import argparse
import collections
import datetime
import json
import linecache
import os
import platform
import random
import subprocess
import sys
import tempfile
import types
import warnings

import torch
from core_aten_calls import extra_calls
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

warnings.filterwarnings("ignore")
if "expecttest" not in sys.modules:  # only torch's own tests need it
    try:
        import expecttest  # noqa: F401
    except ImportError:
        stub = types.ModuleType("expecttest")
        stub.TestCase = object
        sys.modules["expecttest"] = stub

DTYPES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16", torch.float64: "float64",
          torch.int64: "int64", torch.int32: "int32", torch.int16: "int16", torch.int8: "int8", torch.uint8: "uint8",
          torch.bool: "bool", torch.complex64: "complex64"}
RANDOM = {"rand", "randn", "randperm", "bernoulli", "empty", "empty_like", "empty_strided", "native_dropout", "randint",
          "rand_like", "randn_like", "uniform", "uniform_", "bernoulli_", "new_empty", "normal", "empty_permuted", "resize_"}


def core_operators():
    found = {}
    for schema in torch._C._jit_get_all_schemas():
        if not schema.name.startswith("aten::"):
            continue
        packet = getattr(torch.ops.aten, schema.name[6:], None)
        op = getattr(packet, schema.overload_name or "default", None)
        if op is not None and torch.Tag.core in op.tags:
            found[str(op)] = op
    return found


class Recorder(TorchDispatchMode):
    def __init__(self, ops, limit):
        super().__init__()
        self.ops, self.limit, self.calls = ops, limit, collections.defaultdict(lambda: collections.defaultdict(list))

    def __torch_dispatch__(self, func, kinds, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = str(func)
        if name in self.ops:
            leaves, _ = tree_flatten((args, kwargs))
            tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
            if all(usable(t) for t in tensors):
                bucket = self.calls[name][kind_of(tensors)]
                if len(bucket) < self.limit and meaningful(name, args):
                    leaves, spec = tree_flatten((args, kwargs))
                    leaves = [leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
                    bucket.append(tree_unflatten(leaves, spec))
        return func(*args, **kwargs)


# Calls that are left out, with the reason: PyTorch gives no answer that follows from the operands' elements.
LEFT_OUT = {
    "aten.as_strided.default, non-contiguous operands and recorded calls that reach behind the operand":
        "it addresses the operand's storage (torch.as_strided), so the answer holds what lies between the elements",
    "aten.native_group_norm_backward.default, non-contiguous operands":
        "PyTorch's derivatives.yaml only calls it on contiguous ones; its kernel reads others in the order of memory",
    "aten._embedding_bag.default, non-contiguous operands":
        "PyTorch's kernel reads the indices' memory as if it were in one piece and takes what lies between for indices",
    "aten.native_dropout.default without elements, through pt2":
        "torch contradicts itself: the exported file states a mask of bool, the kernel gives one of the input's type",
    "aten.sym_stride.int and its kin, non-contiguous operands, through TorchScript":
        "a script does not say how its inputs lie in memory; godwit's lie in one piece",
    "aten.topk.default, the indices of calls with ties":
        "\"the indices of tied elements are not guaranteed to be stable\" (torch.topk); the values are compared",
}
NO_STRIDES = {"aten.as_strided.default", "aten._embedding_bag.default", "aten.native_group_norm_backward.default"}


def meaningful(name, args):
    """A recorded operand is a copy: it has no memory behind it."""
    if name != "aten.as_strided.default":
        return True
    reach = sum((n - 1) * s for n, s in zip(args[1], args[2])) + (args[3] if len(args) > 3 and args[3] else 0)
    return 0 in args[1] or reach < args[0].numel()


def has_ties(t):
    return t.unique().numel() != t.numel()


def usable(t):
    return t.dtype in DTYPES and t.layout == torch.strided and t.numel() <= 20000 and t.device.type == "cpu" \
        and not t.is_conj() and not t.is_neg()


def kind_of(tensors):
    if not tensors:
        return "none"
    dtype = DTYPES[tensors[0].dtype]
    shape = "empty" if any(t.numel() == 0 for t in tensors) else "0-d" if tensors[0].dim() == 0 else "plain"
    return dtype + " " + shape


def record(ops, limit):
    from torch.testing._internal.common_methods_invocations import op_db
    recorder = Recorder(ops, limit)
    skip = {"empty", "linalg.svd", "linalg.lstsq", "svd_lowrank", "pca_lowrank"}
    for info in op_db:
        if info.name in skip or info.name.startswith(("linalg.", "_refs")) and "norm" not in info.name and "vector" not in info.name:
            continue
        for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64):
            if dtype not in info.supported_dtypes("cpu"):
                continue
            torch.manual_seed(0)
            random.seed(0)
            backward = dtype == torch.float32 and info.supports_autograd
            try:
                samples = list(info.sample_inputs("cpu", dtype, requires_grad=backward))
            except Exception:
                continue
            random.Random(0).shuffle(samples)
            for sample in samples[:12]:
                try:
                    with recorder:
                        result = info.op(sample.input, *sample.args, **sample.kwargs)
                        outs = [o for o in tree_flatten(result)[0] if isinstance(o, torch.Tensor) and o.requires_grad]
                        if backward and outs:
                            sum(o.abs().sum() for o in outs).backward()
                except Exception:
                    pass
    return recorder.calls


class Call(torch.nn.Module):
    def __init__(self, op, args, kwargs):
        super().__init__()
        self.op, self.places = op, []
        leaves, self.spec = tree_flatten((args, kwargs))
        self.at = [i for i, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
        self.tensors = [leaves[i] for i in self.at]
        self.leaves = [None if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]

    def forward(self, *tensors):
        leaves = list(self.leaves)
        for i, t in zip(self.at, tensors):
            leaves[i] = t
        args, kwargs = tree_unflatten(leaves, self.spec)
        result = self.op(*args, **kwargs)
        if isinstance(result, (tuple, list)):
            self.places = [i for i, r in enumerate(result) if r is not None]
            return tuple(r for r in result if r is not None)
        return result

    def source(self):
        """The call as a script."""
        leaves = [self.text(leaf) for leaf in self.leaves]
        for k, i in enumerate(self.at):
            leaves[i] = f"t{k}"
        args, kwargs = tree_unflatten(leaves, self.spec)
        words = [self.joined(a) for a in args] + [f"{name}={self.joined(value)}" for name, value in kwargs.items()]
        names = ", ".join(f"t{k}" for k in range(len(self.at)))
        return f"def forward({names}):\n    return torch.ops.{self.op._schema.name.replace('::', '.')}({', '.join(words)})\n"

    @staticmethod
    def text(leaf):
        return f'torch.device("{leaf}")' if isinstance(leaf, torch.device) else repr(leaf)

    def joined(self, value):
        return "[" + ", ".join(self.joined(v) for v in value) + "]" if isinstance(value, (list, tuple)) else value


def strided(t):
    """The same values, not in one piece."""
    if t.dim() == 0:
        return t
    wide = torch.empty(t.shape[:-1] + (t.shape[-1] * 2,), dtype=t.dtype)
    wide[..., ::2] = t
    return wide[..., ::2]


class Blob:
    def __init__(self, path):
        self.file, self.at = open(path, "wb"), 0

    def add(self, t):
        shape = list(t.shape)
        t = t.detach().clone(memory_format=torch.contiguous_format).reshape(-1)
        data = t.view(torch.uint8).numpy().tobytes() if t.numel() else b""
        offset = self.at
        self.file.write(data)
        self.at += len(data)
        return [DTYPES[t.dtype], shape, offset]


WIDE = {torch.float16: torch.float64, torch.bfloat16: torch.float64, torch.float32: torch.float64, torch.complex64: torch.complex128}


def in_float64(op, args, kwargs, narrow):
    """The call on the same numbers in float64, its results in the types that the call itself gave (`narrow`); None where
    torch has no such kernel or no such types."""
    def wide(leaf):
        if isinstance(leaf, torch.Tensor):
            return leaf.to(WIDE.get(leaf.dtype, leaf.dtype), copy=True)
        return WIDE.get(leaf, leaf) if isinstance(leaf, torch.dtype) else leaf
    leaves, spec = tree_flatten((args, kwargs))
    try:
        args, kwargs = tree_unflatten([wide(leaf) for leaf in leaves], spec)
        found = named_results(op(*args, **kwargs))
    except Exception:
        return None
    if any(found.get(n) is None or found[n].shape != t.shape for n, t in narrow.items()):
        return None
    return {n: found[n].to(t.dtype) for n, t in narrow.items()}


def named_results(result):
    if not isinstance(result, tuple):
        result = (result,)
    kept = [r for r in result if r is not None]
    # Python's floats are doubles.
    kept = [torch.tensor(r, dtype=torch.float64) if isinstance(r, float) else torch.as_tensor(r) for r in kept]
    return {"output": kept[0]} if len(kept) == 1 else {f"output_{i}": r for i, r in enumerate(kept)}


ENOUGH = 8  # cases of an operator through a route


class NotThere(Exception):
    """The route has no such call."""


def save_pt2(call, inputs, path):
    program = torch.export.export(call, tuple(inputs), strict=False)
    torch.export.save(program, path)
    return [s.arg.name for s in program.graph_signature.input_specs if s.kind.name == "USER_INPUT"]


def save_torchscript(call, inputs, path):
    """A trace where that holds the operator, else a script that calls it."""
    def holds(module):
        return any(node.kind() == call.op._schema.name for node in module.inlined_graph.nodes())
    try:
        traced = torch.jit.trace(call, tuple(inputs), strict=False, check_trace=False)
        if holds(traced):
            traced.save(path)
            return [a.name for a in traced.forward.schema.arguments[1:]]
    except Exception:
        pass
    script = scripted(call.source())
    if not holds(script):
        raise NotThere("neither a trace nor a script holds it")
    script.save(path)
    return [f"t{k}" for k in range(len(inputs))]


def scripted(source):
    """A script from its text, which torch looks for in a file."""
    name = f"<call {len(linecache.cache)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    names = {"torch": torch, "__name__": "calls"}
    exec(compile(source, name, "exec"), names)
    return torch.jit.script(names["forward"])


ROUTES = {"pt2": save_pt2, "torchscript": save_torchscript}


def write_case(op, args, kwargs, name, number, folder, blob, cases):
    """Writes the call's files; gives the reason for each route that does not have it."""
    call = Call(op, args, kwargs)
    inputs = [t.clone() if t.is_contiguous() else t for t in call.tensors]
    missing = {}
    with torch.no_grad():
        torch.manual_seed(0)
        expected = named_results(call(*[t.clone() if t.is_contiguous() else strided(t) for t in inputs]))
        if name.split(".")[1] not in RANDOM:
            torch.manual_seed(0)
            again = named_results(call(*[t.clone() if t.is_contiguous() else strided(t) for t in inputs]))
            if any(not torch.equal(torch.nan_to_num(expected[n].cdouble().abs()), torch.nan_to_num(again[n].cdouble().abs()))
                   for n in expected):
                raise RuntimeError("torch gives two answers")
        if name == "aten.topk.default" and has_ties(args[0]):
            del expected["output_1"]  # torch.topk: which of equal elements is named is not defined
        outputs = {n: blob.add(t) for n, t in expected.items()}
        exact = None if name.split(".")[1] in RANDOM else in_float64(op, args, kwargs, expected)
        exact = {n: blob.add(t) for n, t in (exact or {}).items()}
        tensors = [blob.add(t) for t in inputs]
        described = "; ".join(f"{DTYPES[t.dtype]}{list(t.shape)}" for t in inputs)
        plain = [leaf for leaf in call.leaves if leaf is not None]
        for route, save in ROUTES.items():
            path = os.path.join(folder, f"{number}.{route}")
            if left_out(name, route, inputs):
                missing[route] = "left out"
                continue
            try:
                names = save(call, [t.clone() if t.is_contiguous() else t for t in inputs], path)
            except Exception as error:
                missing[route] = f"{type(error).__name__}: {str(error)[:150]}"
                continue
            by_place = (lambda found: placed(found, call)) if names[:1] == ["t0"] else (lambda found: found)
            cases.write(json.dumps({
                "id": f"{name} #{number} {route} ({described}; {plain})", "file": path, "random": name.split(".")[1] in RANDOM,
                "inputs": dict(zip(names, tensors)), "outputs": by_place(outputs), "float64": by_place(exact)}) + "\n")
    return missing


def left_out(name, route, inputs):
    if name == "aten.native_dropout.default":
        return route == "pt2" and not inputs[0].numel()
    asks_memory = name in ("aten.sym_stride.int", "aten.sym_is_contiguous.default", "aten.sym_storage_offset.default")
    return asks_memory and route == "torchscript" and inputs[0].stride() != torch.empty(inputs[0].shape).stride()


def placed(outputs, call):
    """Results of a script, which returns absent ones too: each by its place."""
    if "output" in outputs or not outputs or not call.places:
        return outputs
    return {f"output_{place}": outputs[name] for place, name in zip(call.places, outputs)}


def chosen(calls, count):
    """Round robin over the kinds, float32 first."""
    order = sorted(calls, key=lambda k: (k != "float32 plain", "float" not in k, k))
    lists = [list(calls[k]) for k in order]
    out = []
    while any(lists) and len(out) < count:
        for bucket in lists:
            if bucket and len(out) < count:
                out.append(bucket.pop(0))
    return out


def write_cases(options, folder):
    ops = core_operators()
    calls = record(ops, 8)
    for name, args, kwargs in extra_calls():
        leaves = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)]
        calls[name][kind_of(leaves)].append((args, kwargs))
    blob, skipped, number = Blob(os.path.join(folder, "blob")), collections.Counter(), 0
    with open(os.path.join(folder, "cases.jsonl"), "w") as cases:
        for name in sorted(ops):
            if options.only and name not in options.only.split(","):
                continue
            kept = chosen(calls[name], 3 * options.cases)
            repeats = []
            for args, kwargs in kept[:3]:
                leaves, spec = tree_flatten((args, kwargs))
                if name not in NO_STRIDES and any(isinstance(leaf, torch.Tensor) and leaf.dim() > 0 for leaf in leaves):
                    repeats.append(tree_unflatten([strided(leaf) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves], spec))
            written = collections.Counter()
            for args, kwargs in repeats + kept:
                if written["tried"] >= options.cases + len(repeats) and min(written[route] for route in ROUTES) >= ENOUGH:
                    break
                try:
                    missing = write_case(ops[name], args, kwargs, name, number, folder, blob, cases)
                    written.update(["tried"] + [route for route in ROUTES if route not in missing])
                except Exception as error:
                    missing = {"torch": f"{type(error).__name__}: {str(error)[:150]}"}
                skipped.update(f"{route}: {name}: {why}" for route, why in missing.items())
                number += 1
    blob.file.close()
    with open(os.path.join(folder, "skipped.json"), "w") as file:
        json.dump(skipped, file)
    return ops, skipped


def run(options, folder):
    """Results by case; a case that ends the process is counted as a crash and the rest go on."""
    path, blob = os.path.join(folder, "cases.jsonl"), os.path.join(folder, "blob")
    todo = [line for line in open(path)]
    results = []
    while todo:
        with open(os.path.join(folder, "todo.jsonl"), "w") as file:
            file.writelines(todo)
        done = subprocess.run([options.runner, file.name, blob], capture_output=True, text=True)
        found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        results += found
        todo = todo[len(found):]
        if todo:
            results.append({"id": json.loads(todo[0])["id"], "status": "crash", "reason": done.stderr[-300:]})
            todo = todo[1:]
    return results


def notes_on_float64(results):
    """The cases that passed by their float64 results, each with what torch's own were off."""
    nearer = [r for r in results if r.get("judged_by") == "float64"]
    return ["a case that is off torch's result passes only if it is within the same tolerance of torch's result in float64 on the "
            f"same operands, rounded at the end: {len(nearer)} cases are closer to float64 than torch"] + [
                f"closer to float64 than torch: {r['id']}: {r['error']:.1e} of the scale from float64; against torch {r['reason']}"
                for r in nearer]


def summarize(wanted, results, skipped):
    by_op = {route: collections.defaultdict(list) for route in ROUTES}
    for r in results:
        name, _, route = r["id"].split(" ")[:3]
        by_op[route][name].append(r["status"] == "passed")
    # Without one file that holds the operator there is none through TorchScript.
    through = {route: [n for n in wanted if by_op[route][n] or route == "pt2"] for route in ROUTES}
    passed = {route: {n for n in names if by_op[route][n] and all(by_op[route][n])} for route, names in through.items()}
    good = [n for n in wanted if all(n in passed[route] for route in ROUTES if n in through[route])]
    failures = [r for r in results if r["status"] != "passed"]
    notes = [f"{len(results) - len(failures)} of {len(results)} cases passed; an operator passes when all of its cases do"]
    notes += notes_on_float64(results)
    for route, names in through.items():
        cases = sum(len(by_op[route][n]) for n in names)
        notes.append(f"through {route}: {len(passed[route])} of {len(names)} operators, {cases} cases")
        notes += [f"{n} through {route}: only {len(by_op[route][n])} cases" for n in names if len(by_op[route][n]) < ENOUGH]
    untraced = [n for n in wanted if n not in through["torchscript"]]
    if untraced:
        notes.append("neither a trace nor a script holds " + ", ".join(untraced))
    notes += [f"left out: {what}: {why}" for what, why in LEFT_OUT.items()]
    return {
        "title": "Core ATen opset through pt2 and TorchScript", "date": datetime.date.today().isoformat(),
        "command": "python3 tools/sweeps/core_aten.py", "versions": {"torch": torch.__version__},
        "total": len(wanted), "counted": len(wanted), "passed": len(good), "rate": len(good) / max(1, len(wanted)), "goal": 1.0,
        "largest_error": None,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores", "notes": notes,
        "failures": [{"name": r["id"], "status": r["status"], "reason": r.get("reason", "")} for r in failures],
        "not_written": dict(skipped),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", default="build/bin/run_cases")
    parser.add_argument("--cases", type=int, default=12, help="calls kept for each operator, before non-contiguous repeats")
    parser.add_argument("--only", default="", help="these operators, comma separated: aten.add.Tensor")
    parser.add_argument("--summary", help="where the JSON summary goes")
    parser.add_argument("--folder", help="where cases are kept; default a temporary folder")
    parser.add_argument("--again", action="store_true", help="run the cases that lie in --folder already")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.folder or tempfile.mkdtemp(prefix="godwit-core-aten-")
    os.makedirs(folder, exist_ok=True)
    if options.again:
        with open(os.path.join(folder, "skipped.json")) as file:
            ops, skipped = core_operators(), json.load(file)
    else:
        ops, skipped = write_cases(options, folder)
    results = run(options, folder)
    wanted = [n for n in sorted(ops) if not options.only or n in options.only.split(",")]
    summary = summarize(wanted, results, skipped)
    if options.summary:
        with open(options.summary, "w") as file:
            json.dump(summary, file, indent=1)
    print(json.dumps({k: v for k, v in summary.items() if k not in ("failures", "not_written")}))
    return 0 if summary["passed"] == summary["total"] else 1


if __name__ == "__main__":
    sys.exit(main())
