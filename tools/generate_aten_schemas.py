"""Writes src/frontends/aten/schemas.inc: the schemas of every operator that has a row in src/frontends/aten.

Run after adding a row whose operator is new:  python3 tools/generate_aten_schemas.py
Needs PyTorch; with torchvision importable its operators are included, else their lines are kept as they are.
"""
import pathlib
import re
import sys

import torch

root = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root / "tools/sweeps"))
try:
    import torchvision_schemas  # noqa: F401  (torchvision's operators, also where its compiled library is absent)
except ImportError:
    pass
folder = root / "src/frontends/aten"
target = folder / "schemas.inc"

names = set()
for source in folder.glob("*.cpp"):
    for name in re.findall(r'^(?: {6}\{|  (?:add|add_with_copy)\(\s*rows, )"([A-Za-z_0-9:]+)(?:\.\w+)?",', source.read_text(), re.M):
        names.add(name if "::" in name else "aten::" + name)
# The names that scripts use on numbers, lists and texts share schemas with tensor operators.
names |= {"aten::" + n for n in "len size dim numel item Int Float Bool".split()}
for name in list(names):
    names.add(name + "_copy")  # decompositions without views
    names.add(name + "_")
    if name.endswith("_"):
        names.add(name[:-1])

old = target.read_text().splitlines() if target.exists() else []
lines, missing = [], []
for name in sorted(names):
    schemas = [str(s) for s in torch._C._jit_get_schemas_for_operator(name)]
    if not schemas:
        kept = [line for line in old if re.match(r'R"\(' + re.escape(name) + r"[.(]", line)]
        lines += kept
        if not kept and not name.endswith(("_", "_copy")):
            missing.append(name)
    lines += [f'R"({s})",' for s in schemas if "..." not in s]
target.write_text("\n".join(lines) + "\n")
print(len(lines), "schemas of", len(names), "names,", target.stat().st_size, "bytes", file=sys.stderr)
if missing:
    print("no schema:", *missing, file=sys.stderr)
