"""Tests of the command line as scripts see it: the JSON of each verb, exit codes, messages. cli_test.py GODWIT.

Needs only Python; cases that run an original say what they miss. The keys are an interface (docs/interfaces.md)."""
import importlib.util
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
DATA = os.path.join(ROOT, "tests", "data")
BRANCHES = os.path.join(DATA, "onnx", "branches.onnx")
GODWIT = None


def has(*packages):
    return all(importlib.util.find_spec(name) for name in packages)


def tensors_file(path, tensors):
    """A .safetensors file of float32 tensors: name to (shape, values)."""
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def call(self, *arguments, **environment):
        return subprocess.run([GODWIT, *arguments], capture_output=True, text=True, cwd=self.folder,
                              env=os.environ | {"GODWIT_PYTHON": sys.executable} | environment)

    def answer(self, *arguments, code=0):
        """The one JSON object on stdout."""
        done = self.call(*arguments, "--json")
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def refusal(self, *arguments, code=2, **environment):
        done = self.call(*arguments, **environment)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertNotIn("internal error", done.stderr)
        return done.stderr

    def package(self):
        self.answer("convert", BRANCHES, "-o", "package")
        return "package"

    def assert_types(self, entry, **kinds):
        for key, kind in kinds.items():
            self.assertIn(key, entry)
            self.assertIsInstance(entry[key], kind, key)


