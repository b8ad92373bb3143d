"""Writes the small ONNX files under tests/data/onnx that the tests of the reader use. Needs the onnx package."""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto as T, helper, numpy_helper

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/data/onnx")
VALUES = [3, 0, 1, 1, 2]  # in range of every type but int2, where 3 and 2 wrap to -1 and -2


def storage():
    """One tensor of every type, stored raw and in typed fields."""
    model = onnx.ModelProto(ir_version=13)
    model.opset_import.add(version=25)
    model.graph.name = "storage"
    types = [n for n in T.DataType.keys() if n not in ("UNDEFINED", "STRING")]
    for name in types:
        if name.startswith("FLOAT6"):
            continue
        number = T.DataType.Value(name)
        values = [0, 1, -1, -2, 1] if name == "INT2" else VALUES
        typed = helper.make_tensor(name + "_typed", number, [5], values)
        model.graph.initializer.append(typed)
        raw = numpy_helper.from_array(numpy_helper.to_array(typed), name + "_raw")
        model.graph.initializer.append(raw)
    model.graph.initializer.append(helper.make_tensor("text", T.STRING, [2], [b"one", b"two"]))
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("linear", T.FLOAT, [2], [5.0, 7.0]), helper.make_tensor("i", T.INT64, [2], [1, 4]), [2, 3])
    model.graph.sparse_initializer.append(sparse)
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("coordinates", T.FLOAT, [2], [5.0, 7.0]),
        helper.make_tensor("i", T.INT64, [2, 2], [0, 1, 1, 1]), [2, 3])
    model.graph.sparse_initializer.append(sparse)
    (OUT / "storage.onnx").write_bytes(model.SerializeToString())


def external(name, location, offset=4, length=16):
    """A weight in a file of its own."""
    model = onnx.ModelProto(ir_version=10)
    model.opset_import.add(version=20)
    tensor = model.graph.initializer.add(name="w", dims=[4], data_type=T.FLOAT, data_location=T.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    model.graph.input.append(helper.make_tensor_value_info("x", T.FLOAT, ["N", 4]))
    model.graph.output.append(helper.make_tensor_value_info("y", T.FLOAT, None))
    model.graph.node.append(helper.make_node("Mul", ["x", "w"], ["y"], "scale"))
    (OUT / name).write_bytes(model.SerializeToString())


def functions():
    """A local function in a local function, with attributes by reference and by default."""
    op = helper.make_opsetid
    inner = helper.make_function(
        "local", "Slope", ["x"], ["y"], [helper.make_node("LeakyRelu", ["x"], ["y"])], [op("", 20)],
        attribute_protos=[helper.make_attribute("alpha", 0.5)])
    attribute = inner.node[0].attribute.add(name="alpha", type=onnx.AttributeProto.FLOAT)
    attribute.ref_attr_name = "alpha"
    outer = helper.make_function(
        "local", "Both", ["x"], ["y"],
        [helper.make_node("Slope", ["x"], ["t"], domain="local"), helper.make_node("Elu", ["t"], ["u"]),
         helper.make_node("Add", ["t", "u"], ["y"])], [op("", 20), op("local", 1)], attributes=["alpha"])
    outer.node[0].attribute.append(attribute)
    elu = outer.node[1].attribute.add(name="alpha", type=onnx.AttributeProto.FLOAT)
    elu.ref_attr_name = "missing"
    graph = helper.make_graph(
        [helper.make_node("Both", ["x"], ["a"], domain="local", alpha=0.25),
         helper.make_node("Slope", ["a"], ["y"], domain="local")],
        "functions", [helper.make_tensor_value_info("x", T.FLOAT, [4])],
        [helper.make_tensor_value_info("y", T.FLOAT, [4])])
    model = helper.make_model(graph, functions=[inner, outer], opset_imports=[op("", 20), op("local", 1)], ir_version=9)
    (OUT / "functions.onnx").write_bytes(model.SerializeToString())


def branches():
    """An If on an input, an If that captures, a Loop with a carried value and a scanned one."""
    value, info = helper.make_node, helper.make_tensor_value_info
    then = helper.make_graph([value("Neg", ["x"], ["b"])], "then", [], [info("b", T.FLOAT, None)])
    other = helper.make_graph([value("Identity", ["x"], ["b"])], "else", [], [info("b", T.FLOAT, None)])
    body = helper.make_graph(
        [value("Add", ["s", "c"], ["s2"]), value("Identity", ["go"], ["go2"]), value("Mul", ["s2", "s2"], ["q"])], "body",
        [info("i", T.INT64, []), info("go", T.BOOL, []), info("s", T.FLOAT, [2])],
        [info("go2", T.BOOL, []), info("s2", T.FLOAT, [2]), info("q", T.FLOAT, [2])])
    graph = helper.make_graph(
        [value("If", ["flag"], ["c"], then_branch=then, else_branch=other), value("Loop", ["n", "", "x"], ["y", "all"], body=body)],
        "branches", [info("x", T.FLOAT, [2]), info("flag", T.BOOL, []), info("n", T.INT64, [])],
        [info("y", T.FLOAT, [2]), info("all", T.FLOAT, ["n", 2])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    (OUT / "branches.onnx").write_bytes(model.SerializeToString())


OUT.mkdir(parents=True, exist_ok=True)
storage()
functions()
branches()
external("external.onnx", "external.bin")
external("external_escapes.onnx", "../onnx/external.bin")
external("external_missing.onnx", "nowhere.bin")
external("external_beyond.onnx", "external.bin", offset=8)
np.array([9, 1, 2, 3, 4], np.float32).tofile(OUT / "external.bin")
