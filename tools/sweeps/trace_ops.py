#!/usr/bin/env python3
"""Every ATen operator that occurs in the programs of the sweeps, one by one: random calls, exported to .pt2, traced or
scripted, and compared with torch.

    trace_ops.py --inventory ../shared/data --runner build/bin/run_cases --summary docs/coverage/trace_ops.json

The operators are those of the inventories (aten-inventory.json: torch.export programs, torchscript-inventory.json:
traces and scripts of torchvision, timm and transformers models). Calls of tensor operators come from PyTorch's table of
sample inputs, where an overload takes them, and from calls_for() below; operators on numbers, lists, dicts and texts,
which only scripts hold, occur in the functions of trace_scripts.py.
"""
import argparse
import collections
import datetime
import json
import os
import platform
import random
import sys
import tempfile

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import core_aten  # noqa: E402
import trace_scripts  # noqa: E402
import torchvision_schemas  # noqa: E402,F401
import torchvision  # noqa: E402,F401


def inventory(folder):
    """Operators as aten::NAME or aten::NAME.OVERLOAD, with the number of models that hold each."""
    found = collections.Counter()
    with open(os.path.join(folder, "torchscript-inventory.json")) as file:
        totals = json.load(file)["totals"]
        for kind in ("trace", "script"):
            for name, where in totals[kind]["ops"].items():
                found[name] = max(found[name], where["models"])
    with open(os.path.join(folder, "aten-inventory.json")) as file:
        data = json.load(file)
    for kind in ("undecomposed", "decomposed"):
        for name, where in data[kind].items():
            name = spelled(name)
            found[name] = max(found[name], where["models"])
    return {name: models for name, models in found.items() if name.startswith(("aten::", "torchvision::"))}


def spelled(name):
    """aten.relu.default -> aten::relu"""
    space, _, rest = name.partition(".")
    return space + "::" + (rest[:-8] if rest.endswith(".default") else rest)


def overload(name):
    """The operator that Python can call; None for those that only scripts have."""
    space, _, rest = name.partition("::")
    packet, _, which = rest.partition(".")
    op = getattr(getattr(getattr(torch.ops, space), packet, None), which or "default", None)
    takes_tensors = op is not None and "Tensor" in str(op._schema).split("->")[0]
    makes_tensors = op is not None and "Tensor" in str(op._schema).split("->")[-1]
    return op if takes_tensors or makes_tensors else None


def tables():
    from torch.testing._internal.common_methods_invocations import op_db
    by_name = collections.defaultdict(list)
    for info in op_db:
        for name in {info.name.split(".")[-1], info.aten_name, *(alias.name for alias in info.aliases)}:
            by_name[name.split(".")[-1]].append(info)
    return by_name


def sample_calls(op, infos, rounds=30):
    for info in infos:
        for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool):
            if dtype not in info.supported_dtypes("cpu"):
                continue
            torch.manual_seed(0)
            random.seed(0)
            try:
                samples = list(info.sample_inputs("cpu", dtype))
            except Exception:
                continue
            random.Random(0).shuffle(samples)
            for sample in samples[:rounds]:
                args = (sample.input, *sample.args)
                tensors = [t for t in core_aten.tree_flatten((args, sample.kwargs))[0] if isinstance(t, torch.Tensor)]
                if not all(core_aten.usable(t) for t in tensors) or sample.kwargs.get("dropout_p"):
                    continue
                try:
                    copied = [t.clone() if isinstance(t, torch.Tensor) else t for t in args]
                    result = op(*copied, **sample.kwargs)
                    if "conv" in str(op) and contradicts_itself(op, args, sample.kwargs, result):
                        continue
                except Exception:
                    continue
                yield core_aten.kind_of(tensors), (args, sample.kwargs)


def contradicts_itself(op, args, kwargs, result):
    """PyTorch's convolution of float16 on one thread gives wrong sums for some strides and dilations."""
    wide = [t.float() if isinstance(t, torch.Tensor) and t.is_floating_point() else t for t in args]
    expected = op(*wide, **kwargs)
    return result.is_floating_point() and (result.float() - expected).abs().max() > 0.1 * expected.abs().max()


