"""Products of 4- and 8-bit weights: one row of activations beside the memory's speed, 512 rows beside llama.cpp."""
import json
import os
import statistics
import subprocess
import tempfile

import llama_prompt

ROUNDS = 5


def kernel(binary, rows, outputs, inputs, bits, group, threads, runs):
    program = os.path.join(os.path.dirname(binary), "godwit_bench_quantized")
    done = subprocess.run([program, *map(str, (rows, outputs, inputs, bits, group, threads, runs))],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip() or "godwit_bench_quantized failed")
    return json.loads(done.stdout)


class KernelRow:
    def __init__(self, name, goal, measure):
        self.name, self.goal, self.measure_alone = name, goal, measure

    def result(self, binary, threads):
        ours, theirs, peer = self.measure_alone(binary, threads)
        return {"name": self.name, "peer": peer, "godwit_ms": ours, "peer_ms": theirs, "ratio": theirs / ours,
                "goal": self.goal, "fallbacks": []}


def vector_row(size, bits):
    def measure(binary, threads):
        found = [kernel(binary, 1, size, size, bits, 64, threads, 100) for _ in range(ROUNDS)]
        ours = statistics.median(f["median_ms"] for f in found)
        reads = statistics.median(f["bytes"] / f["read_gb_per_s"] * 1e-6 for f in found)
        return ours, reads, f"reading the same {found[0]['bytes'] / 1e6:.0f} MB, {found[0]['bytes'] / reads * 1e-6:.1f} GB/s"
    return KernelRow(f"{bits}-bit matrix-vector {size} x {size}", 0.85, measure)


def matrix_row(bits):
    """The three products of a feed-forward layer; in groups of 32, as in llama.cpp's format."""
    def measure(binary, threads):
        with tempfile.TemporaryDirectory() as folder:
            large, small = (llama_prompt.Prompt(folder, bits, inner, threads)
                            for inner in (llama_prompt.INNER, llama_prompt.SMALL))
            large.seconds(), small.seconds()
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(sum(kernel(binary, llama_prompt.TOKENS, *shape, bits, 32, threads, 10)["median_ms"]
                                for shape in llama_prompt.PRODUCTS))
                theirs.append(1e3 * (statistics.median(large.seconds() for _ in range(5)) -
                                     statistics.median(small.seconds() for _ in range(5))))
        part = (llama_prompt.INNER - llama_prompt.SMALL) / llama_prompt.INNER * llama_prompt.LAYERS
        return statistics.median(ours), statistics.median(theirs) / part, llama_prompt.version()
    return KernelRow(f"{bits}-bit matmul, 512 rows, 2048 x 8192 (three)", 2.0, measure)


def quantized_rows():
    return ([vector_row(size, bits) for bits in (4, 8) for size in (4096, 8192)] +
            [matrix_row(bits) for bits in (4, 8)])
