"""Structures (classes of inputs and outputs) that a .pt2 file names."""
import importlib
import re
import zipfile


def import_known(path):
    """Imports the modules of transformers that define the structures a program takes or returns: torch.export.load knows
    a class only once it is defined. No other library's name in a file leads to an import."""
    with zipfile.ZipFile(path) as archive:
        programs = [n for n in archive.namelist() if re.search(r"/models/[^/]+\.json$", n)]
        texts = [archive.read(name).decode("utf-8", "replace") for name in programs]
    found = {m for text in texts for m in re.findall(r'\\*"type\\*": *\\*"(transformers(?:\.\w+)+)\.\w+\\*"', text)}
    for module in sorted(found):
        try:
            importlib.import_module(module)
        except ImportError:  # torch's own error names the class
            pass
