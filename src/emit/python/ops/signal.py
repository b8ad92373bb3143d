"""Twins of src/ops/signal.cpp."""
import mlx.core as mx


def fft(x, axis, n):
    return mx.fft.fft(x.astype(mx.complex64), n, axis)


def ifft(x, axis, n):
    return mx.fft.ifft(x.astype(mx.complex64), n, axis)


def rfft(x, axis, n):
    return mx.fft.rfft(x.astype(mx.float32), n, axis)


def irfft(x, axis, n):
    return mx.fft.irfft(x.astype(mx.complex64), n, axis)


def overlap_add(x, step):
    *lead, frames, size = x.shape
    if frames == 0:
        return mx.zeros([*lead, 0], x.dtype)
    place = (mx.arange(frames)[:, None] * step + mx.arange(size)).reshape([-1])
    values = _widen(x).reshape([-1, frames * size]).T
    out = mx.zeros([(frames - 1) * step + size, values.shape[1]], values.dtype).at[place].add(values)
    return out.T.reshape([*lead, -1]).astype(x.dtype)
