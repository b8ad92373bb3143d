#!/usr/bin/env python3
"""The main job on real models: converts Silero VAD and the openWakeWord chain, proves each against its original,
measures it against onnxruntime, then runs the chain over audio and compares every score with the original's.

    demo.py [--audio FILE.wav]... [--godwit build/bin/godwit] [--chain build/bin/godwit_chain] [--output demo-output]

Leaves in the output folder: packages, report.json, a table (table.md) and a plot for each clip (SVG).
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import wave

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
sys.path[:0] = [HERE, os.path.join(ROOT, "tools", "reference")]
import original_scores  # noqa: E402
import tensors  # noqa: E402
from plot import write_plot  # noqa: E402

RATE = 16000
WORDS = ("alexa", "hey_mycroft")
SCORE_TOLERANCE = 1e-3
DETECTED = 0.5
RECORDED = os.path.join(ROOT, "tests", "data", "parity", "silero_jit_16k.safetensors")
# What the files leave open is settled at conversion: shapes, and the sample rate that chooses a branch.
FIXED = {"silero_vad.jit": ["--input", "x=1,512", "--input", "sr=16000"],
         "silero_vad.onnx": ["--input", "input=1,576", "--input", "sr=16000"]}


def noise(*shape, scale=1.0):
    return (np.random.default_rng(0).standard_normal(shape) * scale).astype(np.float32)


def models():
    """name, file, example inputs"""
    wake, silero = original_scores.openwakeword_models(), original_scores.silero_models()
    vad = {"input": noise(1, 576, scale=0.1), "state": np.zeros((2, 1, 128), np.float32), "sr": np.array(16000)}
    jit = {"x": noise(1, 512, scale=0.1), "sr": np.array(16000)}
    yield "silero_vad (TorchScript)", os.path.join(silero, "silero_vad.jit"), jit
    yield "silero_vad (ONNX)", os.path.join(silero, "silero_vad.onnx"), vad
    yield "melspectrogram", os.path.join(wake, "melspectrogram.onnx"), {"input": noise(1, 1760, scale=3000.0)}
    yield "embedding_model", os.path.join(wake, "embedding_model.onnx"), {"input_1": noise(1, 76, 32, 1)}
    for word in WORDS:
        path = os.path.join(wake, f"{word}_v0.1.onnx")
        yield word, path, {input_name(path): noise(1, 16, 96)}


def input_name(path):
    import onnxruntime
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_inputs()[0].name


def godwit(options, *arguments):
    done = subprocess.run([options.godwit, *arguments, "--json"], capture_output=True, text=True)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {}
    if done.returncode not in (0, 1) or not answer:  # 1: a comparison failed, which the table shows
        raise SystemExit(f"godwit {' '.join(arguments)}: {done.stderr.strip() or done.returncode}")
    return answer


def convert(options, name, path, inputs):
    """One row of the table."""
    package = os.path.join(options.output, name.split(" ")[0] + os.path.splitext(path)[1].replace(".", "-"))
    fixed = FIXED.get(os.path.basename(path), [])
    converted = godwit(options, "convert", path, "-o", package, *fixed)
    inputs_file = os.path.join(options.output, "inputs.safetensors")
    tensors.save(inputs_file, inputs)
    row = {"model": name, "source": os.path.basename(path), "package": package,
           "nodes_before": converted["nodes_before"], "nodes_after": converted["nodes_after"],
           "parameters": converted["parameters"], "ms_original": None, "ratio": None}
    if path.endswith(".jit"):  # torch is not installed for the demo: its results were recorded
        proof = godwit(options, "validate", package, "--golden", RECORDED)
        speed = measure(options, package, inputs_file, inputs, [])
    elif fixed:  # the original still takes the input that the package has settled
        original = run_original(options, path, inputs_file)
        proof = godwit(options, "validate", package, "--golden", original.pop("golden"))
        speed = measure(options, package, inputs_file, inputs, []) | {"against": original}
        original["ratio"] = original["median_ms"] / speed["median_ms"]
    else:
        proof = godwit(options, "validate", package, "--reference", path, "--inputs", inputs_file)
        speed = measure(options, package, inputs_file, inputs, ["--against", "onnxruntime", "--reference", path])
    row |= {"largest_error": proof["max_error"], "tolerance": proof["tolerance"], "verdict": proof["status"],
            "reference": proof.get("reference", ""), "ms_godwit": speed["median_ms"]}
    if "against" in speed:
        row |= {"ms_original": speed["against"]["median_ms"], "ratio": speed["against"]["ratio"]}
    return row


def measure(options, package, inputs_file, inputs, against):
    tensors.save(inputs_file, {name: value for name, value in inputs.items() if against or name != "sr"})
    return godwit(options, "bench", package, "--inputs", inputs_file, "--threads", str(options.threads), *against)


def run_original(options, path, inputs_file):
    """Records a golden of the original and measures it in its own process."""
    golden = os.path.join(options.output, "golden.safetensors")
    script = os.path.join(ROOT, "tools", "reference", "run.py")
    done = subprocess.run([sys.executable, script, path, "--inputs", inputs_file, "--golden", golden, "--runs", "100",
                           "--threads", str(options.threads), "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout) | {"golden": golden}


def read_clip(path):
    """16-bit samples at 16 kHz, one channel, whatever PCM the file holds."""
    with wave.open(path) as file:
        rate, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
        raw = file.readframes(file.getnframes())
    if width not in (1, 2, 4):
        raise SystemExit(f"{path}: {8 * width}-bit samples; 8, 16 or 32 are understood")
    data = np.frombuffer(raw, {1: np.uint8, 2: np.int16, 4: np.int32}[width]).astype(np.float64)
    data = (data - 128) / 128 if width == 1 else data / 2 ** (8 * width - 1)
    data = data.reshape(-1, channels).mean(axis=1)
    return np.clip(np.round(resample(data, rate) * 32768), -32768, 32767).astype(np.int16)


def resample(data, rate):
    """By the spectrum: band-limited, good enough for a whole clip."""
    if rate == RATE or len(data) == 0:
        return data
    count = int(round(len(data) * RATE / rate))
    spectrum = np.fft.rfft(data)
    kept = np.zeros(count // 2 + 1, dtype=complex)
    n = min(len(kept), len(spectrum))
    kept[:n] = spectrum[:n]
    return np.fft.irfft(kept, count) * count / len(data)


def clips(options):
    if options.audio:
        return [(os.path.splitext(os.path.basename(path))[0], read_clip(path)) for path in options.audio]
    folder = os.path.join(ROOT, "..", "shared", "data", "audio")
    names = ("alexa_test", "hey_mycroft_test", "hey_jane")
    if os.path.isdir(folder):
        return [(name, read_clip(os.path.join(folder, name + ".wav"))) for name in names]
    return [(text.replace(" ", "_"), spoken(text)) for text in ("alexa", "hey mycroft", "hey jane")]


def spoken(text):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "speech.wav")
        try:
            subprocess.run(["espeak-ng", "-v", "en-us", "-s", "130", "-p", "45", "-w", path, text], check=True)
        except FileNotFoundError:
            raise SystemExit("no audio: give a file (make demo AUDIO=x.wav) or install espeak-ng")
        return read_clip(path)


def listen(options, rows, name, samples):
    """Runs the converted chain and the original over a clip; compares every score."""
    second = np.zeros(RATE, np.int16)
    padded = np.concatenate([second, samples, second])
    package = {row["model"]: row["package"] for row in rows}
    with tempfile.NamedTemporaryFile(suffix=".raw") as raw:
        raw.write(padded.tobytes())
        raw.flush()
        command = [options.chain, raw.name, package["melspectrogram"], package["embedding_model"],
                   package["silero_vad (ONNX)"], *(f"{word}={package[word]}" for word in WORDS)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    ours = json.loads(done.stdout)
    start = time.perf_counter()
    theirs = original_scores.wake_word_scores(padded, WORDS)
    speech = original_scores.speech_probability(padded)
    seconds = time.perf_counter() - start
    difference = {w: float(np.abs(np.array(ours["scores"][w], np.float32) - theirs[w]).max()) for w in WORDS}
    difference["speech"] = float(np.abs(np.array(ours["speech"], np.float32) - speech).max())
    plot = os.path.join(options.output, f"{name}.svg")
    curves = [(word, np.arange(len(theirs[word])) * 0.08, np.array(ours["scores"][word])) for word in WORDS]
    curves.append(("speech probability", np.arange(len(speech)) * 0.032, np.array(ours["speech"])))
    write_plot(plot, f"{name}: wake-word scores and speech probability", "seconds", curves)
    return {"clip": name, "seconds": len(samples) / RATE, "score": {w: max(ours["scores"][w]) for w in WORDS},
            "detected": [w for w in WORDS if max(ours["scores"][w]) > DETECTED], "difference": difference,
            "chain_seconds": ours["seconds"], "original_seconds": seconds, "plot": plot,
            "agrees": max(difference.values()) <= SCORE_TOLERANCE}


def table(rows):
    def number(value, form):
        return "-" if value is None else format(value, form)
    head = ("model", "source", "nodes", "after", "parameters", "error", "tolerance", "verdict", "ms original", "ms godwit",
            "ratio")
    lines = [[r["model"], r["source"], str(r["nodes_before"]), str(r["nodes_after"]), f"{r['parameters']:,}",
              number(r["largest_error"], ".1e"), number(r["tolerance"], ".0e"), r["verdict"],
              number(r["ms_original"], ".3f"), number(r["ms_godwit"], ".3f"), number(r["ratio"], ".2f")] for r in rows]
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    def line(cells):
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"
    return "\n".join([line(head), line(["-" * width for width in widths]), *map(line, lines)])


def clip_table(heard):
    lines = ["| clip | alexa | hey_mycroft | detected | largest difference | verdict |", "|---|---|---|---|---|---|"]
    for h in heard:
        lines.append(f"| {h['clip']} | {h['score']['alexa']:.3f} | {h['score']['hey_mycroft']:.3f} | "
                     f"{', '.join(h['detected']) or 'nothing'} | {max(h['difference'].values()):.1e} | "
                     f"{'agrees' if h['agrees'] else 'DIFFERS'} |")
    return "\n".join(lines)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", action="append", default=[])
    parser.add_argument("--godwit", default=os.path.join(ROOT, "build", "bin", "godwit"))
    parser.add_argument("--chain", default=os.path.join(ROOT, "build", "bin", "godwit_chain"))
    parser.add_argument("--output", default=os.path.join(ROOT, "demo-output"))
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(argv)


def main(argv=None):
    options = parse(argv)
    os.makedirs(options.output, exist_ok=True)
    os.environ.setdefault("GODWIT_PYTHON", sys.executable)
    rows = []
    for name, path, inputs in models():
        print(f"{name}: convert, validate, bench", flush=True)
        rows.append(convert(options, name, path, inputs))
    heard = [listen(options, rows, name, samples) for name, samples in clips(options)]
    text = (table(rows) + "\n\nerror: largest, as a share of the output's scale. ratio: median of the original / median "
            f"of godwit, {options.threads} thread(s) each, sides in turn (Silero: one after the other).\n\n" + clip_table(heard) + "\n")
    print("\n" + text)
    with open(os.path.join(options.output, "table.md"), "w") as file:
        file.write(text)
    with open(os.path.join(options.output, "report.json"), "w") as file:
        json.dump({"models": rows, "clips": heard}, file, indent=1)
    print("plots: " + " ".join(h["plot"] for h in heard))
    return 0 if all(r["verdict"] == "passed" for r in rows) and all(h["agrees"] for h in heard) else 1


if __name__ == "__main__":
    sys.exit(main())
