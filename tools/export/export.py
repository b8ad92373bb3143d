#!/usr/bin/env python3
"""Exports a model that exists as Python code to .pt2, and records what it computes: godwit convert calls it.

    export.py net.py --model-class Net --input x=batch,3,224,224 --output model.pt2 --golden golden.safetensors
    export.py FOLDER --output model.pt2 --golden golden.safetensors

net.py is run, since its user names it; of a folder (config.json and weights in the layout of transformers) nothing is
run but transformers itself. Prints one line of JSON: `ok`, then `error`, or `inputs` (shapes with the names of dynamic
dimensions), `framework`, `what`, `warnings`.
"""
import argparse
import copy
import json
import os
import re
import sys
import traceback
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "reference")]


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a .py file or a folder")
    parser.add_argument("--model-class", default="", help="what makes the model: Net, or Net(width=2)")
    parser.add_argument("--weights", default="", help="a state dict (.pt, .safetensors) to load into it")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=SHAPE[:DTYPE]")
    parser.add_argument("--size", action="append", default=[], metavar="SYMBOL=N", help="a dynamic dimension's length")
    parser.add_argument("--output", required=True, help="the .pt2 file to write")
    parser.add_argument("--golden", required=True, help=".safetensors file to write: inputs with outputs")
    return parser.parse_args(argv)


def load(options):
    import sources
    if os.path.isdir(options.source):
        return sources.from_folder(options.source, options.model_class, options.input)
    return sources.from_file(options.source, options.model_class, options.weights)


def call_of(source, options):
    """(args, kwargs, shapes by input name): what the model is called with for the export."""
    import specs
    given = [specs.Spec(text) for text in options.input] or list(source.specs)
    sizes = {}
    for text in options.size:
        name, _, value = text.partition("=")
        if not value.isdigit():
            raise specs.Mistake(f"--size expects SYMBOL=N, given '{text}'")
        sizes[name] = int(value)
    shapes = {spec.name: spec.shape for spec in given if spec.symbols()}
    if source.example:
        args, kwargs = source.example
    elif source.values:
        args, kwargs = specs.as_call(source.model, source.values)
    elif given:
        values = specs.values_of(given, specs.symbol_sizes(given, sizes), source.model)
        args, kwargs = specs.as_call(source.model, values)
    else:
        takes = ", ".join(specs.parameters_of(source.model))
        raise specs.Mistake(f"what the model is called with is not known; forward takes {takes}: give --input NAME=SHAPE "
                            "for each, or write a function example_inputs() beside the model")
    return args, kwargs, shapes


def bound_arguments(model, args, kwargs, shapes):
    import inspect

    import specs
    bound = inspect.signature(model.forward).bind(*args, **kwargs).arguments
    unknown = [name for name in shapes if name not in bound]
    if unknown:
        raise specs.Mistake(f"no input is called {', '.join(unknown)}; the call has {', '.join(bound)}")
    for name, shape in shapes.items():
        length = list(getattr(bound[name], "shape", []))
        fits = len(shape) == len(length) and all(isinstance(w, str) or w == n for w, n in zip(shape, length))
        if not fits:
            raise specs.Mistake(f"--input {name}={','.join(map(str, shape))} does not fit the example input, {length}")
    return bound


def dynamic_shapes(bound, shapes, dims):
    """What torch.export wants to know: for each argument the dynamic axes, {axis: Dim}."""
    import torch

    def axes(name, value):
        if name in shapes:
            return {i: dims[d] for i, d in enumerate(shapes[name]) if d in dims}
        return torch.utils._pytree.tree_map(lambda _: None, value)

    return {name: axes(name, value) for name, value in bound.items()}


def export(model, args, kwargs, shapes, is_default):
    """The exported program, and warnings. A dynamic dimension gets the bounds that the model has; one that the model
    fixes is a mistake where the user asked for it, and a warning otherwise."""
    import specs
    import torch
    said = []
    bound = bound_arguments(model, args, kwargs, shapes)
    dims = {d: torch.export.Dim(d) for shape in shapes.values() for d in shape if isinstance(d, str)}
    for _ in range(2 * len(dims) + 1):
        try:
            with torch.no_grad():
                wanted = dynamic_shapes(bound, shapes, dims) if dims else None
                return torch.export.export(model, args, kwargs, dynamic_shapes=wanted, strict=False), said
        except Exception as error:
            if not adjust(dims, str(error), is_default, said):
                explain(model, args, kwargs, error)
    raise specs.Mistake("torch.export finds no bounds for the dynamic dimensions " + ", ".join(dims))


