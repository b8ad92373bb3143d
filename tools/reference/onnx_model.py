"""An ONNX model in onnxruntime."""
import numpy as np

import tensors

ORT_TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16, "tensor(bool)": np.bool_,
    "tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(int16)": np.int16, "tensor(uint16)": np.uint16,
    "tensor(int32)": np.int32, "tensor(uint32)": np.uint32, "tensor(int64)": np.int64, "tensor(uint64)": np.uint64,
}


class OnnxModel:
    def __init__(self, path, threads, layers=False):
        import onnxruntime
        self.versions = {"name": "onnxruntime", "version": onnxruntime.__version__}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        source = with_all_outputs(path) if layers else path
        self.session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self.inputs = {i.name: (i.type, i.shape) for i in self.session.get_inputs()}
        names = [o.name for o in self.session.get_outputs()]
        self.outputs = own_outputs(path) if layers else names
        self.layer_names = [name for name in names if name not in set(self.outputs)]

    def reset(self):
        """ONNX models keep nothing from run to run: state travels through inputs."""

    def prepare(self, values):
        unknown = set(values) - set(self.inputs)
        if unknown:
            raise ValueError(f"no input named {sorted(unknown)}; the model has {sorted(self.inputs)}")
        return {name: self.prepare_one(name, value) for name, value in values.items()}

    def prepare_one(self, name, value):
        if isinstance(value, tensors.Bits):
            import ml_dtypes
            kinds = {"BF16": ml_dtypes.bfloat16, "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2}
            return value.array.view(kinds[value.code])
        wanted = ORT_TYPES.get(self.inputs[name][0])
        if wanted is not None and value.dtype != wanted:
            raise ValueError(f"input {name} is {self.inputs[name][0]}, given {value.dtype}")
        return value

    def run(self, prepared, layers=False):
        names = self.outputs + (self.layer_names if layers else [])
        return dict(zip(names, self.session.run(names, prepared)))

    def to_numpy(self, name, value):
        array = np.asarray(value)
        return tensors.Bits("BF16", array.view(np.uint16)) if array.dtype.name == "bfloat16" else array


def own_outputs(path):
    import onnx
    return [o.name for o in onnx.load(path, load_external_data=False).graph.output]


def with_all_outputs(path):
    """The model's bytes with every tensor that a node of the main graph makes added to the outputs."""
    import onnx
    model = onnx.load(path)
    known = {o.name for o in model.graph.output}
    for node in model.graph.node:
        if node.op_type.startswith("Sequence") or node.op_type in ("SplitToSequence", "Optional"):
            continue  # lists are no tensors
        for name in node.output:
            if name and name not in known:
                known.add(name)
                model.graph.output.append(onnx.ValueInfoProto(name=name))
    return model.SerializeToString()
