#!/usr/bin/env python3
"""How long `godwit convert` takes for a large checkpoint, beside copying it, and how much memory.

    tools/bench/convert_memory.py [--godwit build/bin/godwit] [--formats onnx,pt2] [--gigabytes 1] [--runs 5]

Makes a transformer encoder with random weights (once; kept in --folder), as a .pt2 (needs torch) and as ONNX with
external data (needs onnx), and compares the median of several runs with `cp` of the same files, with the source in the
page cache and dropped from it. Neither side calls fsync; what is dirty is written back before each run. Ends with exit
code 1 when a goal is missed: at most 2.5 times the copy, at most 300 MB above the largest tensor.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

GOAL_RATIO, GOAL_MEMORY = 2.5, 300e6
WIDTH, VOCABULARY = 1024, 32000


def layer_count(gigabytes):
    layer = 4 * 12 * WIDTH * WIDTH
    return max(1, round((gigabytes * 1e9 - 4 * VOCABULARY * WIDTH) / layer))


def make_pt2(path, layers):
    import torch

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key, self.value, self.out = (torch.nn.Linear(WIDTH, WIDTH) for _ in range(4))
            self.up, self.down = torch.nn.Linear(WIDTH, 4 * WIDTH), torch.nn.Linear(4 * WIDTH, WIDTH)
            self.norm1, self.norm2 = torch.nn.LayerNorm(WIDTH), torch.nn.LayerNorm(WIDTH)

        def heads(self, x):
            return x.reshape(*x.shape[:2], 16, -1).transpose(1, 2)

        def forward(self, x):
            y = self.norm1(x)
            y = torch.nn.functional.scaled_dot_product_attention(
                self.heads(self.query(y)), self.heads(self.key(y)), self.heads(self.value(y)))
            x = x + self.out(y.transpose(1, 2).reshape(x.shape))
            return x + self.down(torch.nn.functional.gelu(self.up(self.norm2(x))))

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(VOCABULARY, WIDTH)
            self.layers = torch.nn.ModuleList(Layer() for _ in range(layers))

        def forward(self, ids):
            x = self.table(ids)
            for layer in self.layers:
                x = layer(x)
            return x

    torch.manual_seed(0)
    torch.export.save(torch.export.export(Encoder().eval(), (torch.zeros(1, 16, dtype=torch.int64),)), path)


def make_onnx(path, layers):
    """As PyTorch's exporters write it: matmul with an (in, out) matrix, weights in one file beside the model."""
    import numpy
    import onnx
    from onnx import TensorProto, helper

    random = numpy.random.default_rng(0)
    nodes, weights = [], []
    data = path.with_suffix(".bin")
    with open(data, "wb") as out:

        def weight(name, *shape):
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
            tensor.data_location = TensorProto.EXTERNAL
            array = random.standard_normal(shape, dtype=numpy.float32) / 32
            for key, value in (("location", data.name), ("offset", out.tell()), ("length", array.nbytes)):
                tensor.external_data.add(key=key, value=str(value))
            out.write(array.tobytes())
            weights.append(tensor)
            return name

        def node(op, *inputs, **attributes):
            name = f"{op}_{len(nodes)}"
            nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
            return name

        def constant(name, values):
            weights.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
            return name

        def linear(x, name, n_in, n_out):
            x = node("MatMul", x, weight(f"{name}.weight", n_in, n_out))
            return node("Add", x, weight(f"{name}.bias", n_out))

        def norm(x, name):
            return node("LayerNormalization", x, weight(f"{name}.weight", WIDTH), weight(f"{name}.bias", WIDTH))

        split, joined = constant("split", [1, 16, 16, WIDTH // 16]), constant("joined", [1, 16, WIDTH])
        scale = helper.make_tensor("scale", TensorProto.FLOAT, [], [(WIDTH / 16) ** -0.5])
        weights.append(scale)
        x = node("Gather", weight("table", VOCABULARY, WIDTH), "ids")
        for i in range(layers):
            y = norm(x, f"{i}.norm1")
            heads = [node("Reshape", linear(y, f"{i}.{part}", WIDTH, WIDTH), split) for part in ("q", "k", "v")]
            q, v = (node("Transpose", h, perm=[0, 2, 1, 3]) for h in (heads[0], heads[2]))
            k = node("Transpose", heads[1], perm=[0, 2, 3, 1])
            y = node("Softmax", node("Mul", node("MatMul", q, k), "scale"), axis=-1)
            y = node("Reshape", node("Transpose", node("MatMul", y, v), perm=[0, 2, 1, 3]), joined)
            x = node("Add", x, linear(y, f"{i}.out", WIDTH, WIDTH))
            y = node("Gelu", linear(norm(x, f"{i}.norm2"), f"{i}.up", WIDTH, 4 * WIDTH))
            x = node("Add", x, linear(y, f"{i}.down", 4 * WIDTH, WIDTH))
    graph = helper.make_graph(
        nodes, "encoder", [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, 16])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 16, WIDTH])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    path.write_bytes(model.SerializeToString())


