"""Quantisation through the command line, and what stock MLX makes of the result. quantize_test.py GODWIT.

Needs only Python; what MLX reads says so where mlx is not installed."""
import json
import os
import random
import struct
import subprocess
import sys
import unittest

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli")]
import cli_test  # noqa: E402
import onnx_bytes  # noqa: E402

WORDS, WIDTH, HIDDEN, CLASSES = 40, 64, 128, 6
CODES = {"F32": "f", "I64": "q"}


def save(path, tensors):
    """A .safetensors file: name to (dtype, shape, values)."""
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        packed = struct.pack(f"<{len(values)}{CODES[dtype]}", *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def load(path):
    """The header of a .safetensors file, and the values of its float32 tensors."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    values = {name: struct.unpack(f"<{(e - s) // 4}f", data[s:e]) for name, entry in header.items()
              for s, e in [entry["data_offsets"]] if entry["dtype"] == "F32"}
    return header, values


def write_model(path):
    """ids -> embedding -> matmul, bias, relu -> matmul: a classifier of words."""
    numbers = random.Random(1)

    def weight(name, *shape):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        return onnx_bytes.tensor(name, shape, struct.pack(f"<{count}f", *(numbers.gauss(0, 0.2) for _ in range(count))))

    weights = [weight("embedding.weight", WORDS, WIDTH), weight("hidden.weight", WIDTH, HIDDEN), weight("hidden.bias", HIDDEN),
               weight("classifier.weight", HIDDEN, CLASSES)]
    nodes = [onnx_bytes.node("Gather", ["embedding.weight", "ids"], ["e"]),
             onnx_bytes.node("MatMul", ["e", "hidden.weight"], ["m"]), onnx_bytes.node("Add", ["m", "hidden.bias"], ["h"]),
             onnx_bytes.node("Relu", ["h"], ["r"]), onnx_bytes.node("MatMul", ["r", "classifier.weight"], ["y"])]
    with open(path, "wb") as file:
        file.write(onnx_bytes.model(nodes, [onnx_bytes.value("ids", [3, 5], 7)], [onnx_bytes.value("y", [3, 5, CLASSES])], weights))


class Quantize(cli_test.Case):
    def setUp(self):
        super().setUp()
        write_model(self.path("model.onnx"))
        self.ids = [random.Random(2).randrange(WORDS) for _ in range(15)]
        save(self.path("ids.safetensors"), {"ids": ("I64", [3, 5], self.ids)})
        self.answer("convert", "model.onnx", "-o", "plain")
        self.y = self.run_package("plain")
        save(self.path("golden.safetensors"),
             {"input/ids": ("I64", [3, 5], self.ids), "output/y": ("F32", [3, 5, CLASSES], self.y)})
        self.answer("convert", "model.onnx", "-o", "float", "--golden", "golden.safetensors")

    def run_package(self, package):
        self.answer("run", package, "--input", "ids.safetensors", "-o", "out.safetensors")
        return load(self.path("out.safetensors"))[1]["y"]

    def error(self, y):
        """Largest difference to the float model, as a share of the scale."""
        return max(abs(a - b) for a, b in zip(y, self.y)) / max(map(abs, self.y))

    def test_report_and_package(self):
        answer = self.answer("quantize", "float", "-o", "q8", "--bits", "8")
        self.assert_types(answer, status=str, package=str, bits=str, group_size=int, measured_on=str, bytes_before=int,
                          bytes_after=int, layers=list, outputs=list)
        self.assertEqual((answer["status"], answer["package"], answer["bits"]), ("quantized", "q8", "8"))
        self.assertEqual(answer["measured_on"], "golden")
        layers = {layer["name"]: layer for layer in answer["layers"]}
        self.assertEqual(sorted(layers), ["classifier", "embedding", "hidden"])
        for layer in layers.values():
            self.assert_types(layer, name=str, weight=str, ops=list, shape=list, bits=int, why=str, bytes_before=int,
                              bytes_after=int, weight_error=dict, output_error=dict)
            self.assertLess(layer["output_error"]["rms"], 0.02)
            self.assertGreater(layer["output_error"]["rms"], 1e-4)
        self.assertEqual(layers["hidden"]["shape"], [HIDDEN, WIDTH])
        self.assertEqual(layers["hidden"]["bytes_after"], HIDDEN * WIDTH + HIDDEN * (WIDTH // 32) * 2 * 4)
        self.assertEqual([o["name"] for o in answer["outputs"]], ["y"])
        self.assert_types(answer["outputs"][0], largest=float, rms=float, cosine=float)
        self.assertAlmostEqual(answer["outputs"][0]["largest"], self.error(self.run_package("q8")), places=5)
        with open(self.path("q8/quantization.json")) as file:
            kept = json.load(file)
        self.assertEqual(kept, {key: answer[key] for key in kept})
        header, _ = load(self.path("q8/weights.safetensors"))
        self.assertEqual({name: (entry["dtype"], entry["shape"]) for name, entry in header.items()},
                         {"embedding.weight": ("U32", [WORDS, WIDTH // 4]), "embedding.scales": ("F32", [WORDS, WIDTH // 32]),
                          "embedding.biases": ("F32", [WORDS, WIDTH // 32]), "hidden.weight": ("U32", [HIDDEN, WIDTH // 4]),
                          "hidden.scales": ("F32", [HIDDEN, WIDTH // 32]), "hidden.biases": ("F32", [HIDDEN, WIDTH // 32]),
                          "hidden.bias": ("F32", [HIDDEN]), "classifier.weight": ("U32", [CLASSES, HIDDEN // 4]),
                          "classifier.scales": ("F32", [CLASSES, HIDDEN // 32]), "classifier.biases": ("F32", [CLASSES, HIDDEN // 32])})

    def test_the_golden_stays_and_the_tolerance_is_that_of_the_bits(self):
        self.answer("quantize", "float", "-o", "q8", "--bits", "8")
        answer = self.answer("validate", "q8")
        self.assertEqual((answer["status"], answer["tolerance"]), ("passed", 0.05))
        self.assertIn("weights of 8 bits: no parity", answer["tolerance_for"])
        self.assertGreater(answer["max_error"], 1e-4)
        self.assertEqual(self.answer("validate", "float")["tolerance"], 1e-5)
        self.answer("validate", "q8", "--rtol", "1e-5", code=1)
        self.assertEqual(self.answer("inspect", "q8")["parameters"], self.answer("inspect", "float")["parameters"])

    def test_convert_does_the_same(self):
        answer = self.answer("convert", "model.onnx", "-o", "c", "--quantize", "4", "--group-size", "32", "--golden",
                             "golden.safetensors")
        self.assertEqual((answer["status"], answer["quantization"]["bits"]), ("converted", "4"))
        self.assertEqual(answer["validation"]["tolerance"], 0.3)
        self.answer("quantize", "float", "-o", "q", "--bits", "4", "--group-size", "32")
        self.assertEqual(self.run_package("c"), self.run_package("q"))
        random_input = self.answer("convert", "model.onnx", "-o", "r", "--quantize", "8")
        self.assertEqual(random_input["quantization"]["measured_on"], "random input")

    def test_patterns(self):
        answer = self.answer("quantize", "float", "-o", "q", "--bits", "4", "--override", "emb*=8", "--keep", "classifier",
                             "--report", "cost.html")
        self.assertEqual({layer["name"]: layer["bits"] for layer in answer["layers"]},
                         {"embedding": 8, "hidden": 4, "classifier": None})
        with open(self.path("cost.html")) as file:
            self.assertIn("Quantisation", file.read())
        done = self.call("quantize", "float", "-o", "q", "--bits", "8")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("embedding", "hidden", "classifier", "cosine", "3 of 3 layers"):
            self.assertIn(word, done.stdout)

    def test_mixed(self):
        answer = self.answer("quantize", "float", "-o", "q", "--bits", "mixed")
        self.assertLessEqual(answer["outputs"][0]["rms"], 0.05)
        four = self.answer("quantize", "float", "-o", "q4", "--bits", "4")
        self.assertGreater(four["outputs"][0]["rms"], 0.05)
        self.assertTrue(any(layer["bits"] == 8 for layer in answer["layers"]))
        self.assertEqual((answer["target"], four["target"]), (0.05, None))
        loose = self.answer("quantize", "float", "-o", "q", "--bits", "mixed", "--target", "1")
        self.assertTrue(all(layer["bits"] == 4 for layer in loose["layers"]))

    def test_refusals(self):
        self.assertIn("choose 8, 4 or mixed", self.refusal("quantize", "float", "-o", "q", "--bits", "3"))
        self.assertIn("choose 32, 64 or 128", self.refusal("quantize", "float", "-o", "q", "--bits", "8", "--group-size", "16"))
        said = self.refusal("quantize", "float", "-o", "q", "--bits", "8", "--keep", "decoder.*")
        self.assertIn("no layer matches decoder.*; there are: embedding, hidden, classifier", said)
        self.assertIn("--keep leaves float", self.refusal("quantize", "float", "-o", "q", "--bits", "8", "--override", "hidden=2"))
        self.assertIn("is no package", self.refusal("quantize", "model.onnx", "-o", "q", "--bits", "8"))
        self.assertIn("go with --quantize", self.refusal("convert", "model.onnx", "-o", "q", "--keep", "hidden"))
        self.assertIn("no such file", self.refusal("quantize", "absent", "-o", "q", "--bits", "8"))
        self.assertFalse(os.path.exists(self.path("q")))
        self.answer("quantize", "float", "-o", "q", "--bits", "8")
        self.assertIn("quantised already", self.refusal("quantize", "q", "-o", "q2", "--bits", "4"))
        self.assertFalse(os.path.exists(self.path("q2")))

    @unittest.skipUnless(cli_test.has("mlx", "numpy"), "mlx is not installed: nothing else reads the package")
    def test_stock_mlx_reads_the_package(self):
        import mlx.core as mx
        import mlx.nn as nn
        import numpy as np
        for bits in (4, 8):
            self.answer("quantize", "float", "-o", f"q{bits}", "--bits", str(bits))

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embedding = nn.Embedding(WORDS, WIDTH)
                    self.hidden = nn.Linear(WIDTH, HIDDEN)
                    self.classifier = nn.Linear(HIDDEN, CLASSES, bias=False)

                def __call__(self, ids):
                    return self.classifier(nn.relu(self.hidden(self.embedding(ids))))

            net = Net()
            original, given = load(self.path("float/weights.safetensors"))
            for name, entry in original.items():  # rows in the order (out, in), as MLX has them
                value = np.array(given[name], np.float32).reshape(entry["shape"])
                layer = name.removesuffix(".transposed").removesuffix(".weight")
                if name.endswith(".bias"):
                    net.hidden.bias = mx.array(value)
                else:
                    matches = value.shape == tuple(net[layer].weight.shape)
                    net[layer].weight = mx.array(value if matches else np.ascontiguousarray(value.T))
            nn.quantize(net, group_size={8: 32, 4: 64}[bits], bits=bits)
            own = {name: mx.array(value) for name, value in net.parameters()["hidden"].items()}
            stored = mx.load(self.path(f"q{bits}/weights.safetensors"))
            for name, value in own.items():  # to the bit what MLX itself makes of these weights
                self.assertTrue(mx.array_equal(value, stored[f"hidden.{name}"]).item(), name)
            net.load_weights(self.path(f"q{bits}/weights.safetensors"))
            y = np.array(net(mx.array(self.ids).reshape(3, 5))).ravel()
            ours = np.array(self.run_package(f"q{bits}"))
            self.assertLessEqual(np.abs(y - ours).max(), 2e-2 * np.abs(y).max())  # kernels may round activations
            if self.error(ours) < 1e-9:
                self.fail("the quantised package computes the float model")

    @unittest.skipUnless(cli_test.has("mlx", "numpy"), "mlx is not installed: generated code is not run")
    def test_generated_code_and_function_files(self):
        import mlx.core as mx
        import numpy as np
        answer = self.answer("convert", "model.onnx", "-o", "c", "--quantize", "4", "--golden", "golden.safetensors", "--emit",
                             "python,mlxfn")
        self.assertEqual(answer["status"], "converted")
        self.answer("run", "c", "--input", "ids.safetensors", "--executor", "mlx", "-o", "out.safetensors")
        expected = np.array(load(self.path("out.safetensors"))[1]["y"]).reshape(3, 5, CLASSES)
        ids = mx.array(self.ids, mx.int64).reshape(3, 5)
        found = np.array(mx.import_function(self.path("c/model.mlxfn"))(ids)[0])
        self.assertLessEqual(np.abs(found - expected).max(), 1e-5 * np.abs(expected).max())
        done = subprocess.run([sys.executable, self.path("c/python/test_model.py")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    cli_test.GODWIT = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
