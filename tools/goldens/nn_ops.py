"""Records what torch and onnxruntime compute for the neural-network rows of the op table.

    python3 tools/goldens/nn_ops.py tests/data/nn_ops

One safetensors file a family. The metadata entry "cases" is a JSON list: op, attributes in the text form of the IR,
the tolerance as a part of the output's scale, and types where the file's do not tell
(sub-byte integers and 8-bit floats are stored as bytes, float64 as int64 bits). Tensors are named CASE.inN and CASE.outN.
"""
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file

torch.manual_seed(0)
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.float16: 2e-3, torch.bfloat16: 1.6e-2,
             torch.complex64: 1e-5}


class Real(float):
    """An attribute that is a real even where it is whole."""


class Kind(str):
    """A dtype attribute."""


def text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Kind):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(text(v) for v in value) + "]" if value else "[]"
    return str(int(value))


class Family:
    def __init__(self, name):
        self.name, self.cases, self.tensors = name, [], {}

    def add(self, op, inputs, outputs, tolerance=None, types=None, out_types=None, symbolic=True, **attrs):
        name = f"{op}{len(self.cases)}"
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        first = next((o for o in outputs if o.dtype in TOLERANCE), None)
        if tolerance is None:
            tolerance = TOLERANCE[first.dtype] if first is not None else 0.0
        types, out_types = dict(types or {}), dict(out_types or {})
        for kind, tensors, named in (("in", inputs, types), ("out", outputs, out_types)):
            for i, t in enumerate(tensors):
                if t is None:
                    continue
                t = t.detach().contiguous().clone()
                if t.dtype == torch.float64:  # MLX reads no float64 files: the bits travel as integers
                    t, named[str(i)] = t.view(torch.int64), "f64"
                self.tensors[f"{name}.{kind}{i}"] = t
        self.cases.append({
            "name": name, "op": op, "attrs": {k: text(v) for k, v in attrs.items()}, "inputs": len(inputs),
            "outputs": len(outputs), "tolerance": tolerance,
            "types": types, "out_types": out_types, **({} if symbolic else {"symbolic": False})})

    def save(self, folder):
        save_file(self.tensors, folder / f"{self.name}.safetensors", metadata={"cases": json.dumps(self.cases, separators=(",", ":"))})
        print(self.name, len(self.cases), (folder / f"{self.name}.safetensors").stat().st_size)


def rand(*shape, dtype=torch.float32):
    return torch.randn(*shape).to(dtype)


def onnx_run(op, inputs, outputs=1, opset=20, **attrs):
    """One node in onnxruntime; None operands are absent."""
    import onnxruntime
    from onnx import TensorProto, helper
    names = [f"x{i}" if t is not None else "" for i, t in enumerate(inputs)]
    given = {n: np.asarray(t) for n, t in zip(names, inputs) if t is not None}
    outs = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, outs, **attrs)
    infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
             for n, v in given.items()]
    graph = helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info(o) for o in outs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [torch.from_numpy(np.asarray(v)) for v in session.run(None, given)]


def reference_run(op, inputs, outputs=1, opset=20, **attrs):
    """One node in ONNX's own reference implementation."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator
    names = [f"x{i}" if t is not None else "" for i, t in enumerate(inputs)]
    given = {n: np.asarray(t) for n, t in zip(names, inputs) if t is not None}
    outs = [f"y{i}" for i in range(outputs)]
    infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
             for n, v in given.items()]
    graph = helper.make_graph([helper.make_node(op, names, outs, **attrs)], "g", infos,
                              [helper.make_empty_tensor_value_info(o) for o in outs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return [torch.from_numpy(np.asarray(v)) for v in ReferenceEvaluator(model).run(None, given)]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    import nn_ops_cases_affine
    import nn_ops_cases_dense
    import nn_ops_cases_sampling
    for build in nn_ops_cases_dense.FAMILIES + nn_ops_cases_sampling.FAMILIES + nn_ops_cases_affine.FAMILIES:
        build().save(folder)


if __name__ == "__main__":
    sys.modules["nn_ops"] = sys.modules["__main__"]
    main()
