"""Records TfIdfVectorizer, computed by onnxruntime, and casts to float8e8m0, computed by onnx's reference evaluator.

    python3 tools/goldens/onnx_n_grams.py tests/data/onnx/n_grams.zip

The zip has the layout of the backend slice: CASE/model.onnx and CASE/test_data_set_0/{input,output}_I.pb.
"""
import sys
import zipfile

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

POOL = dict(ngram_counts=[0, 4, 10], ngram_indexes=[6, 5, 4, 3, 2, 1, 0, 8], min_gram_length=1, max_gram_length=3,
            pool_int64s=[2, 3, 5, 4, 5, 6, 7, 8, 6, 7, 3, 3, 7])
WEIGHTS = [0.5, 2.0, 1.0, 3.0, -1.0, 0.25, 4.0, 1.5]
MAGNITUDES = [0, 1e-40, 2.0**-126, 0.3, 1.0, 1.1, 1.5, 1.6, 3.9, -1.5, 3e38, np.inf, -np.inf, np.nan]


def cases():
    random = np.random.default_rng(0)
    lists = random.integers(2, 9, (3, 14))
    for mode in ("TF", "IDF", "TFIDF"):
        weights = {} if mode == "TF" else dict(weights=WEIGHTS)
        for gaps, x in ((0, lists), (2, lists[0].astype(np.int32))):
            node = helper.make_node("TfIdfVectorizer", ["x"], ["y"], mode=mode, max_skip_count=gaps, **POOL, **weights)
            yield f"n_grams_{mode}_{gaps}", node, x, TensorProto.FLOAT
    for mode, values in (("up", MAGNITUDES), ("down", MAGNITUDES), ("nearest", MAGNITUDES)):
        node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT8E8M0, round_mode=mode)
        yield f"power_of_two_{mode}", node, np.array(values, np.float32), TensorProto.FLOAT8E8M0


def main():
    with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        def write(name, data):
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)

        for name, node, x, kind in cases():
            inputs = [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)]
            graph = helper.make_graph([node], name, inputs, [helper.make_tensor_value_info("y", kind, None)])
            counts = node.op_type == "TfIdfVectorizer"
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14 if counts else 28)], ir_version=8)
            run = onnxruntime.InferenceSession(model.SerializeToString()) if counts else ReferenceEvaluator(model)
            y = run.run(None, {"x": x})[0]
            write(f"{name}/model.onnx", model.SerializeToString())
            write(f"{name}/test_data_set_0/input_0.pb", numpy_helper.from_array(x, "x").SerializeToString())
            write(f"{name}/test_data_set_0/output_0.pb", numpy_helper.from_array(np.asarray(y), "y").SerializeToString())


if __name__ == "__main__":
    main()
