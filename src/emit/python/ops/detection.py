"""Twins of src/ops/detection.cpp."""
import mlx.core as mx
import numpy as np


def nms(boxes, scores, max_per_class, iou_threshold, score_threshold, center=False):
    corners, values, selected = np.array(boxes.astype(mx.float32)), np.array(scores.astype(mx.float32)), []
    if center:
        middle, size = corners[..., :2], corners[..., 2:] / 2
        low, high = middle - size, middle + size
    else:
        low, high = np.minimum(corners[..., :2], corners[..., 2:]), np.maximum(corners[..., :2], corners[..., 2:])
    area = np.prod(high - low, axis=-1)
    for b, per_class in enumerate(values):
        for c, score in enumerate(per_class):
            kept = []
            for i in np.argsort(-score, kind="stable"):
                if score[i] <= np.float32(score_threshold) or len(kept) >= max_per_class:
                    continue
                side = np.maximum(np.minimum(high[b, i], high[b, kept]) - np.maximum(low[b, i], low[b, kept]), 0)
                both = np.prod(side, axis=-1)
                joint = area[b, i] + area[b, kept] - both
                counts = (both > 0) & (area[b, i] > 0) & (area[b, kept] > 0) & (joint > 0)
                if not (counts & (both > np.float32(iou_threshold) * joint)).any():
                    kept.append(i)
            selected += [(b, c, i) for i in kept]
    return mx.array(np.array(selected, np.int64).reshape(-1, 3))


# The four neighbours of each place along one axis pair: weights are zero outside of the map.
def _corners(y, x, height, width):
    inside = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)

    def neighbours(v, size):
        v = np.maximum(v, np.float32(0))
        low = np.minimum(v.astype(np.int64), size - 1)
        part = np.where(low == size - 1, np.float32(0), v - low.astype(np.float32))
        return (low, 1 - part), (np.minimum(low + 1, size - 1), part)

    for rows, row_share in neighbours(y, height):
        for columns, column_share in neighbours(x, width):
            yield np.where(inside, rows * width + columns, 0), np.where(inside, row_share * column_share, 0).astype(np.float32)


def roi_align(x, boxes, batch_indices, mode="avg", *, height, width, scale=1.0, sampling=0, half_pixel=True):
    planes = np.array(x.astype(mx.float32))
    rows, columns = planes.shape[2:]
    out = np.zeros((boxes.shape[0], planes.shape[1], height, width), np.float32)
    shift, factor = np.float32(0.5 if half_pixel else 0), np.float32(scale)
    for r, (box, batch) in enumerate(zip(np.array(boxes.astype(mx.float32)), batch_indices.tolist())):
        left, top, right, bottom = box * factor - shift
        w, h = right - left, bottom - top
        if not half_pixel:
            w, h = np.maximum(w, np.float32(1)), np.maximum(h, np.float32(1))
        bin_h, bin_w = h / np.float32(height), w / np.float32(width)
        down, across = (sampling or _max(int(np.ceil(b)), 0) for b in (bin_h, bin_w))
        if down == 0 or across == 0:
            continue
        y = top + np.arange(height, dtype=np.float32)[:, None] * bin_h + (np.arange(down, dtype=np.float32) + np.float32(0.5)) * bin_h / np.float32(down)
        z = left + np.arange(width, dtype=np.float32)[:, None] * bin_w + (np.arange(across, dtype=np.float32) + np.float32(0.5)) * bin_w / np.float32(across)
        # (height, width, down, across)
        y, z = np.broadcast_arrays(y[:, None, :, None], z[None, :, None, :])
        flat = planes[batch].reshape(planes.shape[1], -1)
        parts = np.stack([flat[:, at] * share for at, share in _corners(y, z, rows, columns)])
        out[r] = parts.sum(axis=0).mean(axis=(3, 4)) if mode == "avg" else parts.max(axis=(0, 4, 5))
    return mx.array(out).astype(x.dtype)