def adjust(dims, message, is_default, said):
    """Takes up the fixes that torch.export suggests. False where there are none."""
    import specs
    import torch
    violated, found, suggestions = message.partition("Suggested fixes:")
    changed = False
    if not found:
        # Conditions on lengths that torch cannot put as bounds ("length != 64", out of a look at strides).
        for name in re.findall(r"\w+", "".join(re.findall(r"Constraints violated \((.*?)\)", violated))):
            if name in dims and dims[name] is not torch.export.Dim.AUTO:
                dims[name], changed = torch.export.Dim.AUTO, True
    for line in suggestions.splitlines():
        name, equals, value = (part.strip() for part in line.partition(" = "))
        if not equals or name not in dims:
            continue
        limits = re.fullmatch(r"Dim\('\w+'((?:, (?:min|max)=\d+)*)\)", value)
        if limits:
            dims[name] = torch.export.Dim(name, **{k: int(v) for k, v in re.findall(r"(min|max)=(\d+)", limits[1])})
            said.append(f"{name} has bounds: {limits[1].strip(', ')}")
        elif is_default:
            del dims[name]
            said.append(f"{name} is not dynamic: the model needs {name} = {value}")
        else:
            raise specs.Mistake(f"the dimension {name} cannot be any length: the model needs {name} = {value}")
        changed = True
    return changed


def explain(model, args, kwargs, error):
    import specs
    import torch
    try:
        with torch.no_grad():
            copy.deepcopy(model)(*args, **kwargs)
    except Exception as own:
        raise specs.Mistake(f"the model itself fails on these inputs: {short(own)}") from own
    raise specs.Mistake(f"torch.export refuses the model: {short(error)}") from error


def short(error, limit=1200):
    text = f"{type(error).__name__}: {error}".strip()
    return text if len(text) <= limit else text[:limit] + " ..."


def named_inputs(program, args, kwargs):
    """The tensors that the exported program takes, under its names."""
    import torch
    kinds = torch.export.graph_signature.InputKind
    flat = torch.utils._pytree.tree_leaves((args, kwargs), is_leaf=lambda leaf: leaf is None)
    specs = [s for s in program.graph_signature.input_specs if s.kind == kinds.USER_INPUT]
    return {spec.arg.name: value for spec, value in zip(specs, flat) if isinstance(value, torch.Tensor)}


def record(path, model, args, kwargs, inputs):
    """What the original computes, before anything of godwit has seen it."""
    import names
    import tensors
    import torch
    import torch_model
    given = {f"input/{name}": torch_model.to_numpy(value.clone()) for name, value in inputs.items()}
    with torch.no_grad():
        result = model(*copy.deepcopy(args), **copy.deepcopy(kwargs))
    outputs = {f"output/{n}": torch_model.to_numpy(v) for n, v in names.named_leaves(result).items()}
    tensors.save(path, given | outputs, {"name": "torch", "version": torch.__version__})


def shape_of(program, name, shapes):
    """The user's names where the program left an axis dynamic."""
    (value,) = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name == name]
    names_of = shapes.get(name, [None] * value.dim())
    return [length if isinstance(length, int) else wanted or str(length) for wanted, length in zip(names_of, value.shape)]


def run(options):
    import torch
    from specs import Mistake
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()))
    source = load(options)
    args, kwargs, shapes = call_of(source, options)
    program, said = export(source.model, args, kwargs, shapes, is_default=not options.input)
    torch.export.save(program, options.output)
    inputs = named_inputs(program, args, kwargs)
    record(options.golden, source.model, args, kwargs, inputs)
    described = {name: shape_of(program, name, shapes) for name in inputs}
    for name, shape in described.items():
        for wanted, length in zip(shapes.get(name, []), shape):
            if isinstance(wanted, str) and isinstance(length, int) and options.input:
                raise Mistake(f"the dimension {wanted} cannot be any length: the export fixes it to {length}")
    return {"inputs": described, "framework": f"torch {torch.__version__}", "what": source.what,
            "warnings": said}


def main(argv=None):
    options = parse(argv)
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what frameworks and the model print must not get into the answer
    warnings.filterwarnings("ignore")
    try:
        import torch  # noqa: F401
        import numpy  # noqa: F401
        from specs import Mistake
    except ImportError as error:
        missing = error.name or "torch"
        print(json.dumps({"ok": False, "error": f"exporting needs {missing}, which {sys.executable} does not have; "
                          f"install it with: {sys.executable} -m pip install {missing} (or name another Python with "
                          "GODWIT_PYTHON)"}), file=answer)
        return 1
    try:
        print(json.dumps({"ok": True} | run(options)), file=answer)
        return 0
    except Mistake as error:
        print(json.dumps({"ok": False, "error": str(error)}), file=answer)
    except Exception as error:
        traceback.print_exc()
        print(json.dumps({"ok": False, "error": short(error)}), file=answer)
    return 1


if __name__ == "__main__":
    sys.exit(main())
