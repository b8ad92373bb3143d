#!/usr/bin/env python3
"""Writes docs/coverage.md and docs/known-gaps.md from the summaries of the sweeps (docs/coverage/*.json): date,
versions and command of every row; every unsupported op with the models that need it. A summary holds: title, date, command, machine, versions, total, counted, passed, rate, goal, largest_error,
largest_error_in, failures[{name, status, reason, unsupported[]}], and optional notes[]."""
import argparse
import collections
import glob
import json
import os

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
HEAD = """# Coverage

What converts and is proven equal to its original. Written by `tools/sweeps/coverage.py` from the summaries that the
sweeps leave in `docs/coverage/`; `make sweep` runs them all. Never edited by hand.

*Counted* leaves out what gave no file to convert (the original does not build, run or export here) and, in the ONNX
suite, cases over types that are out of scope; those are listed below with their reasons.
"""
GAPS_HEAD = """# Known gaps

Ops without a translator, with the models of the sweeps that need them. Written by `tools/sweeps/coverage.py`, like
[coverage.md](coverage.md), which lists every failure with its reason.
"""
SHOWN = 200  # characters of a reason


def percent(value):
    return "-" if value is None else f"{100 * value:.1f} %"


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def row(summary):
    error = summary.get("largest_error")
    where = f" ({summary['largest_error_in']})" if summary.get("largest_error_in") else ""
    return [summary["title"], summary["total"], summary["counted"], summary["passed"], percent(summary["rate"]),
            percent(summary.get("goal")), "-" if error is None else f"{error:.1e}{where}", summary["date"]]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(cell(value) for value in values) + " |" for values in rows]


def section(summary):
    versions = ", ".join(f"{name} {version}" for name, version in summary.get("versions", {}).items())
    lines = [f"## {summary['title']}", "", f"`{summary['command']}`", "",
             f"{summary['date']}; {summary.get('machine', '')}; {versions}", ""]
    lines += [f"- {note}" for note in summary.get("notes", [])] + ([""] if summary.get("notes") else [])
    failures = summary.get("failures", [])
    if failures:
        kinds = collections.Counter(f.get("status", "failed") for f in failures)
        lines += [", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) + ":", ""]
        lines += table(["name", "status", "reason"],
                       [[f["name"], f.get("status", "failed"), f.get("reason", "")[:SHOWN]] for f in failures])
    else:
        lines.append("Nothing failed.")
    return lines + [""]


def document(summaries):
    head = ["what", "all", "counted", "passed", "rate", "goal", "largest error / scale", "date"]
    lines = [HEAD, *table(head, [row(s) for s in summaries]), ""]
    for summary in summaries:
        lines += section(summary)
    return "\n".join(lines)


def gaps(summaries):
    needed = collections.defaultdict(list)
    for summary in summaries:
        for failure in summary.get("failures", []):
            for op in failure.get("unsupported", []):
                needed[op].append(f"{failure['name']} ({summary['title']})")
    rows = [[op, len(models), ", ".join(models)] for op, models in
            sorted(needed.items(), key=lambda item: (-len(item[1]), item[0]))]
    lines = table(["op", "models", "which"], rows) if rows else ["None of the models that were run needs one."]
    with open(os.path.join(ROOT, "docs", "gaps.in.md")) as file:
        by_hand = file.read()
    return "\n".join([GAPS_HEAD, *lines, "", by_hand])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--summaries", default=os.path.join(ROOT, "docs", "coverage"))
    parser.add_argument("--output", default=os.path.join(ROOT, "docs", "coverage.md"))
    parser.add_argument("--gaps", default=os.path.join(ROOT, "docs", "known-gaps.md"))
    options = parser.parse_args(argv)
    summaries = []
    for path in sorted(glob.glob(os.path.join(options.summaries, "*.json"))):
        with open(path) as file:
            summaries.append(json.load(file))
    with open(options.output, "w") as file:
        file.write(document(summaries))
    with open(options.gaps, "w") as file:
        file.write(gaps(summaries))
    print(f"{options.output}: {len(summaries)} sweeps")


if __name__ == "__main__":
    main()
