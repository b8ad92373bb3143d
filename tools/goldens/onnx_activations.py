"""Records recurrent layers with other activations than the usual, computed by onnxruntime: the backend suite has none.

    python3 tools/goldens/onnx_activations.py tests/data/onnx/recurrent_activations.zip

The zip has the layout of the backend slice: CASE/model.onnx and CASE/test_data_set_0/{input,output}_I.pb.
"""
import sys
import zipfile

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

STEPS, BATCH, SIZE, HIDDEN = 5, 2, 3, 4
# name, op, gates, outputs, attributes
CASES = [
    ("lstm_activations", "LSTM", 4, 3,
     dict(activations=["HardSigmoid", "Softsign", "Relu"], activation_alpha=[0.3], activation_beta=[0.4])),
    ("gru_activations", "GRU", 3, 2,
     dict(activations=["Sigmoid", "LeakyRelu"], activation_alpha=[0.05], linear_before_reset=1)),
    ("gru_both_directions", "GRU", 3, 2,
     dict(activations=["HardSigmoid", "Tanh", "Sigmoid", "ScaledTanh"], activation_alpha=[0.3, 0.7],
          activation_beta=[0.4, 1.3], direction="bidirectional")),
    ("rnn_activations", "RNN", 1, 2,
     dict(activations=["ScaledTanh"], activation_alpha=[0.7], activation_beta=[1.3])),
]


def main():
    random = np.random.default_rng(0)
    with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        def write(name, data):
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)

        for name, op, gates, count, attrs in CASES:
            both = 2 if attrs.get("direction") == "bidirectional" else 1
            shapes = dict(x=(STEPS, BATCH, SIZE), w=(both, gates * HIDDEN, SIZE), r=(both, gates * HIDDEN, HIDDEN),
                          b=(both, 2 * gates * HIDDEN))
            inputs = {k: (random.standard_normal(s) * 0.5).astype(np.float32) for k, s in shapes.items()}
            outputs = {f"y{i}": (STEPS, both, BATCH, HIDDEN) if i == 0 else (both, BATCH, HIDDEN)
                       for i in range(count)}
            info = lambda items: [helper.make_tensor_value_info(k, TensorProto.FLOAT, s) for k, s in items.items()]
            node = helper.make_node(op, list(inputs), list(outputs), hidden_size=HIDDEN, **attrs)
            graph = helper.make_graph([node], name, info(shapes), info(outputs))
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
            session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            write(f"{name}/model.onnx", model.SerializeToString())
            for i, (k, v) in enumerate(inputs.items()):
                write(f"{name}/test_data_set_0/input_{i}.pb", numpy_helper.from_array(v, k).SerializeToString())
            for i, (k, v) in enumerate(zip(outputs, session.run(None, inputs))):
                write(f"{name}/test_data_set_0/output_{i}.pb", numpy_helper.from_array(v, k).SerializeToString())


if __name__ == "__main__":
    main()
