#!/usr/bin/env python3
"""Converts and proves whole model zoos: builds each model with random weights, exports it, records what the original
computes, then runs `godwit convert` and `godwit validate` on the file.

    models.py --source torchvision --route pt2            the whole source
    models.py --source torchvision --route onnx --slice   a fixed small part, for the tests
    models.py --source timm --route pt2 --only resnet10t  some models by name

One JSON object a model goes to RESULTS/SOURCE-ROUTE.jsonl; models that have one are not run again (--again NAME,... or
--failed runs them anew). A summary for docs/coverage.md goes to --summary. Exported files are deleted after use.
"""
import argparse
import datetime
import json
import os
import platform
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, HERE)
GOALS = {("torchvision", "pt2"): 0.97, ("torchvision", "onnx"): 0.97, ("torchvision", "torchscript"): 0.95,
         ("timm", "pt2"): 0.95, ("transformers", "pt2"): 0.90}
LOCAL_OPTIONS = ("--godwit", "--results", "--summary", "--cache", "--keep", "--again", "--packages", "--machine")  # and their values
SWITCHES = ("--failed", "--summarize")
MEMORY = 12 << 30  # bytes that building and exporting a model may take
EXPORT_LIMIT = {"transformers": 60}  # seconds: what the goal for them says
EXECUTORS = ("cpu", "mlx")  # a model has to pass in both: planned kernels, and MLX's ops on --device
WAITING = 8  # a process that waits this many times its limit hangs
NO_STATEMENT = ("skipped", "export_failed", "export_time_limit")  # not counted: there was no file to convert


def prepare(source, route, name, folder):
    """In a child process: builds and exports; leaves the file, the golden and what happened in the folder."""
    import torch
    import routes
    import zoo
    torch.set_num_threads(1)
    status, stage = {"parameters": 0}, "build"
    try:
        model, args, kwargs = zoo.SOURCES[source][1](name)
        status["parameters"] = sum(p.numel() for p in model.parameters())
        stage = "export"
        status["model"] = routes.ROUTES[route](model, args, kwargs, folder)
    except zoo.Skip as reason:
        status |= {"status": "skipped", "reason": str(reason)}
    except Exception as error:
        status |= {"status": "skipped" if stage == "build" else "export_failed", "trace": traceback.format_exc()[-2000:],
                   "reason": f"{type(error).__name__}: {str(error)[:300]}"}
    with open(os.path.join(folder, "prepared.json"), "w") as file:
        json.dump(status, file)


def in_child(function, limit):
    """Runs the function in a fork, so that imports are paid once and a crash or a hang ends with it. False: it took more
    than `limit` seconds of processor time, which other programs on the machine do not change."""
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        try:
            function()
        finally:
            os._exit(0)
    end = time.monotonic() + WAITING * limit
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return not (os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL))
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        time.sleep(0.02)


