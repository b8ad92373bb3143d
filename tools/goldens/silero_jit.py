#!/usr/bin/env python3
"""Records what torch.jit computes for Silero VAD's TorchScript file: 20 chunks with the state carried over, at both
sample rates. Written to tests/data/parity; the demo and the tests compare with them where torch is absent."""
import os
import subprocess
import sys
import tempfile

import numpy as np

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path[:0] = [os.path.join(ROOT, "tools", "reference"), os.path.join(ROOT, "tools", "demo")]
import original_scores  # noqa: E402
import tensors  # noqa: E402

STEPS = 20


def voice_like(rate, samples):
    """Harmonics of a gliding pitch under a slow envelope, with noise: silence, onset and speech-like frames."""
    t = np.arange(samples) / rate
    phase = 2 * np.pi * np.cumsum(110 + 40 * np.sin(2 * np.pi * 1.5 * t)) / rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 12))
    envelope = np.clip(np.sin(2 * np.pi * 2.2 * t), 0, None)
    return (0.15 * tone * envelope + 0.003 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


def main():
    model = os.path.join(original_scores.silero_models(), "silero_vad.jit")
    for rate, chunk in ((16000, 512), (8000, 256)):
        x = voice_like(rate, STEPS * chunk).reshape(STEPS, 1, chunk)
        with tempfile.TemporaryDirectory() as folder:
            inputs = os.path.join(folder, "in.safetensors")
            tensors.save(inputs, {"x": x, "sr": np.array(rate)})
            golden = os.path.join(ROOT, "tests", "data", "parity", f"silero_jit_{rate // 1000}k.safetensors")
            subprocess.run([sys.executable, os.path.join(ROOT, "tools", "reference", "run.py"), model, "--inputs", inputs,
                            "--golden", golden, "--sequence", "x"], check=True)


if __name__ == "__main__":
    main()
