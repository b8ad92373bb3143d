"""What a row of the benchmark is, and how it is measured: sides in turn, medians of all rounds."""
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
sys.path += [os.path.join(ROOT, "tools", folder) for folder in ("real_models", "reference", "sweeps", "demo")]
ROUNDS = 5
SECONDS = 0.6  # of calls, a side and round
WARM_UP = 3    # seconds at most, before the first round
PAUSE = 0.1    # until the threads of the side before have gone to sleep


@dataclasses.dataclass
class Setting:
    godwit: str
    threads: int
    isas: list  # instruction sets of godwit's side, the best one first

    def program(self, name):
        return os.path.join(os.path.dirname(self.godwit), name)


@dataclasses.dataclass
class Goal:
    value: float
    unit: str = ""  # of the figure beside it; none: a ratio, the peer's time over godwit's
    at_most: bool = False

    def reached(self, value):
        return value <= self.value if self.at_most else value >= self.value


@dataclasses.dataclass
class Peer:
    name: str
    call: object  # runs the work once


@dataclasses.dataclass
class Work:
    """A model in a file, its inputs, and who else runs it."""
    source: str
    options: list  # of convert
    inputs: str    # .safetensors
    peers: list
    gflop: float = 0
    gbyte: float = 0
    onnx: str = ""  # the same model for onnxruntime, where memory is compared
    feed: dict = dataclasses.field(default_factory=dict)
    nodes: int = 0  # of a chain
    # Takes the package and the setting, gives {"what", "value", "goal"} of more that has to hold, and notes.
    check: object = None
    notes: list = dataclasses.field(default_factory=list)


def run_program(command, isa="", **environment):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                          env={**os.environ, "GODWIT_PYTHON": sys.executable, "GODWIT_ISA": isa, **environment})
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"{os.path.basename(str(command[0]))} ended with {done.returncode}")
    return done.stdout


def timed(call, runs):
    """Milliseconds of each call."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def warm_up(call):
    """torch.jit rewrites a model in its first ten calls or so; large models need no more than two."""
    start = time.perf_counter()
    for i in range(20):
        call()
        if i > 0 and time.perf_counter() - start > WARM_UP:
            return


def runs_for(milliseconds):
    return max(3, min(2000, int(1e3 * SECONDS / max(milliseconds, 1e-3))))


class Row:
    """A model or a function: converted, run by `godwit bench`, beside its peers."""

    def __init__(self, name, section, goal, prepare):
        self.name, self.section, self.goal, self.prepare = name, section, goal, prepare

    def result(self, setting):
        with tempfile.TemporaryDirectory() as folder:
            work = self.prepare(folder, setting)
            package = os.path.join(folder, "package")
            run_program([setting.godwit, "convert", work.source, "-o", package, *work.options])
            found = side_by_side(work, package, setting)
            result = self.describe(found, work)
            if work.check:
                result["also"], notes = work.check(package, setting)
                result["notes"] += notes
            if work.onnx:
                import memory
                result["memory"] = memory.compare(work, package, setting, folder)
        return result

    def describe(self, found, work):
        best = min(found["peers"], key=found["peers"].get)
        result = {"name": self.name, "section": self.section, "goal": dataclasses.asdict(self.goal), "peer": best,
                  "peer_ms": found["peers"][best], "peers": found["peers"], "fallbacks": found["fallbacks"],
                  "gflop": work.gflop, "gbyte": work.gbyte, "notes": list(work.notes), "ours": {}}
        for isa, ms in found["ours"].items():
            value = 1e3 * ms / work.nodes if self.goal.unit else found["peers"][best] / ms
            result["ours"][isa] = {"ms": ms, "value": value}
        return result


def side_by_side(work, package, setting):
    """Medians: {"ours": {isa: ms}, "peers": {name: ms}, "fallbacks": [...]}."""
    peer_runs = {}
    for peer in work.peers:
        warm_up(peer.call)
        peer_runs[peer.name] = runs_for(statistics.median(timed(peer.call, 3)))

    def ours(isa, runs):
        return json.loads(run_program([setting.godwit, "bench", package, "--threads", setting.threads, "--json",
                                       "--inputs", work.inputs, "--warmup", max(2, runs // 10), "--runs", runs], isa))
    our_runs = {isa: runs_for(ours(isa, 3)["median_ms"]) for isa in setting.isas}
    our_times, peer_times = {isa: [] for isa in setting.isas}, {peer.name: [] for peer in work.peers}
    fallbacks = set()
    for _ in range(ROUNDS):
        for isa in setting.isas:
            time.sleep(PAUSE)
            result = ours(isa, our_runs[isa])
            our_times[isa].append(result["median_ms"])
            fallbacks.update(result["fallbacks"])
        for peer in work.peers:
            time.sleep(PAUSE)
            timed(peer.call, max(1, peer_runs[peer.name] // 10))
            peer_times[peer.name].append(statistics.median(timed(peer.call, peer_runs[peer.name])))
    return {"ours": {isa: statistics.median(times) for isa, times in our_times.items()},
            "peers": {name: statistics.median(times) for name, times in peer_times.items()},
            "fallbacks": sorted(fallbacks)}
