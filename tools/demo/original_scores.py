"""What the originals say about a clip, frame by frame, in onnxruntime: openWakeWord's own streaming code, Silero VAD's
documented calling convention (512 samples with 64 samples of context, state carried over)."""
import importlib.util
import os
import sys
import types
import warnings

import numpy as np

STEP = 1280
VAD_STEP, VAD_CONTEXT = 512, 64


def package_folder(name):
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the Python package {name} is missing: run scripts/setup.sh demo")
    return spec.submodule_search_locations[0]


def openwakeword_models():
    return os.path.join(package_folder("openwakeword"), "resources", "models")


def silero_models():
    return os.path.join(package_folder("silero_vad"), "data")


def import_openwakeword():
    """The package's import also loads what trains verifiers (scikit-learn, SciPy, tqdm); running needs none of it."""
    for name in ("tqdm", "scipy", "sklearn", "sklearn.linear_model", "sklearn.pipeline", "sklearn.preprocessing"):
        try:
            importlib.import_module(name)
        except ImportError:
            module = types.ModuleType(name)
            module.__getattr__ = lambda attribute: None
            sys.modules[name] = module
    warnings.filterwarnings("ignore", message="Specified provider")  # it asks for CUDA first
    import openwakeword
    return openwakeword


def wake_word_scores(samples, words):
    """{word: float array, one score for each 80 ms} of int16 samples at 16 kHz."""
    openwakeword = import_openwakeword()
    paths = [os.path.join(openwakeword_models(), f"{word}_v0.1.onnx") for word in words]
    model = openwakeword.Model(wakeword_model_paths=paths)
    rows = model.predict_clip(samples, padding=0)
    return {word: np.array([row[f"{word}_v0.1"] for row in rows], dtype=np.float32) for word in words}


def speech_probability(samples):
    """One probability for each 32 ms."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(os.path.join(silero_models(), "silero_vad.onnx"), options,
                                           providers=["CPUExecutionProvider"])
    audio = samples.astype(np.float32) / 32768
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(VAD_CONTEXT, np.float32)
    found = []
    for start in range(0, len(audio) - VAD_STEP + 1, VAD_STEP):
        chunk = np.concatenate([context, audio[start:start + VAD_STEP]])
        output, state = session.run(None, {"input": chunk[None], "state": state, "sr": np.array(16000)})
        context = chunk[-VAD_CONTEXT:]
        found.append(float(output[0, 0]))
    return np.array(found, dtype=np.float32)
