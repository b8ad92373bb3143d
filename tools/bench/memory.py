"""Peak memory of a process that loads a model and runs it, godwit's and onnxruntime's.

Run as a script it is onnxruntime's process: memory.py [MODEL.onnx INPUTS.npz THREADS]; without arguments it imports
what it needs and ends.
"""
import os
import subprocess
import sys

RUNS = 5
# A process starts with the peak of the one that started it: a small one does that and tells the peak of its child.
LAUNCHER = """
import os, sys
nothing = os.open(os.devnull, os.O_WRONLY)
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nothing, 1)])
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss / (1 if sys.platform != "darwin" else 1024))
sys.exit(1 if status else 0)
"""


def peak_mb(*command):
    done = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, *map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{os.path.basename(str(command[0]))} failed: {done.stderr.strip()[-200:]}")
    return float(done.stdout) * 1024 / 1e6


def compare(work, package, setting, folder):
    """Megabytes: of the whole processes, and beyond processes that only start (and import)."""
    import numpy as np
    values = os.path.join(folder, "inputs.npz")
    np.savez(values, **work.feed)
    script = [sys.executable, os.path.abspath(__file__)]
    ours = peak_mb(setting.godwit, "bench", package, "--inputs", work.inputs, "--threads", setting.threads,
                   "--warmup", 1, "--runs", RUNS - 1, "--json")
    theirs = peak_mb(*script, work.onnx, values, setting.threads)
    return {"godwit": ours, "godwit_empty": peak_mb(setting.godwit, "--version"), "onnxruntime": theirs,
            "onnxruntime_empty": peak_mb(*script)}


def main():
    import numpy as np
    import onnxruntime
    if len(sys.argv) == 1:
        return
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = int(sys.argv[3]), 1
    session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
    with np.load(sys.argv[2]) as file:
        feed = {name: file[name] for name in file.files}
    for _ in range(RUNS):
        session.run(None, feed)


if __name__ == "__main__":
    main()
