"""Writes the small checkpoints of tests/data/torch_checkpoints, in both layouts of torch.save.

    python3 tools/goldens/torch_checkpoints.py tests/data/torch_checkpoints
"""
import collections
import sys

import torch


def main(folder):
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    state = collections.OrderedDict(
        [
            ("module.base", base),
            ("module.tied", base),
            ("module.row", base[1]),
            ("module.slice", base[:, 1:3].t()),
            ("module.parameter", torch.nn.Parameter(torch.tensor([1.5, -2.5]))),
            ("module.half", torch.tensor([0.5, 65504.0], dtype=torch.float16)),
            ("module.bfloat", torch.tensor([1.0, 3.0], dtype=torch.bfloat16)),
            ("module.count", torch.tensor(7)),
            ("module.empty", torch.zeros(0, 3)),
            ("module.mask", torch.tensor([True, False])),
        ]
    )
    wrapped = {"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}
    torch.save(wrapped, f"{folder}/zip.pt")
    torch.save(wrapped, f"{folder}/legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"a": {"w": base}, "b": [base, {"c": base.int()}]}, f"{folder}/nested.pt")


if __name__ == "__main__":
    main(sys.argv[1])