def calls_for(name):
    """Calls that the sample inputs do not hold, in the order of the operator's own arguments."""
    r = torch.randn
    short = name.split("::")[1]
    if short in ("_native_batch_norm_legit_no_training", "convolution_backward"):
        yield from ((args, kwargs) for n, args, kwargs in core_aten.extra_calls() if spelled(n) == name)
        return
    floats = (torch.float32, torch.float32, torch.float16, torch.bfloat16)
    shapes = ((3, 4), (), (0, 3), (2, 1, 5), (7,), (2, 3, 4, 2), (1, 1), (4, 6))
    if short == "_convolution":
        for n, groups, transposed, s, p, d in ((1, 1, False, 1, 0, 1), (2, 2, False, 2, 1, 1), (2, 1, True, 2, 1, 1), (3, 1, False, 1, 1, 1),
                                               (2, 4, False, 1, 2, 2), (1, 2, True, 2, 0, 1), (2, 1, False, 3, 0, 2), (3, 2, True, 1, 0, 1)):
            w = r([4, 4 // groups] + [3] * n)
            yield (r([2, 4] + [9] * n), w, r(4) if groups == 1 else None,
                   [s] * n, [p] * n, [d] * n, transposed, [0] * n, groups, False, False, True, True), {}
    elif short == "convolution":
        for n, groups, transposed, s, p, d in ((1, 1, False, 1, 0, 1), (2, 2, False, 2, 1, 1), (2, 1, True, 2, 1, 1), (3, 1, False, 1, 1, 1),
                                               (2, 4, False, 1, 2, 2), (1, 2, True, 2, 0, 1), (2, 1, False, 3, 0, 2), (3, 2, True, 1, 0, 1)):
            yield (r([2, 4] + [9] * n), r([4, 4 // groups] + [3] * n), None, [s] * n, [p] * n, [d] * n, transposed, [0] * n, groups), {}
    elif short in ("_softmax", "einsum", "index.Tensor", "clamp", "col2im", "div.Scalar_mode", "grid_sampler", "instance_norm",
                   "view_as_real") or short.startswith("max_pool"):
        yield from special_calls(short)
    elif short == "batch_norm":
        for shape, dtype in zip(((2, 3, 4), (4, 3), (1, 3, 2, 5), (2, 3, 2, 2, 2)) * 2, floats * 2):
            p = [r(3).to(dtype), r(3).to(dtype), r(3).to(dtype), torch.rand(3).to(dtype) + 0.5]
            yield (r(shape).to(dtype), *p, False, 0.1, 1e-5, True), {}
    elif short.startswith(("upsample_", "_upsample_")):
        yield from upsample_calls(short)
    elif short in ("pad",):
        for mode, value in (("constant", 1.5), ("reflect", None), ("replicate", None), ("circular", None)):
            for shape in ((2, 3, 6, 5), (1, 4, 7, 4)):
                yield (r(shape), [1, 2, 0, 3], mode, value), {}
    elif short in ("dropout", "dropout_"):
        for shape in shapes:
            yield (r(shape), 0.5, False), {}
    elif short in ("bernoulli_.float", "uniform_"):
        for shape in shapes:
            yield (r(shape), *((0.3,) if short[0] == "b" else (0.0, 2.0))), {}
    elif short in ("to.device", "to.dtype", "to.dtype_layout", "to.other", "to.prim_Device", "type_as"):
        for shape, dtype in zip(shapes, (torch.float16, torch.int64, torch.float32, torch.bool, torch.bfloat16, torch.int32, torch.float64, torch.uint8)):
            x = r(shape) * 5
            yield {"to.device": ((x, "cpu", dtype), {}), "to.dtype": ((x, dtype), {}), "to.dtype_layout": ((x,), {"dtype": dtype}),
                   "to.other": ((x, r(2).to(dtype)), {}), "type_as": ((x, r(2).to(dtype)), {}),
                   "to.prim_Device": ((x, torch.device("cpu"), dtype), {})}[short]
    elif short == "scaled_dot_product_attention":
        for dtype in floats:
            for causal in (False, True):
                q, k, v = (r(2, 3, n, 8).to(dtype) for n in (5, 7, 7))
                yield (q, k, v, None if causal else r(5, 7).to(dtype), 0.0, causal), {}
    elif short == "repeat_interleave.self_Tensor":
        for n in (1, 3, 4, 6):
            yield (r(n, 2), torch.arange(n), 0), {}
            yield (r(2, n), torch.arange(n) + 1, 1), {"output_size": sum(range(n)) + n}
    elif short == "roi_align":
        for size, ratio, aligned in ((2, 2, True), (3, 1, False), (1, 3, True), (4, 2, False)):
            for scale in (0.5, 1.0):
                boxes = torch.rand(4, 4) * 8
                boxes[:, 2:] += boxes[:, :2] + 1
                yield (r(2, 3, 16, 16), torch.cat([torch.tensor([[0.0], [1], [1], [0]]), boxes], 1), scale, size, size, ratio, aligned), {}
    elif short in ("_weight_norm", "_weight_norm_interface"):
        for shape in ((4, 3), (5, 2, 3), (2, 2, 3, 3), (6, 1)) * 2:
            yield (r(shape), r([shape[0]] + [1] * (len(shape) - 1)), 0), {}
    elif short in ("where.Scalar", "where.ScalarSelf", "where.ScalarOther", "where"):
        for shape in shapes:
            mask = r(shape) > 0
            yield {"where.Scalar": ((mask, 1.5, -2), {}), "where.ScalarSelf": ((mask, 0.5, r(shape)), {}), "where": ((mask,), {}),
                   "where.ScalarOther": ((mask, r(shape), 3), {})}[short]
    elif short in ("swapaxes", "transpose.int"):
        for shape in ((3, 4), (2, 3, 4), (1, 5, 2), (0, 3)) * 2:
            yield (r(shape), 0, -1), {}
    elif short in ("eye", "linspace", "arange", "arange.start", "arange.start_step", "zeros", "ones", "full", "randperm", "randn"):
        for n in (1, 2, 3, 4, 5, 7, 8, 11):
            yield {"eye": ((n,), {}), "linspace": ((-1.0, n, n + 2), {}), "arange": ((n,), {}), "arange.start": ((1, n + 1), {}),
                   "arange.start_step": ((0, 2 * n, 2), {}), "zeros": (([n, 2],), {}), "ones": (([2, n],), {"dtype": torch.float16}),
                   "full": (([n], 1.5), {}), "randperm": ((n,), {}), "randn": (([n, 2],), {})}[short]
    else:
        yield from generic_calls(name, shapes, floats)


def special_calls(short):
    r = torch.randn
    for k, dtype in enumerate((torch.float32, torch.float16) * 4):
        n, x = 2 + k % 3, r(2 + k % 2, 3, 4 + k).to(dtype)
        image = r([2, 3] + [6 + k] * (3 if "3d" in short else 2)).to(dtype)
        size = 3 if "3d" in short else 2
        if short == "_softmax":
            yield (x, k % 3, False), {}
        elif short == "einsum":
            yield ("bij,bjk->bik", [x, r(x.shape[0], x.shape[2], n).to(dtype)]), {}
        elif short == "index.Tensor":
            yield (x, [None, torch.tensor([2, 0, 1, 1][:n])] if k % 2 else [torch.tensor([1, 0]), torch.tensor([2, 2])]), {}
        elif short == "clamp":
            yield (x, -0.5 if k % 3 else None, 0.5 if k % 2 or k == 0 else None), {}
        elif short == "col2im":
            yield (r(2, 12, 4 * n), [3, 2 * n + 1], [2, 2], [1, 1], [0, 0], [1, 1]), {}
        elif short == "div.Scalar_mode":
            yield (x * 5, 1.5), {"rounding_mode": (None, "floor", "trunc")[k % 3]}
        elif short == "grid_sampler":
            yield (image.float(), torch.rand(2, 4, 5, 2) * 2.4 - 1.2, k % 3, k // 3, bool(k % 2)), {}
        elif short == "instance_norm":
            yield (image.float(), r(3), r(3), None, None, True, 0.1, 1e-5, True), {}
        elif short == "view_as_real":
            yield (torch.complex(r(3, n), r(3, n)),), {}
        elif short.startswith("max_pool"):
            yield (image, [3] * size, [1 + k % 3] * size, [k % 2] * size, [1] * size, bool(k % 2)), {}


def upsample_calls(short):
    n = next(k for k in (1, 2, 3) if f"{k}d" in short)
    for size in ((5,) * n, (4, 7, 3)[:n]):
        x = torch.randn(2, 3, *size)
        for target, factors in (([2 * s - 1 for s in size], None), ([s // 2 + 1 for s in size], None), (None, [1.5] * n), (None, [2.0] * n)):
            smooth = "nearest" not in short
            if short.endswith(".vec"):
                yield (x, target, *((False,) if smooth else ()), factors), {}
            elif target:
                yield (x, target, *((True,) if smooth else ())), {}
                yield (x, target, *((False,) if smooth else ())), {}


def generic_calls(name, shapes, floats):
    """Calls that any operator with plain tensor and number arguments takes."""
    arguments = overload(name)._schema.arguments
    for shape, dtype in zip(shapes, floats * 2):
        args = []
        for a in arguments:
            if a.kwarg_only or (a.has_default_value() and args):
                break
            kind = str(a.type)
            if kind == "Tensor":
                args.append((torch.randn(shape) * 2).to(dtype))
            elif kind == "number" or kind == "float":
                args.append(1.5)
            elif kind == "int":
                args.append(0 if a.name.startswith("dim") else 2)
            elif kind == "List[int]":
                args.append(list(shape))
            elif kind == "List[Tensor]":
                args.append([torch.randn(shape).to(dtype), torch.randn(shape).to(dtype)])
            else:
                return
        yield tuple(args), {}


def tensor_cases(wanted, options, folder, blob, cases, skipped):
    by_name = tables()
    counts = collections.Counter()
    for number, name in enumerate(sorted(wanted)):
        op = overload(name)
        if op is None:
            continue
        base = name.split("::")[1].split(".")[0]
        calls = collections.defaultdict(list)
        infos = by_name[base] or by_name[base.rstrip("_")] or by_name[base.lstrip("_")]
        for kind, call in sample_calls(op, infos):
            calls[kind].append(call)
        for call in calls_for(name):
            tensors = [t for t in core_aten.tree_flatten(call)[0] if isinstance(t, torch.Tensor)]
            calls[core_aten.kind_of(tensors)].append(call)
        for k, (args, kwargs) in enumerate(core_aten.chosen(calls, options.cases)):
            try:
                missing = core_aten.write_case(op, args, kwargs, str(op), f"{number}-{k}", folder, blob, cases)
                counts[name] += len(core_aten.ROUTES) - len(missing)
            except Exception as error:
                missing = {"torch": f"{type(error).__name__}: {str(error)[:150]}"}
            skipped.update(f"{route}: {name}: {why}" for route, why in missing.items())
    return counts


def operators_of(block, found):
    for node in block.nodes():
        schema = node.schema()
        if schema != "(no schema)":
            found.add(schema.split("(")[0])
        for inner in node.blocks():
            operators_of(inner, found)
    return found


def script_cases(folder, blob, cases):
    """Writes the scripted functions' cases; gives the operators of each function."""
    scripts, held, modules = {}, {}, {}
    for number, (function, x) in enumerate(trace_scripts.calls()):
        name = function.__name__
        if name not in scripts:
            module = modules[name] = trace_scripts.module_of(function)
            path = os.path.join(folder, name + ".pt")
            module.save(path)
            scripts[name], held[name] = path, operators_of(module.inlined_graph, set())
        expected = core_aten.named_results(modules[name](x))  # not Python's own answer: a shape is no list there
        cases.write(json.dumps({
            "id": f"script.{name} #{number} torchscript (float32{list(x.shape)})", "file": scripts[name], "random": False,
            "inputs": {"x": blob.add(x)}, "outputs": {n: blob.add(t) for n, t in expected.items()}}) + "\n")
    return held


def summarize(wanted, results, held, skipped):
    by_op = collections.defaultdict(list)
    for r in results:
        name = r["id"].split(" ")[0]
        inside = held.get(name[7:], ()) if name.startswith("script.") else (spelled(name),)
        for op in inside:
            by_op[op].append(r)
    absent = {n for n in wanted if not by_op[n] and "Could not run" in first_reason(n, skipped)}
    counted = [n for n in wanted if n not in absent]
    passed = [n for n in wanted if by_op[n] and all(r["status"] == "passed" for r in by_op[n])]
    bad = [r for r in results if r["status"] != "passed"]
    failures = [{"name": f"{n} ({wanted[n]} models)", "status": "failed" if by_op[n] else "not counted: torch has no kernel here" if n in absent else "no case",
                 "reason": "; ".join(sorted({f"{r['id']}: {r.get('reason', r['status'])}" for r in by_op[n]
                                             if r["status"] != "passed"})[:2]) or first_reason(n, skipped)}
                for n in sorted(wanted) if n not in passed]
    few = [n for n in passed if len(by_op[n]) < 8]
    return {
        "title": "ATen operators of the sweeps' programs", "date": datetime.date.today().isoformat(),
        "command": "python3 tools/sweeps/trace_ops.py", "versions": {"torch": torch.__version__},
        "total": len(wanted), "counted": len(counted), "passed": len(passed), "rate": len(passed) / max(1, len(counted)), "goal": 0.97,
        "largest_error": None,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "notes": [f"{len(results) - len(bad)} of {len(results)} cases passed; an operator passes when all of its cases do, in .pt2, "
                  "traces and scripts",
                  "convolutions of float16 are left out where PyTorch is over 10 % off its own float32 result",
                  *core_aten.notes_on_float64(results)] + ([f"fewer than 8 cases: {', '.join(few)}"] if few else []),
        "failures": failures,
    }


def first_reason(name, skipped):
    return next((key for key in skipped if f": {name}: " in key), "nothing calls it")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    parser.add_argument("--inventory", default=os.path.join(root, "..", "shared", "data"))
    parser.add_argument("--runner", default="build/bin/run_cases")
    parser.add_argument("--cases", type=int, default=10, help="calls kept for each operator")
    parser.add_argument("--only", default="", help="these operators, comma separated: aten::add.Tensor")
    parser.add_argument("--summary", help="where the JSON summary goes")
    parser.add_argument("--folder", help="where cases are kept; default a temporary folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.folder or tempfile.mkdtemp(prefix="godwit-trace-ops-")
    os.makedirs(folder, exist_ok=True)
    wanted = inventory(options.inventory)
    if options.only:
        wanted = {name: wanted.get(name, 0) for name in options.only.split(",")}
    skipped, blob = collections.Counter(), core_aten.Blob(os.path.join(folder, "blob"))
    with open(os.path.join(folder, "cases.jsonl"), "w") as cases:
        tensor_cases(wanted, options, folder, blob, cases, skipped)
        held = {} if options.only else script_cases(folder, blob, cases)
    blob.file.close()
    results = core_aten.run(options, folder)
    summary = summarize(wanted, results, held, skipped)
    if options.summary:
        with open(options.summary, "w") as file:
            json.dump(summary, file, indent=1)
    print(json.dumps({k: v for k, v in summary.items() if k != "failures"}))
    for failure in summary["failures"]:
        print(failure["status"], failure["name"], failure["reason"], file=sys.stderr)
    return 0 if summary["rate"] >= summary["goal"] else 1


if __name__ == "__main__":
    sys.exit(main())
