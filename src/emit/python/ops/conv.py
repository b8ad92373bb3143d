"""Twins of src/ops/conv.cpp: channels first, 1 to 3 spatial axes."""
import math

import mlx.core as mx


# Zeros around the spatial axes; negative pads crop.
def _pad_spatial(x, low, high, value=0):
    lead = x.ndim - len(low)
    out = mx.pad(x, [(0, 0)] * lead + [(_max(l, 0), _max(h, 0)) for l, h in zip(low, high)], constant_values=_like(x, value))
    for i, (l, h) in enumerate(zip(low, high)):
        out = _cut(out, lead + i, _max(-l, 0), out.shape[lead + i] - _max(-h, 0))
    return out


def _add_bias(y, bias):
    return y if bias is None else y + bias.reshape([-1] + [1] * (y.ndim - 2)).astype(y.dtype)


# Whole numbers are convolved in float64, which holds their sums; it exists on the CPU only.
def _in_float(f, x, weight):
    if not _is_integral(x):
        wide = _widen(x)
        return f(wide, weight.astype(wide.dtype)).astype(x.dtype)
    return mx.round(f(x.astype(mx.float32), weight.astype(mx.float32))).astype(x.dtype)


# MLX's convolution is channels last and knows groups up to two spatial axes. A long sum is made of runs of channels,
# as in _product.
def _convolve(x, weight, groups, **settings):
    n, channels, taps = x.ndim - 2, weight.shape[1], math.prod(weight.shape[2:])
    x, weight = mx.moveaxis(x, 1, -1), mx.moveaxis(weight, 1, -1)
    if groups == 1 and _is_long(x, channels * taps):
        run = _max(_RUN // taps, 1)
        parts = (mx.conv_general(x[..., c:c + run], weight[..., c:c + run], **settings) for c in _range(0, channels, run))
        return mx.moveaxis(_sum(parts), -1, 1)
    if groups == 1 or n < 3:
        return mx.moveaxis(mx.conv_general(x, weight, groups=groups, **settings), -1, 1)
    parts = zip(mx.split(x, groups, axis=-1), mx.split(weight, groups, axis=0))
    return mx.moveaxis(mx.concatenate([mx.conv_general(a, w, **settings) for a, w in parts], axis=-1), -1, 1)


# A bank of long filters over one channel, such as the spectrum of raw sound. What is quiet in it is a small difference of
# large sums, and logarithms follow: the sums are kept in float64, which the CPU has.
def _is_filter_bank(weight, groups):
    return groups == 1 and weight.shape[1] == 1 and math.prod(weight.shape[2:]) >= 128 and mx.default_device() == mx.cpu


def _filter_bank(x, weight, stride, dilation):
    kernel, filters = weight.shape[2:], weight.shape[0]
    stride, dilation = ([v] * len(kernel) if isinstance(v, int) else v for v in (stride, dilation))
    out = [(size - d * (k - 1) - 1) // s + 1 for size, k, s, d in zip(x.shape[2:], kernel, stride, dilation)]
    windows = _windows(x, out, kernel, stride, dilation).reshape([x.shape[0], -1, math.prod(kernel)])
    y = windows.astype(mx.float64) @ weight.reshape([filters, -1]).astype(mx.float64).T
    return y.astype(x.dtype).swapaxes(1, 2).reshape([x.shape[0], filters, *out])


def conv(x, weight, bias=None, *, stride=1, low=None, high=None, dilation=1, groups=1):
    if low or high:
        none = [0] * (x.ndim - 2)
        x = _pad_spatial(x, low or none, high or none)
    if not _is_integral(x) and _is_filter_bank(weight, groups):
        return _add_bias(_filter_bank(x, weight, stride, dilation), bias)
    y = _in_float(lambda a, w: _convolve(a, w, groups, stride=stride, kernel_dilation=dilation), x, weight)
    return _add_bias(y, bias)


def conv_transpose(x, weight, bias=None, *, stride=1, low=None, high=None, output_padding=None, dilation=None, groups=1):
    inner, outer, kernel = weight.shape[0], weight.shape[1], weight.shape[2:]
    none = [0] * len(kernel)
    low, high, output_padding, dilation = low or none, high or none, output_padding or none, dilation or [1] * len(kernel)
    # (I, O / groups, k...) -> (O, I / groups, k...)
    weight = weight.reshape([groups, inner // groups, outer, *kernel]).swapaxes(1, 2).reshape([groups * outer, inner // groups, *kernel])
    edge = [d * (k - 1) for d, k in zip(dilation, kernel)]
    settings = dict(padding=(edge, edge), kernel_dilation=list(dilation), input_dilation=stride, flip=True)
    y = _in_float(lambda a, w: _convolve(a, w, groups, **settings), x, weight)
    y = _pad_spatial(y, [-l for l in low], [o - h for o, h in zip(output_padding, high)])
    return _add_bias(y, bias)


def fold(x, output_size, kernel, stride, low, high, dilation):
    n, channels = x.shape[0], x.shape[1] // math.prod(kernel)
    counts = [(o + l + h - d * (k - 1) - 1) // s + 1 for o, l, h, d, k, s in zip(output_size, low, high, dilation, kernel, stride)]
    padded = [o + l + h for o, l, h in zip(output_size, low, high)]
    # The flat position in the padded result of every (tap, window).
    place = mx.zeros([1] * (2 * len(kernel)), mx.int64)
    for i, (k, s, d, count, size) in enumerate(zip(kernel, stride, dilation, counts, padded)):
        along = (mx.arange(k)[:, None] * d + mx.arange(count) * s).astype(mx.int64)
        shape = [1] * (2 * len(kernel))
        shape[i], shape[len(kernel) + i] = k, count
        place = place * size + along.reshape(shape)
    values = _widen(x).reshape([n * channels, -1]).T
    out = mx.zeros([math.prod(padded), n * channels], values.dtype).at[place.reshape([-1])].add(values)
    out = out.T.reshape([n, channels, *padded])
    return _pad_spatial(out, [-l for l in low], [-h for h in high]).astype(x.dtype)


# planes (N, G, C, H * W) at integer coordinates (N, G, P), zero outside -> (N, G, C, P)
def _read_planes(planes, y, x, height, width):
    inside = (y >= 0) & (y <= height - 1) & (x >= 0) & (x <= width - 1)
    flat = mx.clip(y, 0, height - 1).astype(mx.int32) * width + mx.clip(x, 0, width - 1).astype(mx.int32)
    index = mx.broadcast_to(flat[:, :, None], [*planes.shape[:3], flat.shape[2]])
    return mx.where(inside[:, :, None], mx.take_along_axis(planes, index, axis=3), 0)


def deform_conv(x, offset, weight, mask=None, bias=None, *, stride, low, high, dilation, groups=1, offset_groups=1):
    n, channels, height, width = x.shape
    outer, _, kh, kw = weight.shape
    oh, ow = ((size + l + h - d * (k - 1) - 1) // s + 1 for size, l, h, d, k, s in zip((height, width), low, high, dilation, (kh, kw), stride))
    moves = offset.astype(mx.float32).reshape([n, offset_groups, kh, kw, 2, oh, ow])
    base = [(mx.arange(k)[:, None] * d + mx.arange(o) * s - l).astype(mx.float32) for k, d, o, s, l in zip((kh, kw), dilation, (oh, ow), stride, low)]
    y = (moves[:, :, :, :, 0] + base[0].reshape([kh, 1, oh, 1])).reshape([n, offset_groups, -1])
    z = (moves[:, :, :, :, 1] + base[1].reshape([1, kw, 1, ow])).reshape([n, offset_groups, -1])
    planes = x.astype(mx.float32).reshape([n, offset_groups, channels // offset_groups, height * width])
    y0, x0 = mx.floor(y), mx.floor(z)
    samples = 0
    for dy in (0, 1):
        for dx in (0, 1):
            share = (y - y0 if dy else 1 - (y - y0)) * (z - x0 if dx else 1 - (z - x0))
            samples = samples + _read_planes(planes, y0 + dy, x0 + dx, height, width) * share[:, :, None]
    if mask is not None:
        samples = samples * mask.astype(mx.float32).reshape([n, offset_groups, 1, -1])
    columns = samples.reshape([n, groups, channels // groups * kh * kw, oh * ow])
    matrix = weight.astype(mx.float32).reshape([1, groups, outer // groups, -1])
    return _add_bias((matrix @ columns).reshape([n, outer, oh, ow]), bias).astype(x.dtype)
