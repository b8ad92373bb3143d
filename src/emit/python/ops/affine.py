"""Twins of src/ops/affine.cpp."""
import mlx.core as mx


def quantized_linear(x, weight, scales, biases, bias=None, *, bits, group_size):
    if x.size == 0:
        out = mx.zeros(x.shape[:-1] + (weight.shape[0],), x.dtype)
    elif x.dtype != mx.float32 and mx.default_device() == mx.Device(mx.cpu):
        # There MLX sums half types in their own precision.
        wide = mx.float32
        out = mx.quantized_matmul(x.astype(wide), weight, scales.astype(wide), biases.astype(wide),
                                  transpose=True, group_size=group_size, bits=bits).astype(x.dtype)
    else:
        out = mx.quantized_matmul(x, weight, scales, biases, transpose=True, group_size=group_size, bits=bits)
    return out if bias is None else out + bias


def quantized_take(indices, weight, scales, biases, *, bits, group_size):
    return mx.dequantize(weight[indices], scales[indices], biases[indices], group_size=group_size, bits=bits)
