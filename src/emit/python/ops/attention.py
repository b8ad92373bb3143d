"""Twins of src/ops/attention.cpp."""
import math

import mlx.core as mx


def attention(q, k, v, mask=None, *, scale, causal=False):
    batch, heads, queries, depth = q.shape
    kv_heads, keys = k.shape[1], k.shape[2]
    if keys == 0:
        return mx.zeros([batch, heads, queries, v.shape[3]], q.dtype)
    if causal:
        visible = mx.arange(queries)[:, None] >= mx.arange(keys)
        if mask is None:
            mask = visible
        else:
            mask = mask & visible if mask.dtype == mx.bool_ else mx.where(visible, mask, _like(mask, -math.inf))
    grouped = (_widen(q) * scale).reshape([batch, kv_heads, heads // kv_heads, queries, depth])
    scores = grouped @ _widen(k)[:, :, None].swapaxes(-1, -2)
    if mask is not None:
        mask = mask.reshape([1] * (4 - mask.ndim) + list(mask.shape))
        per_head = mask.shape[1] != 1
        mask = mask.reshape([mask.shape[0], kv_heads if per_head else 1, heads // kv_heads if per_head else 1, *mask.shape[2:]])
        scores = mx.where(mask, scores, _like(scores, -math.inf)) if mask.dtype == mx.bool_ else scores + mask.astype(scores.dtype)
    shares = mx.softmax(scores, axis=-1, precise=True)
    if mask is not None:
        # A row of minus infinities has no softmax: nothing is seen.
        shares = mx.where(mx.max(scores, axis=-1, keepdims=True) > -math.inf, shares, 0)
    out = shares @ _widen(v)[:, :, None]
    return out.reshape([batch, heads, queries, v.shape[3]]).astype(q.dtype)


def rope(x, cos, sin, interleaved=False):
    half = x.shape[-1] // 2

    def parts(t):
        return (t[..., 0::2], t[..., 1::2]) if interleaved else (t[..., :half], t[..., half:])

    def tables(t):
        return parts(_widen(t)) if t.shape[-1] == x.shape[-1] else (_widen(t), _widen(t))

    (a, b), (cos_a, cos_b), (sin_a, sin_b) = parts(_widen(x)), tables(cos), tables(sin)
    first, second = a * cos_a - b * sin_a, b * cos_b + a * sin_b
    out = mx.stack([first, second], axis=-1).flatten(-2, -1) if interleaved else mx.concatenate([first, second], axis=-1)
    return out.astype(x.dtype)
