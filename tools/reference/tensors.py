"""Named tensors in .safetensors files, as NumPy arrays, with nothing but NumPy installed.

bfloat16 and the 8-bit floats have no NumPy type: they travel as `Bits`, an unsigned array with the dtype's name.
"""
import json
import struct

import numpy as np

CODES = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "U32": np.uint32,
    "I32": np.int32, "U64": np.uint64, "I64": np.int64, "F16": np.float16, "F32": np.float32, "F64": np.float64,
    "C64": np.complex64,
}
NAMES = {np.dtype(value): key for key, value in CODES.items()}
BIT_CODES = {"BF16": np.uint16, "F8_E4M3": np.uint8, "F8_E5M2": np.uint8}
MAX_HEADER = 100 << 20


class Bits:
    """Elements of a dtype that NumPy lacks, as their bit patterns."""

    def __init__(self, code, array):
        self.code, self.array = code, array
        self.shape = array.shape

    def __getitem__(self, index):
        return Bits(self.code, self.array[index])


def load(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > MAX_HEADER:
            raise ValueError(f"{path}: header of {size} bytes")
        header = json.loads(file.read(size))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        code = entry["dtype"]
        dtype = CODES.get(code) or BIT_CODES.get(code)
        if dtype is None:
            raise ValueError(f"{path}: tensor {name} has dtype {code}")
        array = np.frombuffer(data[begin:end], dtype=dtype).reshape(entry["shape"]).copy()
        tensors[name] = Bits(code, array) if code in BIT_CODES else array
    return tensors


def save(path, tensors, metadata=None):
    header, blobs, offset = {}, [], 0
    if metadata:
        header["__metadata__"] = {key: str(value) for key, value in metadata.items()}
    for name, value in tensors.items():
        bits = isinstance(value, Bits)
        array = np.asarray(value.array if bits else value)
        code = value.code if bits else NAMES.get(array.dtype)
        if code is None:
            raise ValueError(f"tensor {name}: no safetensors dtype for {array.dtype}")
        shape = list(array.shape)  # before ascontiguousarray, which turns 0-d into 1-d
        blob = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for blob in blobs:
            file.write(blob)
