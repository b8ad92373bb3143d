"""Cases of weights in MLX's affine format: packed and unpacked here, by the format's description."""
import numpy as np
import torch
from nn_ops import Family, rand

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def packed(rows, features, bits, group, dtype):
    """Random numbers in the format, and the matrix that they stand for."""
    q = torch.randint(0, 2 ** bits, (rows, features), dtype=torch.int64)
    words = q.reshape(rows, -1, 32 // bits) << torch.arange(0, 32, bits)
    weight = torch.from_numpy(words.sum(-1).numpy().astype(np.uint32))
    scales, biases = (rand(rows, features // group, dtype=dtype) for _ in range(2))
    wide = lambda p: p.double().repeat_interleave(group, 1)
    return weight, scales, biases, wide(scales) * q + wide(biases)


def affine():
    f = Family("affine")
    for bits in (4, 8):
        for group in (32, 64, 128):
            for dtype in DTYPES:
                how = {"bits": bits, "group_size": group}
                *operands, matrix = packed(7, 2 * group, bits, group, dtype)
                all_shapes = ((3, 2 * group), (2 * group,), (2, 2, 2 * group), (0, 2 * group))
                for shape in all_shapes if dtype == torch.float32 else all_shapes[:1]:
                    x, bias = rand(*shape, dtype=dtype), rand(7, dtype=dtype)
                    product = x.double() @ matrix.T
                    f.add("quantized_linear", [x, *operands], product.to(dtype), **how)
                    f.add("quantized_linear", [x, *operands, bias], (product.to(dtype) + bias), **how)
                all_indices = (torch.tensor([[0, -1], [3, -7]]), torch.tensor(5), torch.zeros(0, 2, dtype=torch.int64),
                               torch.tensor([1, 6], dtype=torch.int32))
                for indices in all_indices if dtype == torch.float32 else all_indices[:1]:
                    f.add("quantized_take", [indices, *operands], matrix[indices.long()].to(dtype), **how)
    return f


FAMILIES = [affine]
