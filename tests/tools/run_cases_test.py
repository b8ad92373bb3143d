"""The verdict of tools/sweeps/run_cases.cpp: when float64 may speak for an output that is off its reference. Run by
ctest: run_cases_test.py RUN_CASES."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
import onnx_bytes  # noqa: E402

RUNNER = sys.argv.pop() if len(sys.argv) > 1 else ""


class Verdicts(unittest.TestCase):
    """The model gives a - b and, as integers, 2 (a - b), for a = 3, 5 and b = 1, 1.5."""
    RIGHT = {"y": [2.0, 3.5], "n": [4, 7]}

    def verdict(self, outputs, float64):
        with tempfile.TemporaryDirectory() as folder:
            data = bytearray()

            def add(values, kind):
                at = len(data)
                data.extend(struct.pack("<2f" if kind == "float32" else "<2q", *values))
                return [kind, [2], at]

            def recorded(found):
                return {name: add(values, "float32" if name == "y" else "int64") for name, values in found.items()}

            cast = onnx_bytes.field(1, "to") + onnx_bytes.field(3, 7) + onnx_bytes.field(20, 2)
            nodes = [onnx_bytes.node("Sub", ["a", "b"], ["y"]), onnx_bytes.node("Add", ["y", "y"], ["z"]),
                     onnx_bytes.node("Cast", ["z"], ["n"], attributes=[cast])]
            model = os.path.join(folder, "model.onnx")
            with open(model, "wb") as file:
                file.write(onnx_bytes.model(nodes, [onnx_bytes.value("a", [2]), onnx_bytes.value("b", [2])],
                                            [onnx_bytes.value("y", [2]), onnx_bytes.value("n", [2], 7)]))
            case = {"id": "case", "file": model, "outputs": recorded(outputs), "float64": recorded(float64),
                    "inputs": {"a": add([3, 5], "float32"), "b": add([1, 1.5], "float32")}}
            cases, blob = os.path.join(folder, "cases.jsonl"), os.path.join(folder, "blob")
            with open(cases, "w") as file:
                file.write(json.dumps(case) + "\n")
            with open(blob, "wb") as file:
                file.write(data)
            return json.loads(subprocess.run([RUNNER, cases, blob], capture_output=True, text=True, check=True).stdout)

    def test_what_agrees_passes_without_float64(self):
        found = self.verdict(self.RIGHT, {"y": [0.0, 0.0], "n": [4, 7]})
        self.assertEqual(found["status"], "passed")
        self.assertNotIn("judged_by", found)

    def test_float64_speaks_for_a_reference_that_is_off(self):
        found = self.verdict({"y": [2.0, 3.501], "n": [4, 7]}, self.RIGHT)
        self.assertEqual((found["status"], found["judged_by"]), ("passed", "float64"))
        self.assertIn("y: 1 of 2 elements over tolerance", found["reason"])

    def test_a_wrong_result_fails(self):
        wrong = {"y": [4.0, 6.5], "n": [4, 7]}  # a + b: what a translator that subtracts is compared with
        found = self.verdict(wrong, wrong)
        self.assertEqual(found["status"], "failed")
        self.assertIn("float64: y: 2 of 2", found["reason"])

    def test_the_tolerance_against_float64_is_the_same(self):
        reference = {"y": [2.0, 3.501], "n": [4, 7]}
        for off, status in ((3e-5, "passed"), (4e-5, "failed")):  # the tolerance is 1e-5 of 3.5
            self.assertEqual(self.verdict(reference, {"y": [2.0, 3.5 + off], "n": [4, 7]})["status"], status)

    def test_integers_are_never_excused(self):
        found = self.verdict({"y": [2.0, 3.501], "n": [4, 8]}, self.RIGHT)
        self.assertEqual(found["status"], "failed")
        self.assertEqual(self.verdict({"y": [2.0, 3.5], "n": [4, 8]}, self.RIGHT)["status"], "failed")

    def test_without_float64_nothing_is_excused(self):
        self.assertEqual(self.verdict({"y": [2.0, 3.501], "n": [4, 7]}, {})["status"], "failed")
        self.assertEqual(self.verdict({"y": [2.0, 3.501], "n": [4, 7]}, {"n": [4, 7]})["status"], "failed")


if __name__ == "__main__":
    unittest.main()
