"""What a node costs beside stock MLX, and what two threads with a model each gain over one."""
import json
import os
import statistics
import tempfile
import time

import numpy as np

import model_rows
import text_rows
from core import PAUSE, ROUNDS, Goal, Peer, Row, Work, run_program
from peers import package_file, prepare_torch, save

NODES, ELEMENTS = 1000, 16


def write_chain(path, ops):
    """NODES dependent nodes over 16 floats, these ops in turn; Add adds y."""
    import onnx
    from onnx import TensorProto, helper
    nodes, x = [], "x"
    for i in range(NODES):
        op = ops[i % len(ops)]
        made = "out" if i == NODES - 1 else f"v{i}"
        nodes.append(helper.make_node(op, [x, "y"] if op == "Add" else [x], [made]))
        x = made
    ports = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [ELEMENTS]) for name in ("x", "y", "out")}
    graph = helper.make_graph(nodes, "chain", [ports["x"], ports["y"]], [ports["out"]])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def mlx_peers(ops, x, y):
    """The chain built and evaluated anew in each call, and once more with mx.compile where that works."""
    import mlx.core as mx
    mx.set_default_device(mx.cpu)
    x, y = mx.array(x), mx.array(y)
    functions = {"Add": lambda v: v + y, "Softmax": lambda v: mx.softmax(v, axis=-1)}
    steps = [functions[ops[i % len(ops)]] for i in range(NODES)]

    def chain(v):
        for step in steps:
            v = step(v)
        return v
    version = f"mlx {mx.__version__}"
    peers = [Peer(version, lambda: mx.eval(chain(x)))]
    try:
        compiled = mx.compile(chain)
        mx.eval(compiled(x))
        peers.append(Peer(f"{version} compiled", lambda: mx.eval(compiled(x))))
    except Exception:  # it needs a C++ compiler when it runs
        pass
    return peers


def kernel_calls(package, setting):
    """How many calls the plan makes of the chain."""
    profile = json.loads(run_program([setting.godwit, "run", package, "--profile", "--json"]))["profile"]
    return sum(node["calls"] for node in profile["nodes"])


def chain_row(name, ops):
    def prepare(folder, setting):
        generator = np.random.default_rng(0)
        x, y = (generator.standard_normal(ELEMENTS).astype(np.float32) for _ in range(2))
        path = os.path.join(folder, "chain.onnx")
        write_chain(path, ops)

        def check(package, setting):
            calls = kernel_calls(package, setting)
            return [], ["fused into one pass" if calls == 1 else f"{calls} kernel calls"]
        return Work(path, [], save(folder, {"x": x, "y": y}), mlx_peers(ops, x, y), nodes=NODES, check=check)
    return Row(name, "plans", Goal(1, "us a node", at_most=True), prepare)


class ThreadsRow:
    """Calls a second of two callers, each a thread with a model of its own, over those of one caller with one thread.

    The two have the process's pool of as many threads as the rest of the table, or (GODWIT_THREADS=1) none.
    """

    def __init__(self, name, package):
        self.name, self.section, self.package = name, "plans", package

    def result(self, setting):
        program = setting.program("godwit_bench_callers")
        with tempfile.TemporaryDirectory() as folder:
            package = self.package(folder, setting)

            def rate(isa, callers, pool):
                time.sleep(PAUSE)
                answer = json.loads(run_program([program, package, callers, 0.8], isa, GODWIT_THREADS=str(pool)))
                return answer["calls_per_s"]
            ways = {"one": (1, 1), "two": (2, setting.threads), "two, no pool": (2, 1), "one, pool": (1, setting.threads)}
            found = {isa: {way: [] for way in ways} for isa in setting.isas}
            for _ in range(ROUNDS):
                for isa in setting.isas:
                    for way, counts in ways.items():
                        found[isa][way].append(rate(isa, *counts))
        return self.describe({isa: {way: statistics.median(rates) for way, rates in ways.items()}
                              for isa, ways in found.items()})

    def describe(self, rates):
        best = rates[next(iter(rates))]
        ours = {isa: {"ms": 1e3 / r["two"], "value": r["two"] / r["one"]} for isa, r in rates.items()}
        return {"name": self.name, "section": self.section, "peer": "godwit, one caller, one thread",
                "goal": {"value": 1.7, "unit": "times the calls", "at_most": False}, "peer_ms": 1e3 / best["one"],
                "peers": {}, "fallbacks": [], "gflop": 0, "gbyte": 0, "ours": ours,
                "notes": [f"without a pool {best['two, no pool'] / best['one']:.2f}; "
                          f"one caller with the pool {best['one, pool'] / best['one']:.2f}"]}


def embedding_package(folder, setting):
    package, file, options, _ = model_rows.ONNX_MODELS["embedding_model"]
    path = os.path.join(folder, "package")
    run_program([setting.godwit, "convert", package_file(package, file), "-o", path, *options])
    return path


def encoder_package(folder, setting):
    import torch
    from peers import export_pt2
    prepare_torch(setting.threads)
    module, ids = text_rows.trained(), text_rows.tokens(1)
    with torch.no_grad():
        source, _ = export_pt2(module, (ids, torch.ones_like(ids)), folder)
    path = os.path.join(folder, "package")
    run_program([setting.godwit, "convert", source, "-o", path])
    return path


def rows():
    return [chain_row(f"{NODES} dependent adds of {ELEMENTS}", ["Add"]),
            chain_row(f"{NODES} dependent nodes, adds and softmaxes of {ELEMENTS} in turn", ["Add", "Softmax"]),
            ThreadsRow("two threads, embedding_model each", embedding_package),
            ThreadsRow("two threads, MiniLM-L6 1 x 128 each", encoder_package)]
