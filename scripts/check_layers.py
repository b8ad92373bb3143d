#!/usr/bin/env python3
"""Checks that #include lines follow the layers (docs/architecture.md): a file may use its own folder and what stands
below it. Prints each arrow that points the wrong way, and fails."""
import os
import re
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

# What each folder of src/ may use beside itself; the rest follows by walking down.
BELOW = {
    "base": [],
    "kernels": ["base"], "ir": ["base"], "formats": ["base"], "weights": ["formats"],
    "text": ["base"], "audio": ["base"], "image": ["base"],
    "ops": ["ir", "kernels"],
    "executors": ["ops"],
    "frontends": ["executors", "formats", "weights"], "passes": ["executors"], "emit": ["executors", "formats"],
    "models": ["emit", "passes", "frontends", "weights", "text", "audio", "image"],
    "engine": ["models", "text", "audio", "image"],
    "parity": ["executors", "models"],
    "server": ["engine"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([a-z_]+)/', re.MULTILINE)


def reach(folder):
    found, queue = set(), [folder]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(BELOW[name])
    return found


def wrong_arrows(root):
    source = os.path.join(root, "src")
    for folder, _, files in os.walk(source):
        layer = os.path.relpath(folder, source).split(os.sep)[0]
        for name in sorted(files):
            if not name.endswith((".h", ".cpp", ".inc")) or layer == ".":
                continue
            path = os.path.join(folder, name)
            if layer not in BELOW:
                yield f"{os.path.relpath(path, root)}: folder {layer} is in no layer (scripts/check_layers.py)"
                continue
            with open(path, encoding="utf-8") as file:
                used = set(INCLUDE.findall(file.read()))
            for target in sorted(used & set(BELOW) - reach(layer)):
                yield f"{os.path.relpath(path, root)}: {layer} may not use {target}"


def main():
    wrong = list(wrong_arrows(sys.argv[1] if len(sys.argv) > 1 else ROOT))
    print("\n".join(wrong) or "layers: every arrow points down")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
