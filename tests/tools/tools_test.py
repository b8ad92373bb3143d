"""Tests of the scripts under tools/ and scripts/. Run by ctest; needs only Python, some cases NumPy or onnxruntime."""
import collections
import json
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
for folder in ("scripts", "tools/reference", "tools/sweeps", "tools/demo", "tools/bench"):
    sys.path.insert(0, os.path.join(ROOT, folder))

try:
    import numpy as np
except ImportError:
    np = None
try:
    import onnx
    import onnxruntime
except ImportError:
    onnx = onnxruntime = None


class Layers(unittest.TestCase):
    def test_our_own_arrows_point_down(self):
        import check_layers
        self.assertEqual(list(check_layers.wrong_arrows(ROOT)), [])

    def test_a_wrong_arrow_is_found(self):
        import check_layers
        with tempfile.TemporaryDirectory() as root:
            for layer, include in (("ir", "frontends/x.h"), ("frontends", "ir/graph.h"), ("nowhere", "ir/graph.h")):
                os.makedirs(os.path.join(root, "src", layer))
                with open(os.path.join(root, "src", layer, "a.cpp"), "w") as file:
                    file.write(f'#include "{include}"\n')
            found = sorted(check_layers.wrong_arrows(root))
        self.assertEqual(len(found), 2)
        self.assertIn("ir may not use frontends", found[0])
        self.assertIn("nowhere", found[1])


class BenchmarkReport(unittest.TestCase):
    machine = {"cpu": "A CPU", "cores": 2, "system": "Linux x86_64", "versions": {"torch": "2"}, "read_gb_per_s": 20.0,
               "gflops": {"avx512": 200.0, "avx2": 100.0}, "gflops_one": {"avx512": 100.0, "avx2": 50.0}}

    @staticmethod
    def row(**changes):
        return {"name": "matmul", "section": "kernels", "goal": {"value": 1.2, "unit": "", "at_most": False}, "peer": "torch 2",
                "peer_ms": 15.0, "peers": {"torch 2": 15.0, "other": 20.0}, "fallbacks": [], "gflop": 1.0, "gbyte": 0,
                "notes": [], "ours": {"avx512": {"ms": 10.0, "value": 1.5}, "avx2": {"ms": 20.0, "value": 0.75}}} | changes

    def test_each_instruction_set_has_its_verdict_and_its_limit(self):
        import report
        text = report.document([self.row()], self.machine, 2, ["avx512", "avx2"])
        self.assertIn("| 10.000 | 1.50 | yes | 100 GFLOP/s, 50 % | 20.000 | 0.75 | no | 50 GFLOP/s, 50 % | other 20.000 ms |", text)
        self.assertIn("1 of 2 goals are reached", text)
        self.assertIn("matmul (avx2 0.75)", text)

    def test_what_else_has_to_hold_counts(self):
        import report
        row = self.row(also=[{"what": "cosine", "value": 0.9994, "goal": 0.9995}])
        self.assertEqual(report.reached(row), {"avx512": False, "avx2": False})
        self.assertIn("cosine 0.99940 (goal 0.9995)", report.notes_of(row))

    def test_a_goal_may_be_an_upper_bound(self):
        import report
        row = self.row(goal={"value": 1, "unit": "us a node", "at_most": True})
        self.assertEqual(report.reached(row), {"avx512": False, "avx2": True})

    def test_a_row_that_failed_is_named(self):
        import report
        failed = {"name": "attention", "section": "kernels", "skipped": "ImportError: no x"}
        text = report.document([failed, self.row()], self.machine, 2, ["avx512", "avx2"])
        self.assertIn("left out: ImportError: no x", text)
        self.assertEqual(len({line.count("|") for line in text.splitlines() if line.startswith("|")}), 1)

    def test_memory_is_compared_beyond_empty_processes(self):
        import report
        row = self.row(memory={"godwit": 40.0, "godwit_empty": 10.0, "onnxruntime": 80.0, "onnxruntime_empty": 60.0})
        self.assertEqual(report.memory_table([row])[-1], "| matmul | 30.0 | 20.0 | 1.50 | no | 40.0 | 80.0 | 0.50 |")

    def test_results_are_kept_and_failures_are_tried_again(self):
        import bench
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "results.jsonl")
            with open(path, "w") as file:
                for value in ({"name": "a", "x": 1}, {"name": "b", "skipped": "no"}, {"name": "a", "x": 2},
                              {"name": "c", "busy": 0.5}):
                    file.write(json.dumps(value) + "\n")
            self.assertEqual(bench.known_results(path), {"a": {"name": "a", "x": 2}})


    @unittest.skipUnless(os.path.exists("/proc/stat"), "the system does not tell")
    def test_our_own_work_is_not_that_of_others(self):
        import bench
        others = bench.Others()
        subprocess.run([sys.executable, "-c", "import time; end = time.time() + 0.5\nwhile time.time() < end: pass"], check=True)
        _, busy, ours = (after - before for before, after in zip(others.start, others.now()))
        self.assertGreater(ours, 0.1)
        self.assertGreaterEqual(busy, 0.5 * ours)
        self.assertTrue(0 <= others.share() <= 1)


