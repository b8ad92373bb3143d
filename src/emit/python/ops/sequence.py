"""Twins of src/ops/sequence.cpp: a sequence is a list."""
import mlx.core as mx


def sequence(xs):
    return list(xs)


def sequence_at(seq, index):
    return seq[index.item()]


def sequence_length(seq):
    return mx.array(len(seq), mx.int64)


def sequence_insert(seq, x, index=None):
    at = len(seq) if index is None else index.item()
    at = at + len(seq) if at < 0 else at
    return seq[:at] + [x] + seq[at:]


def sequence_erase(seq, index=None):
    at = len(seq) - 1 if index is None else index.item() % len(seq)
    return seq[:at] + seq[at + 1 :]


def sequence_concat(seq, axis, stack=False):
    return mx.stack(seq, axis=axis) if stack else mx.concatenate(seq, axis=axis)


def sequence_split(x, axis, sizes):
    return split(x, sizes, axis)
