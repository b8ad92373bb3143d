#!/usr/bin/env python3
"""Builds, imports and runs what `godwit convert --emit cpp,python,mlxfn` left in packages, and compares each form with
the package's golden (and with further golden files that lie beside it: golden-*.safetensors).

    check_emitted.py --prefix PREFIX PACKAGE...

PREFIX is where `cmake --install` put godwit. The C++ of all packages is one CMake build; `--golden` of `convert`
records what is compared with. Needs NumPy and Python's mlx for the other two forms. Exit status 0 when everything that
was written gives the golden's numbers.
"""
import argparse
import glob
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

FORMS = ("cpp", "python", "mlxfn")
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(emitted LANGUAGES CXX)
# Compiled once: what every generated file includes.
find_package(godwit REQUIRED)
file(WRITE ${CMAKE_BINARY_DIR}/headers.cpp "")
add_library(headers STATIC ${CMAKE_BINARY_DIR}/headers.cpp)
target_link_libraries(headers PUBLIC godwit::godwit)
target_compile_options(headers PRIVATE -Wall -Wextra -Werror)
target_precompile_headers(headers PRIVATE <godwit/ops.h> <iostream> <tuple>)
"""


def run(*command, environment=None):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment)
    return done.returncode, (done.stdout + done.stderr).strip()


def verdict(status, text):
    """{"passed", "error", "reason"} of a test program's exit status and output."""
    errors = [float(e) for e in re.findall(r"largest error (\S+)", text)]
    passed = status == 0 and bool(errors)
    lines = text.splitlines()
    told = [line for line in lines if "FAILED" in line][:3] or lines[-3:]
    reason = "" if passed else "\n".join(told)[-300:] or f"exit status {status}"
    return {"passed": passed, "error": max(errors) if errors else None, "reason": reason}


def worst(verdicts):
    """One verdict for several goldens."""
    failed = [v for v in verdicts if not v["passed"]]
    if failed:
        return failed[0]
    return max(verdicts, key=lambda v: v["error"])


def goldens(package):
    """golden.safetensors first, then golden-1.safetensors and so on."""
    return sorted(glob.glob(os.path.join(package, "golden*.safetensors")), key=lambda path: os.path.splitext(path)[0])


def build_cpp(packages, prefix, build, jobs):
    """Builds the C++ of all packages that have some; what fails to compile shows when its program is missing."""
    lines = [PROJECT]
    for i, package in enumerate(packages):
        folder = os.path.join(os.path.abspath(package), "cpp")
        if not os.path.isdir(folder):
            continue
        lines.append(f'add_subdirectory("{folder}" model_{i})\n'
                     f'get_property(targets DIRECTORY "{folder}" PROPERTY BUILDSYSTEM_TARGETS)\n'
                     "foreach(target ${targets})\n  target_precompile_headers(${target} REUSE_FROM headers)\nendforeach()\n")
    shutil.rmtree(build, ignore_errors=True)  # programs of another list of packages have the same names
    os.makedirs(build)
    with open(os.path.join(build, "CMakeLists.txt"), "w") as file:
        file.write("".join(lines))
    objects = os.path.join(build, "objects")
    status, text = run("cmake", "-S", build, "-B", objects, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={os.path.abspath(prefix)}",
                       "-DCMAKE_EXE_LINKER_FLAGS=-s")
    if status == 0:
        status, text = run("cmake", "--build", objects, "-j", jobs, "--", "-k", "0")
    return status, text


def check_cpp(package, index, build, log):
    program = glob.glob(os.path.join(build, "objects", f"model_{index}", "test_*_model"))
    if not program:
        errors = [line for line in log.splitlines() if "error" in line]
        return {"passed": False, "error": None, "reason": "not built: " + (errors or log.splitlines()[-1:] or [""])[0]}
    weights = os.path.join(package, "weights.safetensors")
    return worst([verdict(*run(program[0], weights, golden)) for golden in goldens(package)])


