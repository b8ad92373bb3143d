#!/usr/bin/env python3
"""Validates packages on a device: each against the golden that lies in it (`godwit convert --validate` records one).

    device.py --packages FOLDER --device gpu [--godwit build/bin/godwit] [--summary docs/coverage/gpu.json]

FOLDER holds one package a subfolder. Float32 means float32: TF32 is switched off for the run.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def validate(godwit, package, device):
    environment = dict(os.environ, MLX_ENABLE_TF32="0")
    done = subprocess.run([godwit, "validate", package, "--device", device, "--json"], capture_output=True, text=True,
                          env=environment, timeout=300)
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        return "failed", None, done.stderr.strip()[-300:]
    reasons = [output["reason"] for output in answer["outputs"] if output.get("reason")]
    return answer["status"], answer["max_error"], "; ".join(reasons)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", required=True)
    parser.add_argument("--device", default="gpu", choices=["cpu", "gpu"])
    parser.add_argument("--godwit", default=os.path.join(ROOT, "build", "bin", "godwit"))
    parser.add_argument("--summary")
    parser.add_argument("--machine", default=f"{platform.machine()}, {os.cpu_count()} cores")
    options = parser.parse_args(argv)
    failures, errors = [], {}
    names = sorted(n for n in os.listdir(options.packages) if os.path.isdir(os.path.join(options.packages, n)))
    for name in names:
        status, error, reason = validate(options.godwit, os.path.join(options.packages, name), options.device)
        print(f"{name:36} {status:8} {error if error is not None else '-'}  {reason}", flush=True)
        if error is not None:
            errors[name] = error
        if status != "passed":
            failures.append({"name": name, "status": "failed", "reason": reason or f"error {error}"})
    worst = max(errors, key=errors.get) if errors else None
    passed = len(names) - len(failures)
    summary = {"title": f"real models and slices of the zoos on --device {options.device}",
               "date": datetime.date.today().isoformat(), "machine": options.machine, "versions": {"mlx": "0.32.4"},
               "command": f"python3 tools/sweeps/device.py --packages FOLDER --device {options.device}",
               "total": len(names), "counted": len(names), "passed": passed, "rate": passed / max(len(names), 1), "goal": 1.0,
               "largest_error": None if worst is None else errors[worst], "largest_error_in": worst,
               "notes": [f"{name}: {error:.2g} of the output's scale" for name, error in sorted(errors.items())],
               "failures": failures}
    if options.summary:
        with open(options.summary, "w") as file:
            json.dump(summary, file, indent=1)
    return 0 if not failures else 1


if __name__ == "__main__":
    sys.exit(main())
