"""Ways from a module in memory to a file that godwit reads, with the golden that belongs to it."""
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
import names  # noqa: E402
import onnx_model  # noqa: E402
import tensors  # noqa: E402
import torch_model  # noqa: E402
from zoo_common import Skip  # noqa: E402


def golden(path, inputs, outputs):
    named = {f"input/{name}": torch_model.to_numpy(value) for name, value in inputs.items()}
    named |= {f"output/{name}": value for name, value in outputs.items()}
    tensors.save(path, named)


def torch_outputs(result):
    return {name: torch_model.to_numpy(value) for name, value in names.named_leaves(result).items()}


def is_value(value):
    return isinstance(value, (torch.Tensor, bool, int, float))


def draws_random_numbers(program, args, kwargs, outputs):
    """Whether a second run gives something else: then no other program can be compared with it."""
    nodes = [node for module in program.graph_module.modules() if hasattr(module, "graph") for node in module.graph.nodes]
    if not any(torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()) for node in nodes):
        return False
    again = torch_outputs(program.module()(*args, **kwargs))
    return any(bytes_of(again[name]) != bytes_of(value) for name, value in outputs.items())


def bytes_of(value):
    return getattr(value, "array", value).tobytes()


def pt2(model, args, kwargs, folder):
    with torch.no_grad():
        program = torch.export.export(model, args, kwargs, strict=False)
        outputs = torch_outputs(program.module()(*args, **kwargs))
        if draws_random_numbers(program, args, kwargs, outputs):
            raise Skip("the original draws random numbers: two runs differ")
    path = os.path.join(folder, "model.pt2")
    torch.export.save(program, path)
    flat = torch.utils._pytree.tree_leaves((args, kwargs), is_leaf=lambda leaf: leaf is None)
    kinds = torch.export.graph_signature.InputKind
    specs = [s for s in program.graph_signature.input_specs if s.kind == kinds.USER_INPUT]
    inputs = {spec.arg.name: value for spec, value in zip(specs, flat) if isinstance(value, torch.Tensor)}
    golden(os.path.join(folder, "golden.safetensors"), inputs, outputs)
    return path


def torchscript(model, args, kwargs, folder):
    with torch.no_grad():
        options = {"example_kwarg_inputs": tensors_only(kwargs)} if kwargs else {"example_inputs": args}
        traced = torch.jit.trace(model, strict=False, check_trace=False, **options)
        result = traced(*args, **tensors_only(kwargs))
    path = os.path.join(folder, "model.pt")
    traced.save(path)
    arguments = [a.name for a in traced.forward.schema.arguments[1:]]
    inputs = dict(zip(arguments, args)) | tensors_only(kwargs)
    golden(os.path.join(folder, "golden.safetensors"), inputs, torch_outputs(result))
    return path


def tensors_only(kwargs):
    return {name: value for name, value in kwargs.items() if isinstance(value, torch.Tensor)}


def onnx(model, args, kwargs, folder):
    path = os.path.join(folder, "model.onnx")
    try:
        torch.onnx.export(model, args, path, kwargs=kwargs, dynamo=True, external_data=False, verbose=False)
    except Exception:  # the exporter's older route takes some models that the new one refuses
        torch.onnx.export(model, args, path, kwargs=tensors_only(kwargs), dynamo=False)
    reference = onnx_model.OnnxModel(path, threads=1)
    given = [value for value in list(args) + list(kwargs.values()) if isinstance(value, torch.Tensor)]
    inputs = {name: kwargs[name] for name in reference.inputs if name in kwargs}
    left = [value for value in given if not any(value is used for used in inputs.values())]
    inputs |= dict(zip([name for name in reference.inputs if name not in inputs], left))
    feeds = {name: torch_model.to_numpy(value) for name, value in inputs.items()}
    outputs = reference.run(reference.prepare(feeds))
    golden(os.path.join(folder, "golden.safetensors"), inputs, outputs)
    return path


ROUTES = {"pt2": pt2, "onnx": onnx, "torchscript": torchscript}
