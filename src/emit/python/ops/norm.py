"""Twins of src/ops/norm.cpp."""
import mlx.core as mx


def _standardized(x, axes, eps):
    centered = x - mx.mean(x, axis=axes, keepdims=True)
    return centered * mx.rsqrt(mx.mean(mx.square(centered), axis=axes, keepdims=True) + eps)


def _scaled(y, weight, bias):
    if weight is not None:
        y = y * weight.astype(y.dtype)
    return y if bias is None else y + bias.astype(y.dtype)


# A vector over channels, to broadcast along axis 1.
def _along_channels(v, rank):
    return None if v is None else v.reshape([-1] + [1] * (rank - 2))


def layer_norm(x, weight=None, bias=None, axes_count=1, eps=1e-5):
    y = _standardized(_widen(x), list(_range(-axes_count, 0)), eps)
    return _scaled(y, weight, bias).astype(x.dtype)


def rms_norm(x, weight=None, axes_count=1, eps=1e-6):
    wide = _widen(x)
    power = mx.mean(mx.square(wide), axis=list(_range(-axes_count, 0)), keepdims=True)
    return _scaled(wide * mx.rsqrt(power + eps), weight, None).astype(x.dtype)


def group_norm(x, weight=None, bias=None, *, groups, eps=1e-5):
    y = _standardized(_widen(x).reshape([x.shape[0], groups, -1]), [2], eps).reshape(x.shape)
    return _scaled(y, _along_channels(weight, x.ndim), _along_channels(bias, x.ndim)).astype(x.dtype)


def batch_norm(x, weight, bias, mean, variance, eps=1e-5):
    wide = _widen(x)
    factor = mx.rsqrt(variance.astype(wide.dtype) + eps)
    if weight is not None:
        factor = factor * weight.astype(wide.dtype)
    y = (wide - _along_channels(mean, x.ndim).astype(wide.dtype)) * _along_channels(factor, x.ndim)
    return _scaled(y, None, _along_channels(bias, x.ndim)).astype(x.dtype)


def local_response_norm(x, size, alpha=1e-4, beta=0.75, bias=1.0):
    wide = _widen(x)
    below, channels = (size - 1) // 2, x.shape[1]
    padded = mx.pad(mx.square(wide), [(0, 0), (below, size - 1 - below)] + [(0, 0)] * (x.ndim - 2))
    total = mx.zeros(wide.shape, wide.dtype)
    for k in _range(size):
        total = total + padded[:, k : k + channels]
    return (wide / mx.power(bias + total * (alpha / size), beta)).astype(x.dtype)
