"""Bad input, end to end: the binary refuses each case with exit code 2 and a message that names file and reason, in
under 5 seconds, in bounded memory, and writes nothing. Run by ctest; needs only Python.

    tests/cli/bad_input_test.py GODWIT [unittest options]
"""
import json
import os
import pathlib
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zipfile

import onnx_bytes as ob

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
GODWIT = None  # set below
SECONDS, MEGABYTES = 5, 250
# A sanitized binary is slower and larger.
FACTOR = int(os.environ.get("GODWIT_TEST_SLOWDOWN", "1"))

SAMPLES = {
    "onnx": "onnx/branches.onnx", "pt2": "pt2/counter.pt2", "torchscript": "torchscript/writes.pt",
    "torch zip": "torch_checkpoints/nested.pt", "torch legacy": "torch_checkpoints/legacy.pt",
    "safetensors": "ops/reduce.safetensors",
}


class Result:
    def __init__(self, code, out, err, seconds, megabytes):
        self.code, self.out, self.err, self.seconds, self.megabytes = code, out, err, seconds, megabytes


def run(*arguments, limit=None, timeout=60):
    """Runs godwit; what it took comes with the answer. `limit`: the largest file that it may write."""
    def restrict():
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    with tempfile.TemporaryFile() as out:
        # Messages come through a pipe, which the limit on files leaves alone.
        child = subprocess.Popen([GODWIT, *map(str, arguments)], stdout=out, stderr=subprocess.PIPE, preexec_fn=restrict)
        timer = threading.Timer(timeout, child.kill)
        timer.start()
        err = child.stderr.read().decode()  # printable text, whatever the file holds
        _, status, usage = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        child.stderr.close()
        out.seek(0)
        seconds = usage.ru_utime + usage.ru_stime  # a busy machine is no fault of the program's
        return Result(child.returncode, out.read().decode(), err, seconds, usage.ru_maxrss / 1024)