def check_python(package):
    script = os.path.join(package, "python", "test_model.py")
    weights = os.path.join(package, "weights.safetensors")
    return worst([verdict(*run(sys.executable, script, weights, golden)) for golden in goldens(package)])


FUNCTION_CHECK = """
import json, sys
import mlx.core as mx
sys.path.insert(0, sys.argv[1] + "/python")
from test_model import TOLERANCE, relative_error
graph, steps = json.loads(sys.argv[2]), int(sys.argv[3])
golden = mx.load(sys.argv[1] + "/golden.safetensors")
function = mx.import_function(sys.argv[1] + "/model.mlxfn")
states = [mx.zeros(shape, getattr(mx, dtype)) for shape, dtype in graph["states"]]
passed = True
for step in range(max(steps, 1)):
    def tensor(name):
        return golden[name][step] if steps else golden[name]
    results = function(*[tensor("input/" + name) for name in graph["inputs"]], *states)
    states = results[len(graph["outputs"]):]
    for name, result in zip(graph["outputs"], results):
        error = relative_error(result, tensor("output/" + name))
        passed = passed and error <= TOLERANCE
        print(f"{name}: largest error {error:.3g}" + ("" if error <= TOLERANCE else "  FAILED"))
sys.exit(0 if passed else 1)
"""


def header_of(golden):
    with open(golden, "rb") as file:
        return json.loads(file.read(int.from_bytes(file.read(8), "little")))


def steps_of(golden):
    return int(header_of(golden).get("__metadata__", {}).get("steps", 0))


def interface(package, godwit):
    """Names of inputs and outputs in the graph's order; shape and type of each state, sized as in the golden."""
    status, text = run(godwit, "inspect", package, "--json")
    if status:
        raise SystemExit(text)
    graph = json.loads(text)["graphs"][0]
    golden = os.path.join(package, "golden.safetensors")
    tensors, sizes = header_of(golden), {}
    for value in graph["inputs"]:
        shape = tensors["input/" + value["name"]]["shape"]
        sizes |= dict(zip(value["shape"], shape[1:] if steps_of(golden) else shape))
    return {"inputs": [v["name"] for v in graph["inputs"]], "outputs": [v["name"] for v in graph["outputs"]],
            "states": [[[sizes.get(size, size) for size in s["shape"]], s["dtype"]] for s in graph["states"]]}


def check_function(package, godwit):
    """The function file in Python's stock MLX; it holds the shapes of the package's own golden."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(FUNCTION_CHECK)
        script.flush()
        steps = steps_of(os.path.join(package, "golden.safetensors"))
        return verdict(*run(sys.executable, script.name, package, json.dumps(interface(package, godwit)), steps))


def has_mlx():
    return all(importlib.util.find_spec(name) for name in ("mlx", "numpy"))


def check(packages, prefix, godwit, build, jobs=2):
    """[{form: verdict}] for each package; a form that was not written is left out."""
    _, log = build_cpp(packages, prefix, build, jobs)
    results = []
    for i, package in enumerate(packages):
        found = {}
        if os.path.isdir(os.path.join(package, "cpp")):
            found["cpp"] = check_cpp(package, i, build, log)
        if has_mlx() and os.path.isdir(os.path.join(package, "python")):
            found["python"] = check_python(package)
        if has_mlx() and os.path.exists(os.path.join(package, "model.mlxfn")):
            found["mlxfn"] = check_function(package, godwit)
        results.append(found)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--godwit", default="build/bin/godwit")
    parser.add_argument("--prefix", required=True)
    parser.add_argument("packages", nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as build:
        results = check(options.packages, options.prefix, options.godwit, build)
    print("| package | C++ | Python | function file |\n|---|---|---|---|")
    for package, found in zip(options.packages, results):
        cells = ["not written" if form not in found else f"{found[form]['error']:.1e}" if found[form]["passed"] else
                 f"FAILED: {found[form]['reason']}" for form in FORMS]
        print(f"| {os.path.basename(os.path.normpath(package))} | {' | '.join(cells)} |")
    return 0 if all(v["passed"] for found in results for v in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
