"""Runs the fixed slice of the torchvision sweep for one route: sweep_slice.py ROUTE GODWIT. Exit 77 (skipped) where the
packages it compares with are not installed."""
import importlib.util
import os
import subprocess
import sys
import tempfile

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def main():
    route, godwit = sys.argv[1:]
    needed = ["torch", "torchvision"] + (["onnx", "onnxruntime", "onnxscript"] if route == "onnx" else [])
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed; 6 comparisons with the original are not run")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([sys.executable, os.path.join(ROOT, "tools", "sweeps", "models.py"), "--source",
                               "torchvision", "--route", route, "--slice", "--godwit", godwit, "--results", folder],
                              env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