class BenchmarkRows(unittest.TestCase):
    @unittest.skipIf(np is None, "NumPy is not installed")
    def test_every_line_of_the_table_has_its_rows(self):
        import rows
        names = [row.name for row in rows.all_rows()]
        self.assertEqual(len(names), len(set(names)))
        for part in ("matmul 2048", "conv1d", "decode", "softmax", "4-bit matrix-vector", "8-bit matmul", "silero_vad.jit",
                     "hey_mycroft", "MiniLM-L6 32 x 128", "--quantize 8, 32 x 128", "CREPE full", "vit_tiny", "adds of 16",
                     "two threads"):
            self.assertTrue(any(part in name for name in names), part)

    @unittest.skipIf(onnx is None, "onnx is not installed")
    def test_the_chain_is_what_it_says(self):
        import plan_rows
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "chain.onnx")
            plan_rows.write_chain(path, ["Add", "Softmax"])
            graph = onnx.load(path).graph
        self.assertEqual([node.op_type for node in graph.node], ["Add", "Softmax"] * 500)
        for before, after in zip(graph.node, graph.node[1:]):
            self.assertEqual(after.input[0], before.output[0])


class Names(unittest.TestCase):
    def test_the_rule_of_interfaces_md(self):
        from names import named_leaves
        Pair = collections.namedtuple("Pair", "h c")
        cases = [
            (1, ["output"]), ((1,), ["output"]), ((1, 2), ["output_0", "output_1"]),
            ((1, (2, 3)), ["output_0", "output_1_0", "output_1_1"]), ({"out": 1, "aux": 2}, ["out", "aux"]),
            ({"out": 1}, ["out"]), ({"logits": 1, "past": [(2, 3)]}, ["logits", "past_0_0", "past_0_1"]),
            ((1, None), ["output"]), (Pair(1, 2), ["h", "c"]),
        ]
        for value, expected in cases:
            self.assertEqual(list(named_leaves(value)), expected)


class Structures(unittest.TestCase):
    def test_only_modules_of_transformers_are_imported(self):
        import structures
        from unittest import mock
        spec = json.dumps({"out_spec": json.dumps([1, {"type": "transformers.modeling_outputs.BaseModelOutput"}]),
                           "in_spec": json.dumps([1, {"type": "os.path.evil"}, {"type": "transformersx.a.B"}])})
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.pt2")
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("model/models/model.json", spec)
            with mock.patch("importlib.import_module", side_effect=ImportError) as imported:
                structures.import_known(path)
        imported.assert_called_once_with("transformers.modeling_outputs")


@unittest.skipIf(np is None, "NumPy is not installed")
class Tensors(unittest.TestCase):
    def test_round_trip_of_every_dtype(self):
        import tensors
        values = {str(np.dtype(d)): np.arange(6).reshape(2, 3).astype(d) for d in tensors.CODES.values()}
        values |= {"scalar": np.array(3.5), "empty": np.zeros((0, 2), np.float32),
                   "bf16": tensors.Bits("BF16", np.array([0x3F80], np.uint16))}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "t.safetensors")
            tensors.save(path, values, {"steps": 2})
            back = tensors.load(path)
        self.assertEqual(set(back), set(values))
        for name, value in values.items():
            if name == "bf16":
                self.assertEqual((back[name].code, back[name].array.tolist()), ("BF16", [0x3F80]))
            else:
                self.assertEqual((back[name].shape, back[name].dtype), (value.shape, value.dtype), name)
                self.assertTrue(np.array_equal(back[name], value), name)


