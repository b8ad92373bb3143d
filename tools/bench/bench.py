#!/usr/bin/env python3
"""Measures godwit beside the runtimes that models come from, and writes docs/benchmarks.md.

    bench.py [--godwit build/bin/godwit] [--threads 2] [--isas avx512_vnni,avx2] [--only WORD...] [--results FILE.jsonl]

Run it on an idle machine. Each row runs in a process of its own: one that fails is named in the table, and the others
go on. With --results a row that FILE holds already is not measured again, unless others kept the machine busy then: so a
table can be made in pieces (--budget). With --only or --budget the table goes to stdout and not to docs/benchmarks.md.
The table says what is compared, and how.
"""
import argparse
import datetime
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import report  # noqa: E402
import rows  # noqa: E402
from core import ROOT, Setting, run_program  # noqa: E402

MACHINE = "machine"
FAMILIES = (("amx", "avx512_vnni", "avx512"), ("avx2",), ("neon",))


def tell(*words):
    print(*words, file=sys.stderr, flush=True)


def default_isas(setting):
    """The best of each family that the machine has: its AVX-512 and AVX2, or NEON."""
    there = json.loads(run_program([setting.program("godwit_bench_machine"), "--isas"]))
    return [found[0] for family in FAMILIES if (found := [isa for isa in family if isa in there])] or there[:1]


class Others:
    """What share of the machine others take while this process and its children measure; 0 where the system does not tell."""

    def __init__(self):
        self.start = self.now()

    @staticmethod
    def now():
        """Seconds: of all processors, of all processes, of our own children that have ended."""
        try:
            with open("/proc/stat") as file:
                ticks = list(map(int, file.readline().split()[1:9]))
        except OSError:
            return 0, 0, 0
        idle, second = ticks[3] + ticks[4], os.sysconf("SC_CLK_TCK")
        children = os.times()
        return sum(ticks) / second, (sum(ticks) - idle) / second, children.children_user + children.children_system

    def share(self):
        whole, busy, ours = (after - before for before, after in zip(self.start, self.now()))
        return max(0.0, busy - ours) / max(whole, 0.01)


def measure(name, setting):
    """In this process: the result of one row."""
    if name == MACHINE:
        import machine
        return {"name": MACHINE, "section": MACHINE, "machine": machine.describe(setting)}
    row = next(row for row in rows.all_rows() if row.name == name)
    return row.result(setting)


def measure_apart(name, section, arguments, setting):
    """In another process, with what it says of failure in place of a result."""
    command = [sys.executable, os.path.abspath(__file__), "--row", name, "--godwit", setting.godwit, "--threads",
               str(setting.threads), "--isas", ",".join(setting.isas)]
    reason = ""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=arguments.timeout)
        lines = done.stdout.strip().splitlines()
        if done.returncode == 0 and lines:
            return json.loads(lines[-1])
        said = done.stderr.strip().splitlines()
        reason = said[-1] if said else f"ended with {done.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"not done after {arguments.timeout} s"
    return {"name": name, "section": section, "skipped": reason[:160]}


def in_one_line(result):
    if "skipped" in result:
        return f"left out: {result['skipped']}"
    if result["section"] == MACHINE:
        return f"{result['machine']['cpu']}, reads {result['machine']['read_gb_per_s']:.1f} GB/s"
    verdicts = report.reached(result)
    text = [f"{isa} {ours['ms']:.3f} ms {ours['value']:.2f} {'reached' if verdicts[isa] else 'NOT reached'}"
            for isa, ours in result["ours"].items()]
    return f"{'; '.join(text)}; {result['peer']} {result['peer_ms']:.3f} ms (goal {report.goal_text(result['goal'])})"


def known_results(path):
    """The last result of each row; rows that were left out, or measured on a busy machine, are tried again."""
    found = {}
    if path and os.path.exists(path):
        with open(path) as file:
            for line in file:
                result = json.loads(line)
                if "skipped" in result or result.get("busy", 0) > report.BUSY:
                    found.pop(result["name"], None)
                else:
                    found[result["name"]] = result
    return found


def wanted_rows(arguments):
    names = [(MACHINE, MACHINE)] + [(row.name, row.section) for row in rows.all_rows()]
    return [(name, section) for name, section in names
            if not arguments.only or name == MACHINE or any(word in name for word in arguments.only)]


def measure_all(arguments, setting):
    results, wanted = known_results(arguments.results), wanted_rows(arguments)
    start = time.monotonic()
    for i, (name, section) in enumerate(wanted):
        if name in results:
            tell(f"[{i + 1}/{len(wanted)}] {name}: from {arguments.results}")
            continue
        if arguments.budget and time.monotonic() - start > arguments.budget:
            tell(f"[{i + 1}/{len(wanted)}] {name}: left for another time")
            continue
        tell(f"[{i + 1}/{len(wanted)}] {name} ...")
        others = Others()
        result = measure_apart(name, section, arguments, setting)
        results[name] = result | {"date": datetime.date.today().isoformat(), "busy": others.share()}
        tell("    " + in_one_line(result))
        if results[name]["busy"] > report.BUSY:
            tell(f"    others kept {100 * results[name]['busy']:.0f} % of the machine busy: the figures do not mean much")
        if arguments.results:
            with open(arguments.results, "a") as file:
                file.write(json.dumps(results[name]) + "\n")
    return [results[name] for name, _ in wanted if name in results]


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--godwit", default=os.path.join(ROOT, "build", "bin", "godwit"))
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--isas", help="instruction sets of godwit's side, the first for what is measured once "
                        "(default: the best one, and avx2 where that is another)")
    parser.add_argument("--only", nargs="+", help="rows whose names contain one of these")
    parser.add_argument("--results", help="a file that keeps the results, a row a line")
    parser.add_argument("--budget", type=float, help="seconds after which no row is begun")
    parser.add_argument("--summary", help="where the table goes (default: docs/benchmarks.md)")
    parser.add_argument("--timeout", type=int, default=900, help="seconds for a row")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv=None):
    arguments = parse(argv)
    setting = Setting(os.path.abspath(arguments.godwit), arguments.threads, [])
    setting.isas = arguments.isas.split(",") if arguments.isas else default_isas(setting)
    if arguments.row:
        print(json.dumps(measure(arguments.row, setting)))
        return 0
    results = measure_all(arguments, setting)
    machine = next((r["machine"] for r in results if r["name"] == MACHINE and "machine" in r), None)
    text = report.document([r for r in results if r["section"] != MACHINE], machine, setting.threads, setting.isas)
    print(text)
    summary = arguments.summary or (None if arguments.only or arguments.budget else os.path.join(ROOT, "docs", "benchmarks.md"))
    if summary:
        with open(summary, "w") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
