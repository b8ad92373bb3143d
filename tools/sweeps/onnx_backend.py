"""Runs ONNX's backend test suite (of the installed onnx package) through godwit_onnx_backend and sums up.

usage: onnx_backend.py [--runner build/bin/godwit_onnx_backend] [--cache build/onnx-backend] [--only SUBSTRING]
                       [--jobs N] [--summary FILE.json] [--slice ZIP]

The cases are dumped once into the cache folder. A case is eligible when every tensor it takes or gives is numeric or
boolean, of at least 8 bits for floats (float4 and float6 are not) and of at most 64 bits. Cases that are not
eligible run, too, and are listed apart. --slice writes a zip with a fixed selection of small passing cases: what the
quick tests run.
"""
import argparse
import collections
import concurrent.futures
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import zipfile

import onnx
from onnx import TensorProto

NOT_ELIGIBLE = {
    TensorProto.STRING: "string",
    TensorProto.COMPLEX64: "complex",
    TensorProto.COMPLEX128: "complex",
    TensorProto.FLOAT4E2M1: "float below 8 bits",
    TensorProto.FLOAT6E2M3: "float below 8 bits",
    TensorProto.FLOAT6E3M2: "float below 8 bits",
}
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")


def write_value(path, value, info):
    from onnx import numpy_helper

    if info.type.HasField("sequence_type"):
        proto = numpy_helper.from_list(value, info.name)
    elif info.type.HasField("optional_type"):
        proto = numpy_helper.from_optional(value, info.name)
    elif isinstance(value, TensorProto):
        proto = value
    else:
        proto = numpy_helper.from_array(value, info.name)
    path.write_bytes(proto.SerializeToString())


def dump(cache):
    """CASE/model.onnx and CASE/test_data_set_K/{input,output}_I.pb for every case, by kind."""
    done = cache / "complete"
    if done.exists() and done.read_text() == onnx.__version__:
        return
    from onnx.backend.test.case.model import collect_testcases as collect_models
    from onnx.backend.test.case.node import collect_testcases as collect_nodes

    seen = set()
    for case in list(collect_nodes(None)) + list(collect_models()):
        if case.kind == "real" or case.name in seen:
            continue
        seen.add(case.name)
        folder = cache / case.kind / case.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        for k, (inputs, outputs) in enumerate(case.data_sets):
            data = folder / f"test_data_set_{k}"
            data.mkdir(exist_ok=True)
            for i, value in enumerate(inputs):
                write_value(data / f"input_{i}.pb", value, case.model.graph.input[i])
            for i, value in enumerate(outputs):
                write_value(data / f"output_{i}.pb", value, case.model.graph.output[i])
    for kind in KINDS:
        root = pathlib.Path(onnx.__file__).parent / "backend/test/data" / kind
        for source in sorted(root.iterdir()) if root.exists() else []:
            if not (source / "model.onnx").exists() or (cache / kind / source.name).exists():
                continue
            for file in source.rglob("*"):
                if file.is_file():
                    target = cache / kind / source.name / file.relative_to(source)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(file.read_bytes())
    done.write_text(onnx.__version__)


def element_types(type_proto):
    kind = type_proto.WhichOneof("value")
    if kind in ("sequence_type", "optional_type"):
        return element_types(getattr(type_proto, kind).elem_type)
    return {type_proto.tensor_type.elem_type} if kind == "tensor_type" else {TensorProto.STRING}


def ineligible(folder):
    model = onnx.load(folder / "model.onnx")
    for info in list(model.graph.input) + list(model.graph.output):
        for element in element_types(info.type):
            if element in NOT_ELIGIBLE:
                return NOT_ELIGIBLE[element]
    return ""


def run_chunk(runner, folders):
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MLX_ENABLE_TF32="0")
    out = subprocess.run([runner] + [str(f) for f in folders], capture_output=True, text=True, env=environment)
    return [json.loads(line) for line in out.stdout.splitlines()]


def write_slice(path, results, folders):
    """Small passing cases, spread over the operators: every n-th of those below 6 kB."""
    small = []
    for name, result in sorted(results.items()):
        size = sum(f.stat().st_size for f in folders[name].rglob("*") if f.is_file())
        if result["status"] == "passed" and size < 6000 and result["ms"] < 400:
            small.append(name)
    step = max(len(small) / 200, 1)
    chosen = [small[int(i * step)] for i in range(int(len(small) / step))]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in chosen:
            for file in sorted(folders[name].rglob("*")):
                if file.is_file():
                    entry = zipfile.ZipInfo(f"{name}/{file.relative_to(folders[name])}", (2026, 1, 1, 0, 0, 0))
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(entry, file.read_bytes())
    print(f"{len(chosen)} cases in {path}, {os.path.getsize(path)} bytes", file=sys.stderr)


def summary(results, folders):
    """The shape that coverage.py reads; `failures` lists every case that did not pass, eligible or not."""
    counts = collections.defaultdict(collections.Counter)
    failures, eligible, passed, specialised = [], 0, 0, 0
    for name, result in sorted(results.items()):
        counts[folders[name].parent.name][result["status"]] += 1
        why = ineligible(folders[name])
        if not why:
            eligible += 1
            passed += result["status"] == "passed"
            specialised += result["status"] == "passed" and bool(result.get("specialised"))
        if result["status"] == "passed":
            continue
        refused = result["status"] == "refused"
        failures.append({"name": name, "status": f"not counted: {why}" if why else result["status"],
                         "reason": result["reason"], "unsupported": result["reason"].split(", ") if refused and not why else []})
    notes = [f"{kind}: " + ", ".join(f"{n} {status}" for status, n in sorted(c.items())) for kind, c in sorted(counts.items())]
    notes.append(f"{specialised} of the passed cases were imported with the value of an input that holds axes, counts or "
                 "scales (--input NAME=VALUE)")
    return {"title": "ONNX backend suite", "date": datetime.date.today().isoformat(),
            "command": "tools/sweeps/onnx_backend.py", "machine": f"{os.cpu_count()} cores, {platform.machine()}",
            "versions": {"onnx": onnx.__version__}, "total": len(results), "counted": eligible, "passed": passed,
            "rate": round(passed / max(eligible, 1), 5), "goal": 0.98, "largest_error": None, "notes": notes,
            "failures": failures}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runner", default="build/bin/godwit_onnx_backend")
    parser.add_argument("--cache", default="build/onnx-backend", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--summary", type=pathlib.Path)
    parser.add_argument("--slice", type=pathlib.Path)
    options = parser.parse_args()
    dump(options.cache)
    folders = {f.name: f for kind in KINDS for f in sorted((options.cache / kind).iterdir()) if options.only in f.name}
    todo = list(folders.values())
    chunks = [todo[i:i + 20] for i in range(0, len(todo), 20)]
    results = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for chunk in pool.map(lambda c: run_chunk(options.runner, c), chunks):
            for line in chunk:
                results[line.pop("name")] = line
            print(f"\r{len(results)}/{len(todo)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    report = summary(results, folders)
    if options.summary:
        options.summary.parent.mkdir(parents=True, exist_ok=True)
        options.summary.write_text(json.dumps(report, indent=1) + "\n")
    if options.slice:
        write_slice(options.slice, results, folders)
    print(json.dumps({k: v for k, v in report.items() if k != "failures"}, indent=1))


if __name__ == "__main__":
    main()
