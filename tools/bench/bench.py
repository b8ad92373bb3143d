#!/usr/bin/env python3
"""Measures godwit beside the runtimes that models come from, and writes docs/benchmarks.md.

    tools/bench/bench.py --godwit build/bin/godwit [--threads 2] [--only NAME...] [--summary FILE]

Both sides have the same threads and take turns: a round of godwit, a round of the peer, and so on; the figures are
medians over all rounds. A ratio above 1 means that godwit is faster. Rows whose packages are not installed are named
and left out. Run it on an idle machine.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
sys.path[:0] = [HERE, os.path.join(ROOT, "tools", "sweeps")]
ROUNDS = 5


def godwit(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, "GODWIT_PYTHON": sys.executable})
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "godwit failed")
    return done.stdout


class Row:
    """One line: how to get a package, its inputs, and what to compare with."""

    def __init__(self, name, prepare, peer, goal):
        self.name, self.prepare, self.peer, self.goal = name, prepare, peer, goal

    def result(self, binary, threads):
        return measure(self, binary, threads)


def measure(row, binary, threads):
    with tempfile.TemporaryDirectory() as folder:
        source, options, inputs, call, peer = row.prepare(folder, threads)
        package = os.path.join(folder, "package")
        godwit(binary, "convert", source, "-o", package, *options)
        arguments = ["bench", package, "--threads", threads, "--json", *(["--inputs", inputs] if inputs else [])]
        for _ in range(3):
            call()
        start = time.perf_counter()
        call()
        once = max(time.perf_counter() - start, 1e-6)
        runs = max(5, min(2000, int(0.6 / once)))
        ours, theirs, result = [], [], {}
        for _ in range(ROUNDS):
            result = json.loads(godwit(binary, *arguments, "--warmup", max(3, runs // 10), "--runs", runs))
            ours.append(result["median_ms"])
            times = []
            for _ in range(runs):
                start = time.perf_counter()
                call()
                times.append((time.perf_counter() - start) * 1e3)
            theirs.append(statistics.median(times))
        mine, other = statistics.median(ours), statistics.median(theirs)
        return {"name": row.name, "peer": peer, "godwit_ms": mine, "peer_ms": other, "ratio": other / mine,
                "goal": row.goal, "fallbacks": result["fallbacks"], "peak_memory_mb": result["peak_memory_bytes"] / 1e6}


def table(results, threads, isa):
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {isa}"
    lines = ["# Benchmarks", "",
             "Written by `python3 tools/bench/bench.py` (`make bench`). Ratio: the peer's median over godwit's; above 1",
             f"godwit is faster. {datetime.date.today()}; {machine}; {threads} threads a side.", "",
             "| work | godwit ms | peer | peer ms | ratio | goal | reached | without a kernel |",
             "|---|---|---|---|---|---|---|---|"]
    for r in results:
        if "skipped" in r:
            lines.append(f"| {r['name']} | | | | | | | left out: {r['skipped']} |")
            continue
        lines.append(f"| {r['name']} | {r['godwit_ms']:.3f} | {r['peer']} | {r['peer_ms']:.3f} | {r['ratio']:.2f} | "
                     f"{r['goal']} | {'yes' if r['ratio'] >= r['goal'] else 'no'} | {', '.join(r['fallbacks']) or '-'} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--godwit", default=os.path.join(ROOT, "build", "bin", "godwit"))
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--only", nargs="*", help="rows whose names contain one of these")
    parser.add_argument("--summary", default=os.path.join(ROOT, "docs", "benchmarks.md"))
    arguments = parser.parse_args()
    import rows
    results = []
    for row in rows.all_rows():
        if arguments.only and not any(word in row.name for word in arguments.only):
            continue
        try:
            results.append(row.result(arguments.godwit, arguments.threads))
        except (ImportError, FileNotFoundError, RuntimeError) as reason:
            results.append({"name": row.name, "skipped": f"{type(reason).__name__}: {str(reason)[:120]}"})
        print(json.dumps(results[-1]), flush=True)
    isa = os.environ.get("GODWIT_ISA", "best instruction set")
    with open(arguments.summary, "w") as file:
        file.write(table(results, arguments.threads, isa))
    return 0


if __name__ == "__main__":
    sys.exit(main())
