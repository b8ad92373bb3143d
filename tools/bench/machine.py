"""The machine and what is installed on it."""
import importlib.metadata
import json
import os
import platform

from core import run_program
from report import PACKAGES


def cpu_model():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith(("model name", "Model")):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def describe(setting):
    """Its name and limits, and the versions of the peers."""
    limits = json.loads(run_program([setting.program("godwit_bench_machine"), setting.threads]))
    return limits | {"cpu": cpu_model(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}",
                     "versions": versions()}
