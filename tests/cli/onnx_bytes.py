"""ONNX files from plain values, so that broken ones can be made without the onnx package."""


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, value):
    """One field of a message: an integer, or bytes (text, a message, packed numbers)."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def node(op, inputs, outputs, domain="", attributes=()):
    parts = [field(1, i) for i in inputs] + [field(2, o) for o in outputs] + [field(3, op.lower() + "_" + outputs[0])]
    parts += [field(4, op)] + [field(5, a) for a in attributes]
    return b"".join(parts) + (field(7, domain) if domain else b"")


def graph_attribute(name, nodes, inputs=(), outputs=()):
    """A subgraph: the attribute of an If, Loop or Scan."""
    graph = b"".join(field(1, n) for n in nodes) + field(2, name)
    graph += b"".join(field(11, i) for i in inputs) + b"".join(field(12, o) for o in outputs)
    return field(1, name) + field(6, graph) + field(20, 5)


def tensor(name, shape, raw=None, external=None, dtype=1):
    out = b"".join(field(1, d) for d in shape) + field(2, dtype) + field(8, name)
    if raw is not None:
        out += field(9, raw)
    if external is not None:
        for key, value in external.items():
            out += field(13, field(1, key) + field(2, str(value)))
        out += field(14, 1)
    return out


def value(name, shape, dtype=1):
    dims = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, dims)))


def model(nodes, inputs, outputs, weights=(), opset=17):
    graph = b"".join(field(1, n) for n in nodes) + field(2, "main") + b"".join(field(5, w) for w in weights)
    graph += b"".join(field(11, i) for i in inputs) + b"".join(field(12, o) for o in outputs)
    return field(1, 8) + field(2, "godwit tests") + field(7, graph) + field(8, field(1, "") + field(2, opset))
