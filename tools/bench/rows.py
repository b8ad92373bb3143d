"""The rows of the benchmark: kernels beside PyTorch, models beside the runtime they come from."""
import os

import numpy as np

from bench import ROOT, Row
from quantized_rows import quantized_rows

MODELS = {  # file, options of convert, input shapes
    "silero_vad.onnx": ("silero_vad", "data/silero_vad.onnx",
                        ["--input", "input=1,576", "--input", "state=2,1,128", "--input", "sr=16000"]),
    "melspectrogram (2 s)": ("openwakeword", "resources/models/melspectrogram.onnx", ["--input", "input=1,32000"]),
    "embedding_model": ("openwakeword", "resources/models/embedding_model.onnx", []),
    "alexa": ("openwakeword", "resources/models/alexa_v0.1.onnx", []),
    "hey_jarvis": ("openwakeword", "resources/models/hey_jarvis_v0.1.onnx", []),
    "hey_mycroft": ("openwakeword", "resources/models/hey_mycroft_v0.1.onnx", []),
}


def package_file(package, path):
    import importlib.util
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ImportError(f"{package} is not installed")
    return os.path.join(os.path.dirname(spec.origin), path)


def save(folder, tensors):
    from safetensors.numpy import save_file
    path = os.path.join(folder, "inputs.safetensors")
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path)
    return path


def onnx_session(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]), onnxruntime.__version__


def random_feed(session, fixed):
    generator, feed = np.random.default_rng(0), {}
    for port in session.get_inputs():
        if port.name in fixed and not isinstance(fixed[port.name], tuple):
            feed[port.name] = np.array(fixed[port.name], np.int64)
            continue
        shape = fixed.get(port.name) or tuple(d if isinstance(d, int) else 1 for d in port.shape)
        feed[port.name] = generator.standard_normal(shape).astype(np.float32)
    return feed


def onnx_row(name, path_of, options, goal):
    def prepare(folder, threads):
        path = path_of()
        session, version = onnx_session(path, threads)
        fixed = {}
        for text in options[1::2]:
            key, value = text.split("=")
            fixed[key] = tuple(map(int, value.split(","))) if "," in value else int(value)
        feed = random_feed(session, fixed)
        inputs = save(folder, {k: v for k, v in feed.items() if isinstance(fixed.get(k), tuple) or k not in fixed})
        return path, options, inputs, lambda: session.run(None, feed), f"onnxruntime {version}"
    return Row(name, prepare, "onnxruntime", goal)


def torch_row(name, build, goal, against_onnx=False):
    """build() gives a module and its arguments; the peer is the module itself, or its ONNX export in onnxruntime."""
    def prepare(folder, threads):
        import torch
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        module, arguments = build()
        module = module.eval()
        program = torch.export.export(module, arguments)
        path = os.path.join(folder, "model.pt2")
        torch.export.save(program, path)
        ports = [s.arg.name for s in program.graph_signature.input_specs if s.kind.name == "USER_INPUT"]
        inputs = save(folder, {name: value.numpy() for name, value in zip(ports, arguments)})
        if against_onnx:
            onnx_path = os.path.join(folder, "model.onnx")
            torch.onnx.export(module, arguments, onnx_path, dynamo=True, verbose=False)
            session, version = onnx_session(onnx_path, threads)
            feed = {p.name: value.numpy() for p, value in zip(session.get_inputs(), arguments)}
            return path, [], inputs, lambda: session.run(None, feed), f"onnxruntime {version}"

        def call():
            with torch.inference_mode():
                module(*arguments)
        return path, [], inputs, call, f"torch {torch.__version__}"
    return Row(name, prepare, "torch", goal)


def function_row(name, function, shapes, goal, weights=0):
    """A function of tensors; the last `weights` of them belong to the module."""
    def build():
        import torch

        class Module(torch.nn.Module):
            def __init__(self, values):
                super().__init__()
                for i, value in enumerate(values):
                    self.register_buffer(f"w{i}", value)
                self.count = len(values)

            def forward(self, *xs):
                return function(*xs, *(getattr(self, f"w{i}") for i in range(self.count)))
        values = [torch.randn(shape) for shape in shapes]
        split = len(values) - weights
        return Module(values[split:]), tuple(values[:split])
    return torch_row(name, build, goal)


def kernel_rows():
    import torch
    F = torch.nn.functional
    rows = [function_row(f"matmul {n}", torch.matmul, [(n, n), (n, n)], 0.95, weights=1) for n in (512, 1024, 2048)]
    rows += [
        function_row("conv2d 64->64 3x3 at 64x64", lambda x, w: F.conv2d(x, w, padding=1),
                     [(1, 64, 64, 64), (64, 64, 3, 3)], 0.95, weights=1),
        function_row("conv1d 512->512 k3 at 1000", lambda x, w: F.conv1d(x, w, padding=1),
                     [(1, 512, 1000), (512, 512, 3)], 0.95, weights=1),
        function_row("attention 16 x 512 x 64", F.scaled_dot_product_attention, [(1, 16, 512, 64)] * 3, 1.2),
        function_row("attention decode against 4096", F.scaled_dot_product_attention,
                     [(1, 16, 1, 64), (1, 16, 4096, 64), (1, 16, 4096, 64)], 1.2),
        function_row("softmax 1024 x 1024", lambda x: F.softmax(x, -1), [(1024, 1024)], 1.0),
        function_row("layer norm 1024 x 1024", lambda x, w, b: F.layer_norm(x, (1024,), w, b),
                     [(1024, 1024), (1024,), (1024,)], 1.0, weights=2),
        function_row("GELU 1M", F.gelu, [(1024, 1024)], 1.0),
        function_row("exp 1M", torch.exp, [(1024, 1024)], 1.0),
    ]
    return rows


def zoo_rows():
    def vision(name):
        def build():
            import torch
            import torchvision_schemas  # noqa: F401
            import zoo
            if name in ("resnet18", "mobilenet_v3_small"):
                import torchvision
                model = getattr(torchvision.models, name)()
            else:
                import timm
                model = timm.create_model(name)
            return zoo.randomize(model), (torch.randn(1, 3, 224, 224),)
        return build
    return [torch_row(name, vision(name), 1.0, against_onnx=True)
            for name in ("resnet18", "mobilenet_v3_small", "convnext_nano", "vit_tiny_patch16_224")]


def crepe_rows():
    def build(capacity):
        def make():
            import torch
            import torchcrepe
            return torchcrepe.Crepe(capacity), (torch.randn(100, 1024),)
        return make
    return [torch_row(f"CREPE {capacity}, 1 s", build(capacity), 1.3, against_onnx=True) for capacity in ("tiny", "full")]


def minilm_rows():
    def build(batch):
        def make():
            import torch
            import transformers
            config = transformers.BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
                                             intermediate_size=1536)

            class Encoder(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.bert = transformers.BertModel(config, add_pooling_layer=False)

                def forward(self, ids):
                    return self.bert(ids).last_hidden_state.mean(1)
            return Encoder(), (torch.randint(0, 30000, (batch, 128)),)
        return make
    return [torch_row(f"MiniLM-L6 {batch} x 128 against {'onnxruntime' if onnx else 'torch'}", build(batch), 1.4, onnx)
            for batch in (1, 32) for onnx in (False, True)]


def all_rows():
    goals = {"silero_vad.onnx": 1.5}
    rows = kernel_rows()
    for name, (package, path, options) in MODELS.items():
        rows.append(onnx_row(name, lambda package=package, path=path: package_file(package, path), options,
                             goals.get(name, 1.2)))
    return rows + quantized_rows() + zoo_rows() + crepe_rows() + minilm_rows()