def sources(folder, kind, gigabytes):
    """The files of the checkpoint, the model first; made where they are absent."""
    folder = folder / f"{kind}-{gigabytes:g}"
    model = folder / ("model." + kind)
    if not folder.exists():
        print(f"making {model} ...", file=sys.stderr, flush=True)
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        # In a process of its own: a child's peak memory counts from that of its parent.
        subprocess.run([sys.executable, __file__, "--make", partial / model.name, "--gigabytes", str(gigabytes)],
                       check=True)
        partial.rename(folder)
    return [model] + sorted(p for p in folder.iterdir() if p != model)


def timed(command):
    """Seconds and peak resident bytes of a command."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed: {said}")
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def prepare(files, cached):
    os.sync()
    for path in files:
        if cached:
            with open(path, "rb") as file:
                while file.read(1 << 24):
                    pass
        else:
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def measure(godwit, files, folder, runs, cached):
    copies, conversions, memory = [], [], []
    target = folder / "output"
    for _ in range(runs):
        for seconds, command in ((copies, ["cp", "-r", *files, target]),
                                 (conversions, [godwit, "convert", files[0], "-o", target])):
            if command[0] == "cp":
                target.mkdir()
            prepare(files, cached)
            time_taken, peak = timed(command)
            seconds.append(time_taken)
            if command[0] != "cp":
                memory.append(peak)
            shutil.rmtree(target)
    return statistics.median(copies), statistics.median(conversions), max(memory)


def line(r):
    return (f"{r['format']:5} {r['bytes'] / 1e9:.2f} GB, page cache {r['page_cache']}: copy {r['copy_s']:.2f} s, "
            f"convert {r['convert_s']:.2f} s, ratio {r['ratio']:.2f}; peak memory {r['peak_memory_mb']} MB, "
            f"largest tensor {r['largest_tensor_mb']} MB: {'passed' if r['passed'] else 'MISSED'}")


def summarize(rows, lines, options):
    passed = sum(r["passed"] for r in rows)
    return {"title": f"conversion of a {options.gigabytes:g} GB checkpoint beside copying it", "date": datetime.date.today().isoformat(),
            "command": "python3 tools/bench/convert_memory.py", "versions": {},
            "machine": f"{platform.machine()}, {os.cpu_count()} cores", "total": len(rows), "counted": len(rows), "passed": passed,
            "rate": passed / len(rows), "goal": 1.0, "largest_error": None,
            "notes": [f"goals: at most {GOAL_RATIO} times the copy, at most {GOAL_MEMORY / 1e6:.0f} MB above the largest tensor",
                      f"medians of {options.runs} runs, in turn with the copies", *lines],
            "failures": [{"name": f"{r['format']}, page cache {r['page_cache']}", "status": "missed", "reason": text}
                         for r, text in zip(rows, lines) if not r["passed"]]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--godwit", default="build/bin/godwit")
    parser.add_argument("--formats", default="onnx,pt2")
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "godwit-large")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--summary", type=pathlib.Path, help="where the summary for docs/coverage.md goes")
    parser.add_argument("--make", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make = {".pt2": make_pt2, ".onnx": make_onnx}[options.make.suffix]
        return make(options.make, layer_count(options.gigabytes))
    largest = 4 * VOCABULARY * WIDTH
    rows = []
    for kind in options.formats.split(","):
        files = sources(options.folder, kind, options.gigabytes)
        size = sum(p.stat().st_size for p in files)
        for cached in (True, False):
            copy, convert, memory = measure(options.godwit, files, options.folder, options.runs, cached)
            rows.append({"format": kind, "bytes": size, "page_cache": "warm" if cached else "cold",
                         "copy_s": round(copy, 3), "convert_s": round(convert, 3), "ratio": round(convert / copy, 2),
                         "peak_memory_mb": round(memory / 1e6), "largest_tensor_mb": round(largest / 1e6),
                         "passed": convert / copy <= GOAL_RATIO and memory <= largest + GOAL_MEMORY})
    lines = [line(r) for r in rows]
    if options.summary:
        options.summary.write_text(json.dumps(summarize(rows, lines, options), indent=1) + "\n")
    if options.json:
        print(json.dumps({"rows": rows, "load": os.getloadavg()[0]}, indent=1))
    else:
        print("\n".join(lines))
        print(f"medians of {options.runs} runs, load average {os.getloadavg()[0]:.1f}")
    return 0 if all(r["passed"] for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