class BadInput(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="godwit-bad-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.output = self.folder / "out" / "package"
        self.output.parent.mkdir()

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def check_bounds(self, result, what=""):
        self.assertIn(result.code, (0, 2), f"{what}: exit code {result.code}\n{result.err[-2000:]}")
        self.assertLess(result.seconds, SECONDS * FACTOR, what)
        self.assertLess(result.megabytes, MEGABYTES * FACTOR, what)

    def check_nothing_written(self, what=""):
        self.assertEqual(list(self.output.parent.iterdir()), [], what)

    def refused(self, arguments, *reasons):
        """The answer's text, after the checks that hold for every refusal."""
        result = run(*arguments)
        what = " ".join(map(str, arguments))
        self.check_bounds(result, what)
        self.assertEqual(result.code, 2, f"{what}\n{result.out[-500:]}{result.err[-500:]}")
        self.assertTrue(result.err.startswith("godwit: "), result.err)
        for reason in reasons:
            self.assertIn(reason, result.err, what)
        self.check_nothing_written(what)
        return result.err

    def convert_refused(self, path, *reasons):
        return self.refused(["convert", path, "-o", self.output], path.name, *reasons)

    # --- damage to files of every format ---

    def test_truncated_files(self):
        for kind, sample in SAMPLES.items():
            whole = (DATA / sample).read_bytes()
            for part in (0, 1, len(whole) // 100, len(whole) // 3, len(whole) * 9 // 10, len(whole) - 1):
                path = self.write("cut" + pathlib.Path(sample).suffix, whole[:part])
                with self.subTest(kind=kind, bytes=part):
                    self.convert_refused(path)

    def test_flipped_bits(self):
        for kind, sample in SAMPLES.items():
            whole = (DATA / sample).read_bytes()
            for seed in range(12):
                damaged, rng = bytearray(whole), random.Random(f"{kind} {seed}")
                for _ in range(rng.randint(1, 20)):
                    damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
                path = self.write("flipped" + pathlib.Path(sample).suffix, bytes(damaged))
                with self.subTest(kind=kind, seed=seed):
                    result = run("convert", path, "-o", self.output)
                    self.check_bounds(result)
                    self.assertEqual(result.code == 0, self.output.is_dir())
                    shutil.rmtree(self.output, ignore_errors=True)
                    self.check_nothing_written()
                    self.check_bounds(run("inspect", path))

    def test_files_that_are_no_models(self):
        self.convert_refused(self.write("empty.onnx", b""))
        self.convert_refused(self.write("text.pt", b"hello " * 1000))
        self.convert_refused(self.write("zeros.pt2", bytes(100_000)))
        self.refused(["convert", self.folder / "absent.onnx", "-o", self.output], "absent.onnx")
        self.refused(["inspect", self.folder / "absent.onnx"], "absent.onnx")
        os.mkfifo(self.folder / "pipe.onnx")
        self.refused(["inspect", self.folder / "pipe.onnx"], "pipe.onnx")

    # --- zip archives ---

    def zip_file(self, name, entries, method=zipfile.ZIP_STORED):
        path = self.folder / name
        with zipfile.ZipFile(path, "w", method) as archive:
            for entry, content in entries.items():
                archive.writestr(entry, content)
        return path

    def test_zip_bombs(self):
        zeros = bytes(100_000_000)
        bomb = self.zip_file("bomb.pt2", {"m/archive_format": "pt2", "m/models/model.json": zeros}, zipfile.ZIP_DEFLATED)
        self.assertLess(bomb.stat().st_size, 200_000)
        self.convert_refused(bomb, "unpack")
        self.convert_refused(self.zip_file("bomb.pt", {"m/data.pkl": zeros, "m/version": "3"}, zipfile.ZIP_DEFLATED))
        # Entries that share their bytes: the directory names one entry of 1 MB many times.
        plain = self.zip_file("plain.pt", {"m/data.pkl": bytes(1_000_000), "m/version": "3"}).read_bytes()
        at = plain.index(b"PK\1\2")
        first = plain[at:plain.index(b"PK\1\2", at + 1)]
        many = b"".join(first.replace(b"m/data.pkl", b"m/%08d" % i) for i in range(5000))
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 5000, 5000, len(many), at, 0)
        self.convert_refused(self.write("overlap.pt", plain[:at] + many + end), "overlap")

    def test_zip_entries_that_escape(self):
        for name in ("../evil", "m/../../evil", "/etc/evil"):
            path = self.zip_file("escape.pt", {"m/version": "3", name: "x", "m/data.pkl": b"\x80\2N."})
            self.convert_refused(path, "refused zip entry name")
        self.assertFalse((self.folder.parent / "evil").exists())

    # --- tensors ---

    def safetensors(self, tensors, data=64):
        header = json.dumps(tensors).encode()
        return self.write("x.safetensors", struct.pack("<Q", len(header)) + header + bytes(data))

    def test_safetensors_offsets_and_shapes(self):
        def one(shape, offsets):
            return {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        cases = [({"a": one([4], [0, 16]), "b": one([4], [8, 24])}, "overlap"),
                 ({"a": one([4], [64, 80])}, "a"),
                 ({"a": one([2 ** 32, 2 ** 32], [0, 16])}, "a"),
                 ({"a": one([2 ** 62, 4], [0, 0])}, "a"),
                 ({"a": one([4], [0, 12])}, "12 bytes")]
        for tensors, reason in cases:
            self.refused(["inspect", self.safetensors(tensors)], "x.safetensors", reason)
        huge = self.write("header.safetensors", struct.pack("<Q", 2 ** 60) + b"{}")
        self.refused(["inspect", huge], "header.safetensors")

    def test_onnx_tensors(self):
        def with_weight(weight):
            return self.write("w.onnx", ob.model([ob.node("Add", ["x", "w"], ["y"])], [ob.value("x", [2])],
                                                 [ob.value("y", [2])], [weight]))
        self.convert_refused(with_weight(ob.tensor("w", [2 ** 62, 8], b"")), "w")
        self.convert_refused(with_weight(ob.tensor("w", [3], bytes(8))), "w")
        self.convert_refused(with_weight(ob.tensor("w", [-1], bytes(8))), "w")
        external = {"location": "absent.bin", "offset": 0, "length": 8}
        self.convert_refused(with_weight(ob.tensor("w", [2], external=external)), "absent.bin")
        self.write("short.bin", bytes(6))
        self.convert_refused(with_weight(ob.tensor("w", [2], external=dict(external, location="short.bin"))), "short.bin")
        self.convert_refused(with_weight(ob.tensor("w", [2], external=dict(external, location="../../etc/passwd"))), "..")
        self.convert_refused(with_weight(ob.tensor("w", [2], external=dict(external, location="/etc/passwd"))), "/etc/passwd")

    def test_shapes_that_overflow(self):
        """Small files that ask for huge results."""
        shape = ob.tensor("s", [3], struct.pack("<3q", 2 ** 40, 2 ** 40, 2 ** 40), dtype=7)
        path = self.write("huge.onnx", ob.model([ob.node("ConstantOfShape", ["s"], ["y"])], [], [ob.value("y", [1])], [shape]))
        self.convert_refused(path)
        shape = ob.tensor("s", [2], struct.pack("<2q", 2 ** 20, 2 ** 14), dtype=7)
        path = self.write("large.onnx", ob.model(
            [ob.node("ConstantOfShape", ["s"], ["z"]), ob.node("ReduceSum", ["z"], ["y"])], [], [ob.value("y", [1, 1])], [shape]))
        self.check_bounds(run("convert", path, "-o", self.output))  # may stay an expression; must not be computed

    # --- pickles ---

    def test_pickles_that_name_callables(self):
        evil = b"\x80\2cos\nsystem\nX\x0b\0\0\0touch /tmp/x\x85R."
        # Weights alone hold no graph: they are only read to be shown.
        path = self.zip_file("evil.pt", {"m/data.pkl": evil, "m/version": "3"})
        self.refused(["inspect", path], "evil.pt", "os.system")
        self.convert_refused(path)
        script = {"m/data.pkl": evil, "m/version": "3", "m/code/__torch__.py": "", "m/constants.pkl": b"\x80\2)."}
        self.convert_refused(self.zip_file("evil_script.pt", script), "os.system")
        legacy = (DATA / SAMPLES["torch legacy"]).read_bytes()
        at = legacy.index(b"ctorch._utils\n_rebuild_tensor_v2\n")
        path = self.write("evil_legacy.pt", legacy[:at] + b"cbuiltins\neval\n" + legacy[at + 33:])
        self.refused(["inspect", path], "evil_legacy.pt", "builtins.eval")

    # --- graphs ---

    def onnx(self, nodes, name="graph.onnx", inputs=None, weights=()):
        return self.write(name, ob.model(nodes, inputs or [ob.value("x", [2, 3])], [ob.value("y", [2, 3])], weights))

    def test_cyclic_and_dangling_graphs(self):
        cycle = [ob.node("Add", ["x", "b"], ["a"]), ob.node("Relu", ["a"], ["b"]), ob.node("Relu", ["b"], ["y"])]
        self.convert_refused(self.onnx(cycle), "b")
        self.convert_refused(self.onnx([ob.node("Add", ["x", "nowhere"], ["y"])]), "nowhere")
        self.convert_refused(self.onnx([ob.node("Relu", ["x"], ["z"])]), "y")
        self.convert_refused(self.onnx([ob.node("Relu", ["y"], ["y"])]), "y")

    def test_all_unknown_ops_are_reported_together(self):
        nodes = [ob.node("Warp", ["x"], ["a"], "acme"), ob.node("Warp", ["a"], ["b"], "acme"), ob.node("Relu", ["x"], ["r"]),
                 ob.node("Teleport", ["b"], ["c"]), ob.node("Add", ["c", "r"], ["y"])]
        path = self.onnx(nodes)
        message = self.convert_refused(path, "2 x acme.Warp", "1 x onnx.Teleport", "2 ops")
        self.assertIn("warp_a", message)  # with places
        result = run("inspect", path, "--json")
        self.assertEqual(result.code, 0, result.err)
        answer = json.loads(result.out)
        self.assertEqual(answer["unsupported"], {"acme.Warp": 2, "onnx.Teleport": 1})
        self.assertEqual(answer["ops"].get("relu"), 1)
        self.assertEqual([i["name"] for i in answer["inputs"]], ["x"])

    def test_unknown_ops_in_subgraphs_are_reported_with_the_others(self):
        inputs = [ob.value("x", [2, 3]), ob.value("f", [], 9)]
        warp = [ob.graph_attribute("then_branch", [ob.node("Warp", ["x"], ["a"], "acme")], (), [ob.value("a", [2, 3])]),
                ob.graph_attribute("else_branch", [ob.node("Relu", ["x"], ["b"])], (), [ob.value("b", [2, 3])])]
        step = [ob.node("Identity", ["go"], ["on"]), ob.node("Teleport", ["s"], ["t"])]
        state = [ob.value("i", [], 7), ob.value("go", [], 9), ob.value("s", [2, 3])]
        body = ob.graph_attribute("body", step, state, [ob.value("on", [], 9), ob.value("t", [2, 3])])
        # What is behind an unknown op is looked into, too: its condition, its captured values, its carried ones.
        inner = [ob.graph_attribute("then_branch", [ob.node("Sing", ["y1"], ["c"])], (), [ob.value("c", [2, 3])]),
                 ob.graph_attribute("else_branch", [ob.node("Add", ["y1", "x"], ["d"])], (), [ob.value("d", [2, 3])])]
        nodes = [ob.node("If", ["f"], ["y1"], attributes=warp), ob.node("Loop", ["", "f", "x"], ["y2"], attributes=[body]),
                 ob.node("Loop", ["", "f", "y1"], ["y3"], attributes=[body]),
                 ob.node("If", ["f"], ["y4"], attributes=inner), ob.node("Dance", ["y2"], ["y5"]),
                 ob.node("Sum", ["y3", "y4", "y5"], ["y"])]
        path = self.write("inner.onnx", ob.model(nodes, inputs, [ob.value("y", [2, 3])]))
        answer = json.loads(run("inspect", path, "--json").out)
        self.assertNotIn("error", answer)
        self.assertEqual(answer["unsupported"], {"acme.Warp": 1, "onnx.Teleport": 2, "onnx.Sing": 1, "onnx.Dance": 1})
        self.convert_refused(path, "1 x acme.Warp", "2 x onnx.Teleport", "1 x onnx.Sing", "1 x onnx.Dance", "4 ops")

    def test_wrong_inputs(self):
        path = self.onnx([ob.node("Relu", ["x"], ["y"])], weights=[])
        self.refused(["convert", path, "-o", self.output, "--input", "z=2,3"], "z", "x")
        self.refused(["convert", path, "-o", self.output, "--input", "x=2,3,4"], "x")
        self.refused(["convert", path, "-o", self.output, "--input", "x=2,-3"], "x")
        self.refused(["convert", path, "-o", self.output, "--input", "x"], "x")
        self.refused(["run", path, "--input", "z=random"], "z")
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }\n"
        array = self.write("a.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(32))
        self.refused(["run", path, "--input", f"x={array}"], "x", "4")
        self.refused(["run", path, "--input", f"x={self.folder / 'absent.npy'}"], "absent.npy")
        self.refused(["run", path, "--input", f"x={path}"], "graph.onnx")

    def test_outputs_that_cannot_be_written(self):
        path = self.onnx([ob.node("Relu", ["x"], ["y"])])
        self.refused(["convert", path, "-o", path / "package"], "graph.onnx")
        self.refused(["convert", path, "-o", path], "graph.onnx")
        (self.folder / "other").mkdir()
        (self.folder / "other" / "precious.txt").write_text("keep")
        self.refused(["convert", path, "-o", self.folder / "other"], "other")
        self.assertTrue((self.folder / "other" / "precious.txt").exists())

    # --- packages ---

    def test_damaged_packages(self):
        path = self.onnx([ob.node("MatMul", ["x", "w"], ["y"])], weights=[ob.tensor("w", [3, 3], bytes(36))])
        package = self.folder / "package"
        self.assertEqual(run("convert", path, "-o", package).code, 0)
        for file in ("model.json", "graphs/main.gir", "weights.safetensors"):
            whole = (package / file).read_bytes()
            (package / file).write_bytes(whole[:len(whole) // 2])
            self.refused(["inspect", package], file if file != "graphs/main.gir" else "main")
            for seed in range(6):
                damaged, rng = bytearray(whole), random.Random(f"{file} {seed}")
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
                (package / file).write_bytes(bytes(damaged))
                self.check_bounds(run("run", package, "--input", "x=random"), file)
            (package / file).unlink()
            self.refused(["inspect", package], "package")
            (package / file).write_bytes(whole)
        self.assertEqual(run("inspect", package).code, 0)

    # --- output: whole or absent ---

    def large_model(self, megabytes):
        side = 1 << 9
        count = megabytes * (1 << 20) // (4 * side * side)
        nodes = [ob.node("MatMul", ["x" if i == 0 else f"h{i}", f"w{i}"], ["y" if i == count - 1 else f"h{i + 1}"])
                 for i in range(count)]
        rng = random.Random(3)
        weights = [ob.tensor(f"w{i}", [side, side], rng.randbytes(4 * side * side)) for i in range(count)]
        return self.onnx(nodes, "large.onnx", [ob.value("x", [1, side])], weights)

    def test_a_file_size_limit(self):
        path = self.large_model(4)
        for limit in (0, 100, 1 << 20, 3 << 20):
            result = run("convert", path, "-o", self.output, limit=limit)
            self.assertEqual(result.code, 2, f"limit {limit}: {result.code} {result.err}")
            self.assertIn("cannot write", result.err)
            self.check_nothing_written(f"limit {limit}")

    def test_a_full_disk(self):
        path = self.large_model(4)
        disk = self.folder / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True).returncode:
            self.skipTest("no right to mount a small file system")
        try:
            result = run("convert", path, "-o", disk / "package")
            self.assertEqual(result.code, 2, result.err)
            self.assertIn("No space left on device", result.err)
            self.assertEqual(list(disk.iterdir()), [])
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_kill_at_any_moment(self):
        path = self.large_model(24)
        start = time.monotonic()
        self.assertEqual(run("convert", path, "-o", self.output).code, 0)
        whole_time = time.monotonic() - start
        expected = {p.relative_to(self.output): p.stat().st_size for p in self.output.rglob("*") if p.is_file()}
        shutil.rmtree(self.output)
        rng, absent = random.Random(5), 0
        for i in range(25):
            child = subprocess.Popen([GODWIT, "convert", path, "-o", self.output], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0, whole_time))
            child.kill()
            child.wait()
            if not self.output.exists():
                absent += 1
                continue
            found = {p.relative_to(self.output): p.stat().st_size for p in self.output.rglob("*") if p.is_file()}
            self.assertEqual(found, expected, f"kill {i}")
            self.assertEqual(run("inspect", self.output).code, 0)
            if rng.random() < 0.5:  # else the next one replaces it
                shutil.rmtree(self.output)
        self.assertGreater(absent, 0, "no conversion was killed in time")
        self.assertEqual(run("convert", path, "-o", self.output).code, 0)
        self.assertEqual([p.name for p in self.output.parent.iterdir()], ["package"], "leftovers of killed runs")


if __name__ == "__main__":
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(__doc__)
    GODWIT = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
