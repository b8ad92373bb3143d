"""The runtimes that godwit is compared with, each called as its users call it from Python."""
import os

import numpy as np

from core import Peer


def save(folder, tensors):
    from safetensors.numpy import save_file
    path = os.path.join(folder, "inputs.safetensors")
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path)
    return path


def onnx_session(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def onnx_peer(session, feed):
    import onnxruntime
    return Peer(f"onnxruntime {onnxruntime.__version__}", lambda: session.run(None, feed))


def torch_peer(module, arguments, name="torch"):
    import torch

    def call():
        with torch.inference_mode():
            module(*arguments)
    return Peer(f"{name} {torch.__version__}", call)


def export_onnx(module, arguments, folder):
    """The module as an ONNX file, and the values for its inputs."""
    import torch
    path = os.path.join(folder, "model.onnx")
    torch.onnx.export(module, arguments, path, dynamo=True, verbose=False)
    return path, [value.numpy() for value in arguments]


def export_pt2(module, arguments, folder):
    """The module as a .pt2 file, and its inputs in a file of their own."""
    import torch
    program = torch.export.export(module, arguments)
    path = os.path.join(folder, "model.pt2")
    torch.export.save(program, path)
    ports = [s.arg.name for s in program.graph_signature.input_specs if s.kind.name == "USER_INPUT"]
    return path, save(folder, {name: value.numpy() for name, value in zip(ports, arguments)})


def gflop_of(module, arguments):
    """Of its products, convolutions and attention, as torch counts them; elementwise work counts nothing."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*arguments)
    return counter.get_total_flops() / 1e9


def prepare_torch(threads):
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(0)


def package_file(package, path):
    import importlib.util
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ImportError(f"{package} is not installed")
    return os.path.join(spec.submodule_search_locations[0], path)
