#!/usr/bin/env python3
"""Converts models with every emitter, builds and runs what was written, and prints a table.

    check_emitted.py --godwit build/bin/godwit --prefix PREFIX MODEL [MODEL...] [-- convert options...]

PREFIX is where `cmake --install` put godwit. Needs what `convert --validate` needs for its reference, and mlx for the
Python half. Exit status 0 when everything that was written gives the reference's numbers; a function file that is
refused because the model's work depends on its data is named, not counted as a failure.
"""
import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def run(*command, cwd=None):
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def largest_error(text):
    errors = [float(e) for e in re.findall(r"largest error (\S+)", text)]
    return max(errors) if errors else None


def verdict(status, text):
    error = largest_error(text)
    if error is None:
        return False, text.splitlines()[-1] if text else "no output"
    return status == 0, f"{error:.1e}"


def check_cpp(folder, prefix):
    build = folder / "build"
    status, text = run("cmake", "-S", folder / "cpp", "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    if status == 0:
        status, text = run("cmake", "--build", build)
    if status == 0:
        return verdict(*run(build / "test_model"))
    return False, text.splitlines()[-1]


def check_python(folder):
    return verdict(*run(sys.executable, folder / "python" / "test_model.py"))


FUNCTION_CHECK = """
import sys
import mlx.core as mx
sys.path.insert(0, sys.argv[1] + "/python")
from test_model import relative_error
golden = mx.load(sys.argv[1] + "/golden.safetensors")
inputs = [golden["input/" + n] for n in sys.argv[2].split(",")]
function = mx.import_function(sys.argv[1] + "/model.mlxfn")
results = function(*inputs)
for name, result in zip(sys.argv[3].split(","), results):
    print(f"{name}: largest error {relative_error(result, golden['output/' + name])}")
"""


def ports(folder):
    """Names of inputs and outputs, in the order of the graph's text."""
    head = next(line for line in (folder / "graphs" / "main.gir").read_text().splitlines() if line.startswith("graph "))
    before, after = head.split(") -> (", 1)
    names = r'(?:"([^"]+)"|([\w.]+))'
    inputs = [a or b for a, b in re.findall(names + r":", before.split("(", 1)[1])]
    return inputs, [a or b for a, b in re.findall(names + r" = [%@$]", after)]


def check_function(folder):
    script = folder / "check.py"
    script.write_text(FUNCTION_CHECK)
    inputs, outputs = ports(folder)
    return verdict(*run(sys.executable, script, folder, ",".join(inputs), ",".join(outputs)))


def main():
    given, options = sys.argv[1:], []
    if "--" in given:
        given, options = given[: given.index("--")], given[given.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--godwit", default="build/bin/godwit")
    parser.add_argument("--prefix", required=True)
    parser.add_argument("models", nargs="+")
    arguments = parser.parse_args(given)
    print("| model | C++ | Python | function file |\n|---|---|---|---|")
    passed = True
    for model in arguments.models:
        work = Path(tempfile.mkdtemp())
        folder = work / re.sub(r"\W", "_", Path(model).stem)
        cells = []
        status, text = run(arguments.godwit, "convert", model, "-o", folder, "--emit", "cpp,python", "--validate", *options)
        if not (folder / "model.json").exists():
            cells, passed = [f"not converted: {text.splitlines()[-1]}", "", ""], False
        else:
            for check in (lambda: check_cpp(folder, arguments.prefix), lambda: check_python(folder)):
                ok, cell = check()
                passed &= ok
                cells.append(cell if ok else f"FAILED: {cell}")
            status, text = run(arguments.godwit, "convert", folder, "-o", work / "function" / folder.name, "--emit", "mlxfn", *options)
            function = work / "function" / folder.name / "model.mlxfn"
            if function.exists():
                shutil.copy(function, folder)
                ok, cell = check_function(folder)
                passed &= ok
                cells.append(cell if ok else f"FAILED: {cell}")
            else:
                cells.append(f"refused: {text.splitlines()[-1]}")
        print(f"| {Path(model).name} | {' | '.join(cells)} |", flush=True)
        shutil.rmtree(work)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
