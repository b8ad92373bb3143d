"""Records what torch, NumPy and onnx compute for the general rows of the op table.

    python3 tools/goldens/ops.py tests/data/ops

Files as nn_ops.py writes them. A case with symbolic=False is not inferred with symbols for its axes.
"""
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import ops_cases_moving  # noqa: E402
import ops_cases_numbers  # noqa: E402

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for build in ops_cases_numbers.FAMILIES + ops_cases_moving.FAMILIES:
        torch.manual_seed(0)
        build().save(folder)