@unittest.skipIf(onnxruntime is None, "onnxruntime is not installed")
class Reference(unittest.TestCase):
    """An accumulator: y = x * 2 + s, new state y."""

    def setUp(self):
        from onnx import TensorProto, helper
        self.folder = tempfile.TemporaryDirectory()
        info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("x", "s", "y")]
        nodes = [helper.make_node("Add", ["x", "x"], ["twice"]), helper.make_node("Add", ["twice", "s"], ["y"])]
        graph = helper.make_graph(nodes, "g", info[:2], info[2:])
        self.model = self.path("m.onnx")
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), self.model)

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run_script(self, *arguments, stdin=None):
        script = os.path.join(ROOT, "tools", "reference", "run.py")
        return subprocess.run([sys.executable, script, self.model, *arguments], input=stdin, capture_output=True, text=True)

    def inputs(self, x):
        import tensors
        tensors.save(self.path("in.st"), {"x": np.array(x, np.float32), "s": np.zeros(2, np.float32)})
        return self.path("in.st")

    def outputs(self):
        import tensors
        return tensors.load(self.path("out.st"))

    def test_one_run_with_layers(self):
        done = self.run_script("--inputs", self.inputs([1, 2]), "--output", self.path("out.st"), "--layers", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["outputs"]["y"]["shape"], [2])
        self.assertEqual({k: v.tolist() for k, v in self.outputs().items()}, {"y": [2, 4], "twice": [2, 4]})

    def test_a_sequence_carries_its_state(self):
        done = self.run_script("--inputs", self.inputs([[1, 2], [1, 2], [1, 2]]), "--output", self.path("out.st"),
                               "--sequence", "x", "--carry", "y=s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.outputs()["y"].tolist(), [[2, 4], [4, 8], [6, 12]])

    def test_the_served_protocol(self):
        path = self.inputs([1, 2])
        requests = [{"do": "run", "inputs": path, "output": self.path("out.st")}, {"do": "inputs", "path": path},
                    {"do": "time", "runs": 3}, {"do": "nonsense"}, {"do": "quit"}]
        done = self.run_script("--serve", stdin="".join(json.dumps(r) + "\n" for r in requests))
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([a["ok"] for a in answers], [True, True, True, True, False])
        self.assertEqual(answers[0]["name"], "onnxruntime")
        self.assertGreater(answers[3]["ms"], 0)
        self.assertEqual(self.outputs()["y"].tolist(), [2, 4])

    def test_a_wrong_input_name_is_named(self):
        import tensors
        tensors.save(self.path("in.st"), {"z": np.zeros(2, np.float32)})
        done = self.run_script("--inputs", self.path("in.st"), "--output", self.path("out.st"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no input named ['z']", done.stderr)


class Coverage(unittest.TestCase):
    def test_every_failure_is_listed_with_its_reason(self):
        import coverage
        summary = {"title": "zoo", "date": "2026-01-02", "command": "run zoo", "versions": {"torch": "1"}, "total": 3,
                   "counted": 2, "passed": 1, "rate": 0.5, "goal": 0.97, "largest_error": 2e-6, "largest_error_in": "a",
                   "failures": [{"name": "b", "status": "convert_failed", "reason": "no op x|y"}]}
        text = coverage.document([summary])
        self.assertIn("| zoo | 3 | 2 | 1 | 50.0 % | 97.0 % | 2.0e-06 (a) | 2026-01-02 |", text)
        self.assertIn("| b | convert_failed | no op x\\|y |", text)
        self.assertIn("`run zoo`", text)

    def test_gaps_name_the_models_that_need_an_op(self):
        import coverage
        failures = [{"name": n, "unsupported": ops} for n, ops in (("a", ["aten.x"]), ("b", ["aten.x", "aten.y"]))]
        text = coverage.gaps([{"title": "zoo", "failures": failures}])
        self.assertIn("| aten.x | 2 | a (zoo), b (zoo) |", text)
        self.assertIn("| aten.y | 1 | b (zoo) |", text)

    def test_only_models_with_a_file_count(self):
        import models
        options = models.parse(["--source", "timm", "--route", "pt2"])
        self.assertEqual(models.recorded(["--godwit", "x", "--slice", "--failed", "--again", "y"]), ["--slice"])
        rows = [{"name": "a", "status": "passed", "max_error": 1e-6}, {"name": "b", "status": "skipped"},
                {"name": "c", "status": "validate_failed", "reason": "in '/a/b-c/lib/site-packages/x/y.py':\n off"}]
        summary = models.summarize(options, rows, 3)
        self.assertEqual((summary["counted"], summary["passed"], summary["rate"]), (2, 1, 0.5))
        self.assertEqual([f["name"] for f in summary["failures"]], ["b", "c"])
        self.assertEqual(summary["failures"][1]["reason"], "in 'site-packages/x/y.py': off")
        self.assertEqual(summary["title"], "timm through pt2, both executors")
        self.assertEqual(models.summarize(options, rows, 9)["title"], "timm through pt2 (the first 3 of 9), both executors")


@unittest.skipIf(np is None, "NumPy is not installed")
class Demo(unittest.TestCase):
    def test_resampling_keeps_a_tone(self):
        from demo import resample
        seconds, hertz = 0.5, 440
        slow = np.sin(2 * np.pi * hertz * np.arange(int(16000 * seconds)) / 16000)
        fast = np.sin(2 * np.pi * hertz * np.arange(int(48000 * seconds)) / 48000)
        self.assertLess(np.abs(resample(fast, 48000) - slow).max(), 1e-9)


if __name__ == "__main__":
    unittest.main(verbosity=1)
