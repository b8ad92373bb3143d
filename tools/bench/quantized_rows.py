"""Products of 4- and 8-bit weights: one row of activations beside the memory's speed, 512 rows beside llama.cpp."""
import json
import statistics
import tempfile

import llama_prompt
from core import ROUNDS, run_program

SECTION = "quantised products"


def kernel(setting, isa, rows, outputs, inputs, bits, group, runs):
    program = setting.program("godwit_bench_quantized")
    return json.loads(run_program([program, rows, outputs, inputs, bits, group, setting.threads, runs], isa))


class KernelRow:
    """measure(setting) gives {isa: (ours, peer's)} in milliseconds, and the peer's name."""

    def __init__(self, name, goal, measure, gflop=0, gbyte=0):
        self.name, self.section, self.goal, self.measure = name, SECTION, goal, measure
        self.gflop, self.gbyte = gflop, gbyte

    def result(self, setting):
        found, peer = self.measure(setting)
        best = found[setting.isas[0]]
        return {"name": self.name, "section": self.section, "goal": {"value": self.goal, "unit": "", "at_most": False},
                "peer": peer, "peer_ms": best[1], "peers": {peer: best[1]}, "fallbacks": [], "gflop": self.gflop,
                "gbyte": self.gbyte, "notes": [],
                "ours": {isa: {"ms": ms, "value": theirs / ms} for isa, (ms, theirs) in found.items()}}


def vector_row(size, bits):
    group = 64
    gbyte = size * size * (bits / 8 + 8 / group) / 1e9  # numbers, and two floats a group

    def measure(setting):
        found = {isa: [] for isa in setting.isas}
        for _ in range(ROUNDS):
            for isa in setting.isas:
                found[isa].append(kernel(setting, isa, 1, size, size, bits, group, 60))
        times = {isa: (statistics.median(f["median_ms"] for f in rounds),
                       statistics.median(f["bytes"] / f["read_gb_per_s"] * 1e-6 for f in rounds))
                 for isa, rounds in found.items()}
        size_read = found[setting.isas[0]][0]["bytes"]
        speed = size_read / times[setting.isas[0]][1] * 1e-6
        return times, f"reading the same {size_read / 1e6:.0f} MB, {speed:.1f} GB/s"
    return KernelRow(f"{bits}-bit matrix-vector {size} x {size}", 0.85, measure, gbyte=gbyte)


def matrix_row(bits):
    """The three products of a feed-forward layer; in groups of 32, as in llama.cpp's format."""
    def measure(setting):
        with tempfile.TemporaryDirectory() as folder:
            large, small = (llama_prompt.Prompt(folder, bits, inner, setting.threads)
                            for inner in (llama_prompt.INNER, llama_prompt.SMALL))
            large.seconds(), small.seconds()
            ours, theirs = {isa: [] for isa in setting.isas}, []
            for _ in range(ROUNDS):
                for isa in setting.isas:
                    ours[isa].append(sum(kernel(setting, isa, llama_prompt.TOKENS, *shape, bits, 32, 5)["median_ms"]
                                         for shape in llama_prompt.PRODUCTS))
                theirs.append(1e3 * (statistics.median(large.seconds() for _ in range(3)) -
                                     statistics.median(small.seconds() for _ in range(3))))
        part = (llama_prompt.INNER - llama_prompt.SMALL) / llama_prompt.INNER * llama_prompt.LAYERS
        peer = statistics.median(theirs) / part
        return {isa: (statistics.median(times), peer) for isa, times in ours.items()}, llama_prompt.version()
    gflop = 2e-9 * llama_prompt.TOKENS * 3 * llama_prompt.HIDDEN * llama_prompt.INNER
    return KernelRow(f"{bits}-bit matmul, 512 rows, 2048 x 8192 (three)", 2.0, measure, gflop=gflop)


def rows():
    return ([vector_row(size, bits) for bits in (4, 8) for size in (4096, 8192)] +
            [matrix_row(bits) for bits in (4, 8)])