def call(command, limit):
    """Exit status, the JSON on stdout (or None), the last line of stderr."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None, None, f"over {limit} s"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = None
    return done.returncode, answer, lines[-1] if lines else ""


def judge(options, model, folder):
    godwit, limit = options.godwit, options.limit
    package = os.path.join(folder, "package")
    start = time.monotonic()
    code, answer, said = call([godwit, "convert", model, "-o", package, "--json"], limit)
    result = {"convert_s": round(time.monotonic() - start, 2)}
    if code != 0:
        reason = said or (answer or {}).get("error", "") or f"exit {code}"
        return result | {"status": "convert_failed", "reason": reason[:500],
                         "unsupported": (answer or {}).get("unsupported", {})}
    result |= {"nodes": answer.get("nodes_after"), "status": "passed"}
    for executor in EXECUTORS:
        compare(options, package, os.path.join(folder, "golden.safetensors"), executor, result)
    return result


def compare(options, package, golden, executor, result):
    """Adds to the result what this executor gives: the larger error counts, and one failure is a failure."""
    start = time.monotonic()
    device = options.device if executor == "mlx" else "cpu"
    code, answer, said = call([options.godwit, "validate", package, "--golden", golden, "--executor", executor, "--device",
                               device, "--json"], options.limit)
    result[f"validate_{executor}_s"] = round(time.monotonic() - start, 2)
    if answer and "max_error" in answer:
        result |= {"max_error": max(answer["max_error"], result.get("max_error", 0)), "tolerance": answer["tolerance"]}
    if code == 0 and answer and answer.get("status") == "passed":
        return
    reasons = [f"{o['name']}: {o['reason']}" for o in (answer or {}).get("outputs", []) if not o.get("passed")]
    result["status"] = "validate_failed"
    result.setdefault("reason", f"{executor}: {reasons[0] if reasons else said or f'exit {code}'}"[:500])


def export(options, name, folder):
    """Leaves the file and its golden in the folder, unless they lie there; gives what is known of them."""
    path = os.path.join(folder, "prepared.json")
    if os.path.exists(path):
        with open(path) as file:
            return json.load(file)
    start = time.monotonic()
    in_time = in_child(lambda: prepare(options.source, options.route, name, folder), options.export_limit)
    taken = {"export_s": round(time.monotonic() - start, 2)}
    if not in_time:
        return taken | {"status": "export_time_limit", "reason": f"over {options.export_limit} s"}
    if not os.path.exists(path):
        return taken | {"status": "export_failed", "reason": "the exporting process ended early"}
    with open(path) as file:
        prepared = json.load(file) | taken
    with open(path, "w") as file:
        json.dump(prepared, file)
    return prepared


def run_model(options, name):
    folder = os.path.join(options.keep, f"{options.source}-{options.route}", name) if options.keep else \
        tempfile.mkdtemp(prefix="godwit-sweep-", dir=options.cache)
    os.makedirs(folder, exist_ok=True)
    result = {"name": name, "status": "failed"}
    try:
        prepared = export(options, name, folder)
        result |= {key: prepared[key] for key in ("export_s", "parameters", "status", "reason") if key in prepared}
        if "status" not in prepared:
            result["file_bytes"] = os.path.getsize(prepared["model"])
            result |= judge(options, prepared["model"], folder)
            if options.packages and result["status"] == "passed":
                keep_package(options, name, folder)
            if "reason" in result:
                result["reason"] = result["reason"].replace(folder + os.sep, "")
        return result
    finally:
        shutil.rmtree(os.path.join(folder, "package"), ignore_errors=True)
        if not (options.keep and result["status"] in ("convert_failed", "validate_failed")):
            shutil.rmtree(folder, ignore_errors=True)


def keep_package(options, name, folder):
    """With its golden, under a name of its own: what device.py compares on another device."""
    kept = os.path.join(options.packages, f"{options.source}-{options.route}-{name}")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.move(os.path.join(folder, "package"), kept)
    shutil.copy(os.path.join(folder, "golden.safetensors"), kept)


def load_results(path):
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return {row["name"]: row for row in map(json.loads, file)}


def versions():
    from importlib import metadata
    found = {}
    for package in ("torch", "torchvision", "timm", "transformers", "onnx", "onnxruntime", "onnxscript"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            pass
    return found


def portable(reason):
    """One line, without the folders that packages lie in on this machine."""
    return re.sub(r"(/[^\s'\"/]+)+/(?=site-packages/)", "", " ".join(reason.split()))


def summarize(options, results, selected):
    counted = [r for r in results if r["status"] not in NO_STATEMENT]
    passed = [r for r in counted if r["status"] == "passed"]
    worst = max(passed, key=lambda r: r["max_error"], default=None)
    rate = len(passed) / len(counted) if counted else 0.0
    part = " (fixed slice)" if options.slice else ""
    if len(results) < selected:
        part += f" (the first {len(results)} of {selected})"
    return {
        "title": f"{options.source} through {options.route}{part}, both executors" +
                 (", MLX on a GPU" if options.device == "gpu" else ""),
        "date": datetime.date.today().isoformat(),
        "command": "python3 tools/sweeps/models.py " + " ".join(options.command),
        "machine": options.machine, "versions": versions(), "total": len(results),
        "counted": len(counted), "passed": len(passed), "rate": rate,
        "goal": GOALS.get((options.source, options.route)), "largest_error": worst and worst["max_error"],
        "largest_error_in": worst and worst["name"],
        "failures": [{"name": r["name"], "status": r["status"], "reason": portable(r.get("reason", "")),
                      "unsupported": sorted(r.get("unsupported") or {})} for r in results if r["status"] != "passed"],
    }


def select(options, names):
    import zoo
    if options.slice:
        names = zoo.SLICE[options.source]
    if options.only:
        names = options.only.split(",")
    if options.first:
        names = names[:options.first]
    return names


def recorded(arguments):
    """The command line without where things lie and what was run anew."""
    kept, skip = [], False
    for argument in arguments:
        if not skip and argument not in LOCAL_OPTIONS + SWITCHES:
            kept.append(argument)
        skip = not skip and argument in LOCAL_OPTIONS
    return kept


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, choices=["torchvision", "timm", "transformers"])
    parser.add_argument("--route", required=True, choices=["pt2", "onnx", "torchscript"])
    parser.add_argument("--godwit", default=os.path.join(ROOT, "build", "bin", "godwit"))
    parser.add_argument("--results", default=os.path.join(ROOT, "build", "sweeps"))
    parser.add_argument("--summary", help="where the summary goes; default RESULTS/SOURCE-ROUTE.json")
    parser.add_argument("--device", default="cpu", choices=["cpu", "gpu"], help="where the MLX executor runs (on a GPU without TF32)")
    parser.add_argument("--machine", default=f"{platform.machine()}, {os.cpu_count()} cores", help="what the summary calls it")
    parser.add_argument("--cache", default=tempfile.gettempdir(), help="where exported files live while they are used")
    parser.add_argument("--keep", help="the exported files of models that fail stay here and are used by the next run")
    parser.add_argument("--packages", help="packages of models that pass stay here, with their goldens (for device.py)")
    parser.add_argument("--slice", action="store_true", help="only the fixed small part; every model must pass")
    parser.add_argument("--only", help="these names, comma separated")
    parser.add_argument("--first", type=int, help="only so many")
    parser.add_argument("--again", default="", help="run these anew, comma separated")
    parser.add_argument("--failed", action="store_true", help="run anew what did not pass")
    parser.add_argument("--summarize", action="store_true", help="run nothing: only the summary of the results so far")
    parser.add_argument("--limit", type=float, default=300, help="seconds for each godwit command")
    parser.add_argument("--export-limit", type=float,
                        help="seconds of processor time to build and export a model; default 60 for transformers, else 300")
    options = parser.parse_args(argv)
    options.export_limit = options.export_limit or EXPORT_LIMIT.get(options.source, 300)
    options.command = recorded(sys.argv[1:] if argv is None else argv)
    return options


def main(argv=None):
    options = parse(argv)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["MLX_ENABLE_TF32"] = "0"
    import zoo
    if not options.summarize:
        zoo.warm_up(options.source)
    os.makedirs(options.results, exist_ok=True)
    kind = f"{options.source}-{options.route}" + ("-slice" if options.slice else "")
    path = os.path.join(options.results, kind + ".jsonl")
    done = {} if options.slice else load_results(path)
    again = set(options.again.split(","))
    names = select(options, zoo.SOURCES[options.source][0]() if not (options.slice or options.only) else [])
    for number, name in enumerate(names, 1):
        old = done.get(name)
        if options.summarize or old and name not in again and not (options.failed and old["status"] != "passed"):
            continue
        result = run_model(options, name)
        done[name] = result
        with open(path, "a") as file:
            file.write(json.dumps(result) + "\n")
        error = f" {result['max_error']:.2e}" if "max_error" in result else ""
        print(f"[{number}/{len(names)}] {name}: {result['status']}{error} {result.get('reason', '')[:200]}", flush=True)
    chosen = [done[name] for name in names if name in done]
    summary = summarize(options, chosen, len(names))
    with open(options.summary or os.path.join(options.results, kind + ".json"), "w") as file:
        json.dump(summary, file, indent=1)
        file.write("\n")
    print(f"{summary['title']}: {summary['passed']} of {summary['counted']} converted and proven ({summary['rate']:.1%})")
    if options.slice and summary["passed"] != len(chosen):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
