"""An ONNX model of float32 computed in float64 by onnx's own evaluator: the number itself, where the framework's float32
functions are less exact than the tolerance asks for (onnxruntime's sigmoid is off by about 3e-8, however small its result)."""
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

WIDER = {onnx.TensorProto.FLOAT: onnx.TensorProto.DOUBLE}


def widen_tensor(tensor):
    if tensor.data_type in WIDER:
        wide = onnx.numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(onnx.numpy_helper.from_array(wide, tensor.name))


def widen_graph(graph):
    for tensor in graph.initializer:
        widen_tensor(tensor)
    for value in [*graph.input, *graph.output, *graph.value_info]:
        kind = value.type.tensor_type
        kind.elem_type = WIDER.get(kind.elem_type, kind.elem_type)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                widen_tensor(attribute.t)
            elif attribute.type == onnx.AttributeProto.GRAPH:
                widen_graph(attribute.g)
            elif node.op_type == "Cast" and attribute.name == "to":
                attribute.i = WIDER.get(attribute.i, attribute.i)


class WideModel:
    def __init__(self, path):
        model = onnx.load(path)
        initial = {tensor.name for tensor in model.graph.initializer}
        self.inputs = {v.name: (onnx.helper.printable_type(v.type), None) for v in model.graph.input if v.name not in initial}
        self.outputs = [v.name for v in model.graph.output]
        widen_graph(model.graph)
        self.evaluator = ReferenceEvaluator(model)
        self.versions = {"name": "onnx in float64", "version": onnx.__version__}

    def reset(self):
        """Nothing is kept from run to run."""

    def prepare(self, values):
        return {name: value.astype(np.float64) if value.dtype == np.float32 else value for name, value in values.items()}

    def run(self, prepared, layers=False):
        return dict(zip(self.outputs, self.evaluator.run(None, prepared)))

    def to_numpy(self, name, value):
        value = np.asarray(value)
        return value.astype(np.float32) if value.dtype == np.float64 else value
