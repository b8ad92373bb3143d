"""Real sound for the models: ../shared/data/audio where it lies beside the project, else a made-up voice."""
import os
import sys

import numpy as np

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path[:0] = [os.path.join(ROOT, "tools", folder) for folder in ("reference", "demo", "goldens")]
import demo  # noqa: E402
import silero_jit  # noqa: E402

AUDIO = os.path.join(ROOT, "..", "shared", "data", "audio")
RATE = demo.RATE


def is_real():
    return os.path.isdir(AUDIO)


def samples(*names):
    """Clips one after the other, a second of silence before each and after the last, as floats in [-1, 1] at 16 kHz."""
    if not is_real():
        return silero_jit.voice_like(RATE, 11 * RATE)
    silence = np.zeros(RATE, np.float32)
    parts = [silence]
    for name in names:
        parts += [demo.read_clip(os.path.join(AUDIO, name + ".wav")).astype(np.float32) / 32768, silence]
    return np.concatenate(parts)


def speech(rate, count):
    """The first `count` samples of speech at 8 or 16 kHz."""
    sound = samples("jfk")[RATE // 2:]
    if rate == RATE // 2:
        sound = demo.resample(sound, 2 * RATE)  # twice the rate it has: half as many samples come back
    return sound[:count].astype(np.float32)


def chunks(rate, count, size, context):
    """(count, 1, context + size): speech in chunks, each with the end of the one before it in front."""
    sound = np.concatenate([np.zeros(context, np.float32), speech(rate, count * size)])
    return np.stack([sound[None, i * size:i * size + context + size] for i in range(count)])


def crepe_frames(count):
    """(count, 1024): windows of speech, each with mean 0 and deviation 1, as CREPE wants them."""
    sound = speech(RATE, count * 480 + 1024)
    frames = np.stack([sound[i * 480:i * 480 + 1024] for i in range(count)])
    frames = frames - frames.mean(axis=1, keepdims=True)
    return (frames / np.maximum(frames.std(axis=1, ddof=1, keepdims=True), 1e-10)).astype(np.float32)