class Json(Case):
    """What scripts may rely on, key by key."""

    def test_inspect(self):
        for model, form in ((BRANCHES, "onnx"), (self.package(), "package"),
                            (os.path.join(DATA, "pt2", "block.pt2"), "pt2")):
            answer = self.answer("inspect", model)
            self.assert_types(answer, format=str, graphs=list, ops=dict, unsupported=dict, parameters=int, inputs=list,
                              outputs=list)
            self.assertEqual(answer["format"], form)
            for port in answer["inputs"] + answer["outputs"]:
                self.assert_types(port, name=str, dtype=str, shape=list)
        self.assertEqual(self.answer("inspect", BRANCHES)["ops"]["loop"], 1)
        self.assertEqual([p["name"] for p in self.answer("inspect", BRANCHES)["inputs"]], ["x", "flag", "n"])

    def test_convert(self):
        answer = self.answer("convert", os.path.join(DATA, "pt2", "block.pt2"), "-o", "p")
        self.assert_types(answer, status=str, package=str, nodes_before=int, nodes_after=int, parameters=int,
                          unsupported=dict, seconds=float, peak_memory_bytes=int)
        self.assertEqual(answer["status"], "converted")
        self.assertTrue(os.path.exists(os.path.join(self.folder, answer["package"], "model.json")))

    def test_run(self):
        answer = self.answer("run", self.package(), "--input", "flag=1", "--input", "n=3", "-o", "out.safetensors")
        self.assert_types(answer, executor=str, fallbacks=list, outputs=dict)
        self.assertEqual(answer["outputs"]["y"]["dtype"], "float32")
        self.assertEqual(answer["outputs"]["all"]["shape"], [3, 2])
        with open(self.path("out.safetensors"), "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        self.assertEqual((header["y"]["dtype"], header["all"]["shape"]), ("F32", [3, 2]))

    def test_run_with_a_profile(self):
        answer = self.answer("run", self.package(), "--input", "flag=1", "--input", "n=3", "--profile", "--trace", "t.json",
                             "--runs", "2")
        profile = answer["profile"]
        self.assert_types(profile, runs=int, ms=float, plain_ms=float, ops=list, nodes=list)
        self.assertEqual(profile["runs"], 2)
        calls = {op["op"]: op["calls"] for op in profile["ops"]}
        self.assertEqual(calls["loop"], 1)
        inside = [name for name, count in calls.items() if count == 3]  # the loop's body runs three times
        for node in profile["nodes"]:
            self.assert_types(node, op=str, name=str, place=str, executor=str, result=str, calls=int, ms=float)
        with open(self.path("t.json")) as file:
            events = json.load(file)["traceEvents"]
        self.assertEqual([sum(e["name"] == name for e in events) for name in inside], [3] * len(inside))
        self.assertTrue(inside)

    def test_inspect_where_shapes_are_missing(self):
        answer = self.answer("inspect", os.path.join(DATA, "torchscript", "stateful.pt"))
        self.assertEqual(answer["graphs"], [])
        self.assertEqual([p["name"] for p in answer["inputs"]], ["x"])
        self.assertEqual(answer["ops"]["aten::gru_cell"], 1)
        self.assertEqual(answer["parameters"], 108)
        self.assertIn("--input x=SHAPE", answer["warnings"][0])

    def test_inspect_of_files_without_a_graph(self):
        answer = self.answer("inspect", os.path.join(DATA, "torch_checkpoints", "nested.pt"))
        self.assertEqual({w["name"]: w["shape"] for w in answer["weights"]},
                         {"a.w": [3, 4], "b.0": [3, 4], "b.1.c": [3, 4]})
        answer = self.answer("inspect", os.path.join(DATA, "ops", "create.safetensors"))
        self.assertEqual((answer["format"], answer["graphs"]), ("safetensors", []))
        self.assertIn("--model-class", self.refusal("convert", os.path.join(DATA, "torch_checkpoints", "nested.pt"), "-o", "p"))

    def test_bench(self):
        answer = self.answer("bench", self.package(), "--runs", "3", "--warmup", "1")
        self.assert_types(answer, median_ms=float, p99_ms=float, peak_memory_bytes=int, threads=int)
        self.assertGreaterEqual(answer["p99_ms"], answer["median_ms"])

    @unittest.skipUnless(has("onnxruntime", "numpy"), "onnxruntime is not installed: nothing to measure against")
    def test_bench_against_the_original(self):
        answer = self.answer("bench", self.package(), "--runs", "3", "--against", "onnxruntime")
        self.assert_types(answer["against"], name=str, version=str, median_ms=float, ratio=float)
        self.assertEqual(answer["against"]["name"], "onnxruntime")

    def check_validation(self, answer, reference):
        self.assert_types(answer, status=str, tolerance=float, max_error=float, outputs=list, reference=str)
        self.assertIn("first_divergence", answer)
        self.assertEqual(answer["status"], "passed")
        self.assertEqual([output["name"] for output in answer["outputs"]], ["all", "y"])
        for output in answer["outputs"]:
            self.assert_types(output, name=str, max_abs=float, max_rel=float, cosine=float)
        self.assertRegex(answer["reference"], reference)

    @unittest.skipUnless(has("onnxruntime", "numpy"), "onnxruntime is not installed: nothing to compare with")
    def test_validate_with_the_original_live_and_recorded(self):
        package = self.package()
        self.check_validation(self.answer("validate", package, "--reference", BRANCHES), r"^onnxruntime \d")
        converted = self.answer("convert", BRANCHES, "-o", "proven", "--validate")
        self.assertEqual(converted["validation"]["status"], "passed")
        self.check_validation(self.answer("validate", "proven"), r"^golden \(onnxruntime \d")

    def test_validate_with_a_golden_that_differs(self):
        tensors_file(self.path("golden.safetensors"),
                     {"input/x": ([2], [1.0, 2.0]), "output/y": ([2], [1e3, 2.0]), "output/all": ([0, 2], [])})
        self.answer("convert", BRANCHES, "-o", "fixed", "--input", "flag=1", "--input", "n=0")
        answer = self.answer("validate", "fixed", "--golden", "golden.safetensors", code=1)
        self.assertEqual(answer["status"], "failed")
        self.assertGreater(answer["max_error"], answer["tolerance"])
        self.assertEqual(answer["reference"], "golden")

    def test_doctor_and_ops(self):
        self.assert_types(self.answer("doctor"), version=str, mlx=str, threads=int, gpu=bool, python=dict)
        python = self.answer("doctor")["python"]
        self.assert_types(python, program=str, path=str, version=str, packages=dict)
        self.assertEqual(python["version"].split(".")[0], "3")
        broken = subprocess.run([GODWIT, "doctor"], env=dict(os.environ, GODWIT_PYTHON="/nowhere/python"),
                                capture_output=True, text=True)
        self.assertEqual(broken.returncode, 0, broken.stderr)
        self.assertIn("/nowhere/python: not usable", broken.stdout)
        self.assertTrue(self.answer("ops"))


def proto(name, values):
    """A TensorProto of one axis."""
    raw = struct.pack(f"<{len(values)}f", *values)
    return (b"\x08" + bytes([len(values)]) + b"\x10\x01" + b"\x42" + bytes([len(name)]) + name.encode() + b"\x4a" +
            bytes([len(raw)]) + raw)


class TestData(Case):
    """Goldens in the layout of ONNX's test suites."""

    def write_set(self, folder, y):
        os.makedirs(self.path(folder))
        for name, tensor, values in (("input_0", "x", [1.0, 2.0]), ("output_0", "y", y)):
            with open(self.path(f"{folder}/{name}.pb"), "wb") as file:
                file.write(proto(tensor, values))
        with open(self.path(f"{folder}/output_1.pb"), "wb") as file:
            file.write(b"\x08\x00\x08\x02\x10\x01\x42\x03all")

    def test_every_set_counts(self):
        self.answer("convert", BRANCHES, "-o", "fixed", "--input", "flag=1", "--input", "n=0")
        y = self.answer("run", "fixed", "--input", self.x())["outputs"]["y"]
        self.write_set("case/test_data_set_0", [y["min"], y["max"]] if self.rising(y) else [y["max"], y["min"]])
        answer = self.answer("validate", "fixed", "--golden", "case")
        self.assertEqual((answer["reference"], len(answer["goldens"])), ("golden (ONNX test data)", 1))
        self.write_set("case/test_data_set_1", [7.0, 7.0])
        answer = self.answer("validate", "fixed", "--golden", "case", code=1)
        self.assertEqual([g["passed"] for g in answer["goldens"]], [True, False])
        self.assertEqual([o["name"] for o in answer["outputs"]], ["all", "y"])
        self.answer("validate", "fixed", "--golden", "case/test_data_set_0")

    def x(self):
        tensors_file(self.path("x.safetensors"), {"x": ([2], [1.0, 2.0])})
        return "x.safetensors"

    def rising(self, y):
        """branches.onnx gives x + x or -x: of [1, 2] the larger element comes last where it is positive."""
        return y["max"] > 0


class Errors(Case):
    """With --json a refusal is an object, too."""

    def test_a_wrong_request(self):
        answer = self.answer("convert", "absent.onnx", "-o", "p", code=2)
        self.assertEqual((answer["status"], answer["exit_code"]), ("error", 2))
        self.assertIn("absent.onnx", answer["error"])

    def test_unsupported_ops_are_counted(self):
        with open(os.path.join(DATA, "onnx", "functions.onnx"), "rb") as file:
            model = file.read()
        self.assertIn(b"\x22\x03Elu", model)
        with open(self.path("odd.onnx"), "wb") as file:
            file.write(model.replace(b"\x22\x03Elu", b"\x22\x03Elv"))
        answer = self.answer("convert", "odd.onnx", "-o", "p", code=2)
        self.assertEqual(answer["unsupported"], {"onnx.Elv": 1})
        self.assertEqual(self.answer("inspect", "odd.onnx")["unsupported"], {"onnx.Elv": 1})
        self.assertFalse(os.path.exists(self.path("p")))


class Messages(Case):
    """Mistakes of every day end with exit code 2 and one line that names what is wrong."""

    def test_paths(self):
        self.assertIn("no such file", self.refusal("inspect", "absent.onnx"))
        self.assertIn("cannot open absent.onnx", self.refusal("convert", "absent.onnx", "-o", "p"))
        open(self.path("empty.onnx"), "w").close()
        self.assertIn("empty.onnx is empty", self.refusal("inspect", "empty.onnx"))
        self.assertIn("is a folder without", self.refusal("inspect", self.folder))
        with open(self.path("text.onnx"), "w") as file:
            file.write("hello")
        self.assertIn("text.onnx", self.refusal("inspect", "text.onnx"))
        os.mkdir(self.path("taken"))
        with open(self.path("taken/file"), "w") as file:
            file.write("mine")
        self.assertIn("is not replaced", self.refusal("convert", BRANCHES, "-o", "taken"))
        self.assertEqual(os.listdir(self.path("taken")), ["file"])

    def test_inputs(self):
        package = self.package()
        said = self.refusal("run", package, "--input", "z=1")
        self.assertIn("no input called z", said)
        self.assertIn("flag, n, x", said)
        self.assertIn("no input", self.refusal("convert", BRANCHES, "-o", "p", "--input", "z=1,2"))
        self.assertIn("expects NAME=", self.refusal("run", package, "--input", "x"))
        tensors_file(self.path("x.safetensors"), {"x": ([3], [1, 2, 3])})
        said = self.refusal("run", package, "--input", "x.safetensors")
        self.assertIn("no input has a dimension called q; all are fixed", self.refusal("run", package, "--size", "q=3"))
        self.assertIn("input x is f32[2], the shape [3, 4]", self.refusal("run", package, "--input", "x=3,4"))
        self.assertIn("a shape (1,3,8)", self.refusal("run", package, "--input", "x=nothing"))
        self.assertRegex(said, r"input x .*f32\[2\].*f32\[3\]")

    def test_absent_python(self):
        said = self.refusal("validate", self.package(), "--reference", BRANCHES, GODWIT_PYTHON="/nowhere/python3")
        self.assertIn("/nowhere/python3", said)

    def test_python_without_torch(self):
        with open(self.path("torch.py"), "w") as file:
            file.write("raise ImportError('hidden by the test', name='torch')")
        with open(self.path("net.py"), "w") as file:
            file.write("class Net: pass")
        said = self.refusal("convert", "net.py", "--model-class", "Net", "-o", "p", PYTHONPATH=self.folder)
        self.assertIn("-m pip install torch", said)
        self.assertEqual(sorted(os.listdir(self.folder)), ["__pycache__", "net.py", "torch.py"]
                         if os.path.exists(self.path("__pycache__")) else ["net.py", "torch.py"])
        self.assertIn("--model-class NAME", self.refusal("run", "net.py"))
        self.assertIn("neither", self.refusal("convert", BRANCHES, "-o", "p", "--model-class", "Net"))

    def test_words_that_are_no_verbs_or_flags(self):
        self.assertIn("no verb 'transmogrify'", self.refusal("transmogrify"))
        self.assertEqual(self.call("convert", BRANCHES).returncode, 2)
        self.assertEqual(self.call().returncode, 2)

    def test_help_of_every_verb(self):
        for verb in ("inspect", "analyze", "convert", "validate", "bench", "benchmark", "run", "quantize", "doctor", "ops"):
            done = self.call(verb, "--help")
            self.assertEqual(done.returncode, 0, verb)
            self.assertIn("--json", done.stdout, verb)
            self.assertIn("Exit codes", done.stdout, verb)


if __name__ == "__main__":
    GODWIT = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
