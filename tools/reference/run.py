#!/usr/bin/env python3
"""Runs a model in its own framework: the other side of every comparison and measurement.

    run.py MODEL --inputs IN.safetensors --output OUT.safetensors [--layers] [--json]
    run.py MODEL --inputs IN.safetensors --runs 100 --threads 2 [--json]
    run.py MODEL --serve

.onnx runs in onnxruntime, TorchScript in torch.jit, .pt2 through torch.export. Names of inputs and outputs are the
source's (docs/interfaces.md). --sequence NAME,... runs one step for each index of the leading axis of these inputs and
stacks the outputs; --carry OUTPUT=INPUT feeds a step's output to the next. --layers adds every intermediate tensor;
--golden writes inputs and outputs (and layers) together, for `godwit validate --golden`.
--serve reads one JSON request a line from stdin and answers with one line: run, time, reset, quit.
"""
import argparse
import json
import os
import resource
import statistics
import sys
import time
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tensors  # noqa: E402


def load_model(path, threads, layers=False):
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            entries = archive.namelist()
        import torch_model
        if any("/code/" in entry for entry in entries):
            return torch_model.TorchScriptModel(path, threads)
        if any(entry.endswith("models/model.json") or entry.endswith("serialized_exported_program.json")
               for entry in entries):
            return torch_model.ExportedModel(path, threads)
        raise SystemExit(f"{path}: a zip archive that is neither TorchScript nor a torch.export program")
    import onnx_model
    return onnx_model.OnnxModel(path, threads, layers)


def load_wide(path):
    import wide_model
    return wide_model.WideModel(path)


def run_once(model, values, layers):
    results = model.run(model.prepare(values), layers)
    return {name: model.to_numpy(name, value) for name, value in results.items()}


def run_sequence(model, values, sequence, carry, layers):
    import numpy as np
    counts = {name: values[name].shape[0] for name in sequence}
    if len(set(counts.values())) != 1:
        raise ValueError(f"the sequence inputs differ in their leading axis: {counts}")
    carried, steps = {}, []
    for step in range(next(iter(counts.values()))):
        now = {name: value[step] if name in sequence else value for name, value in values.items()} | carried
        results = run_once(model, now, layers)
        carried = {target: results[source] for source, target in carry.items()}
        steps.append(results)
    stacked = {}
    for name in steps[0]:
        rows = [step[name] for step in steps]
        if isinstance(rows[0], tensors.Bits):
            stacked[name] = tensors.Bits(rows[0].code, np.stack([row.array for row in rows]))
        else:
            stacked[name] = np.stack(rows)
    return stacked


def golden_of(model, values, results, sequence):
    """The tensors of a golden file and its metadata (docs/interfaces.md). `results` of a sequence are stacked."""
    import numpy as np
    steps = values[sequence[0]].shape[0] if sequence else 0
    named = {}
    for name, value in values.items():
        repeat = steps and name not in sequence
        named[f"input/{name}"] = np.stack([value] * steps) if repeat else value
    for name, value in results.items():
        named[f"{'output' if name in model.outputs else 'layer'}/{name}"] = value
    return named, {"steps": steps, **model.versions}


def measure(model, values, warmup, runs):
    """Latencies in milliseconds, one for each run."""
    prepared = model.prepare(values)
    for _ in range(warmup):
        model.run(prepared)
    latencies = []
    for _ in range(runs):
        start = time.perf_counter()
        model.run(prepared)
        latencies.append((time.perf_counter() - start) * 1e3)
    return latencies


def quantile(sorted_values, fraction):
    return sorted_values[min(len(sorted_values) - 1, int(fraction * len(sorted_values)))]


