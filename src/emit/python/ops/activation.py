"""Twins of src/ops/activation.cpp."""
import math

import mlx.core as mx


def elu(x, alpha=1.0, scale=1.0, input_scale=1.0):
    wide = _widen(x)
    return mx.where(wide > 0, wide * scale, alpha * scale * mx.expm1(wide * input_scale)).astype(x.dtype)


def hard_sigmoid(x, alpha=0.2, beta=0.5):
    return mx.clip(_widen(x) * alpha + beta, 0, 1).astype(x.dtype)


def softplus(x, beta=1.0, threshold=20.0):
    wide = _widen(x)
    scaled = wide * beta
    soft = mx.logaddexp(scaled, _like(scaled, 0)) / beta
    return mx.where(scaled > threshold, wide, soft).astype(x.dtype)


def gelu(x, approximate="none"):
    wide = _widen(x)
    if approximate == "none":
        out = 0.5 * wide * (1 + mx.erf(wide / math.sqrt(2)))
    elif approximate == "sigmoid":
        out = wide * mx.sigmoid(1.702 * wide)
    else:
        out = 0.5 * wide * (1 + mx.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * mx.square(wide) * wide)))
    return out.astype(x.dtype)