def summary(model, latencies):
    ordered = sorted(latencies)
    return {"median_ms": statistics.median(ordered), "p99_ms": quantile(ordered, 0.99), "min_ms": ordered[0],
            "runs": len(ordered), "peak_memory_bytes": peak_memory(), **model.versions}


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def describe(results):
    return {name: {"shape": list(value.shape), "dtype": value.code if isinstance(value, tensors.Bits) else
                   str(value.dtype)} for name, value in results.items()}


class Server:
    """Keeps the model loaded between requests, so that two sides can be measured in turn."""

    def __init__(self, model):
        self.model = model
        self.prepared = None

    def handle(self, request):
        kind = request["do"]
        if kind == "inputs":
            self.prepared = self.model.prepare(tensors.load(request["path"]))
            return {}
        if kind == "run":
            values = tensors.load(request["inputs"])
            results = run_once(self.model, values, request.get("layers", False))
            tensors.save(request["output"], results)
            found = describe(results)
            for name, entry in found.items():
                entry["layer"] = name not in self.model.outputs
            return {"outputs": found}
        if kind == "time":
            start = time.perf_counter()
            for _ in range(request.get("runs", 1)):
                self.model.run(self.prepared)
            return {"ms": (time.perf_counter() - start) * 1e3, "peak_memory_bytes": peak_memory()}
        if kind == "reset":
            self.model.reset()
            return {}
        raise ValueError(f"unknown request {kind}")

    def loop(self):
        answer = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)  # what a framework prints must not get between the answers
        print(json.dumps({"ok": True, **self.model.versions, "peak_memory_bytes": peak_memory()}), file=answer)
        for line in sys.stdin:
            request = json.loads(line)
            if request.get("do") == "quit":
                return
            try:
                print(json.dumps({"ok": True, **self.handle(request)}), file=answer)
            except Exception as error:  # the other side decides what a failed request means
                print(json.dumps({"ok": False, "error": f"{type(error).__name__}: {error}"}), file=answer)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--inputs", help=".safetensors file with one tensor for each input")
    parser.add_argument("--output", help=".safetensors file to write")
    parser.add_argument("--golden", help=".safetensors file to write: inputs with outputs")
    parser.add_argument("--wide", action="store_true", help="ONNX: the graph in float64, results rounded to float32")
    parser.add_argument("--layers", action="store_true", help="write every intermediate tensor too")
    parser.add_argument("--sequence", default="", help="inputs whose leading axis counts the steps, comma separated")
    parser.add_argument("--carry", action="append", default=[], metavar="OUTPUT=INPUT")
    parser.add_argument("--runs", type=int, default=0, help="measure this many runs")
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv=None):
    options = parse(argv)
    try:
        model = load_wide(options.model) if options.wide else load_model(options.model, options.threads, options.layers)
    except ModuleNotFoundError as error:
        raise SystemExit(f"running {options.model} needs {error.name}, which {sys.executable} does not have; install it "
                         f"with: {sys.executable} -m pip install {error.name}") from None
    if options.serve:
        Server(model).loop()
        return
    report = dict(model.versions)
    values = tensors.load(options.inputs) if options.inputs else {}
    if options.output or options.golden:
        sequence = options.sequence.split(",") if options.sequence else []
        if sequence:
            carry = dict(pair.split("=", 1) for pair in options.carry)
            results = run_sequence(model, values, sequence, carry, options.layers)
        else:
            results = run_once(model, values, options.layers)
        if options.output:
            tensors.save(options.output, results, model.versions)
        if options.golden:
            tensors.save(options.golden, *golden_of(model, values, results, sequence))
        report["outputs"] = describe(results)
    if options.runs:
        report |= summary(model, measure(model, values, options.warmup, options.runs))
    if not options.output and not options.golden and not options.runs:
        report["inputs"] = {name: {"dtype": kind, "shape": shape} for name, (kind, shape) in model.inputs.items()}
    report["peak_memory_bytes"] = peak_memory()
    print(json.dumps(report) if options.json else "\n".join(f"{key}: {value}" for key, value in report.items()))


if __name__ == "__main__":
    main()
