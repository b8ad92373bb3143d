"""What the user says about inputs, and example tensors that fit it.

NAME=SHAPE[:DTYPE]: a shape is numbers and names of dynamic dimensions ("batch,3,224,224"). NAME=VALUE: a Python number.
"""
import inspect

import torch

DTYPES = {
    "bool": torch.bool, "u8": torch.uint8, "uint8": torch.uint8, "i8": torch.int8, "int8": torch.int8,
    "i16": torch.int16, "int16": torch.int16, "i32": torch.int32, "int32": torch.int32, "i64": torch.int64,
    "int64": torch.int64, "f16": torch.float16, "float16": torch.float16, "bf16": torch.bfloat16,
    "bfloat16": torch.bfloat16, "f32": torch.float32, "float32": torch.float32, "f64": torch.float64,
    "float64": torch.float64, "c64": torch.complex64, "complex64": torch.complex64,
}
# torch.export specialises lengths of 0 and 1, and may take equal lengths for one.
BATCH, LENGTHS, PIXELS = 2, (8, 12, 16, 20), (64, 96, 128)


class Mistake(Exception):
    """Something that the user can put right; the message says how."""


class Spec:
    """One --input."""

    def __init__(self, text):
        self.text = text
        self.name, equals, rest = text.rpartition("=")
        if not equals or not self.name:
            raise Mistake(f"--input expects NAME=SHAPE[:DTYPE], given '{text}'")
        shape, colon, dtype = rest.partition(":")
        if colon and dtype not in DTYPES:
            raise Mistake(f"--input {text}: '{dtype}' is no dtype; there are {', '.join(d for d in DTYPES if len(d) > 4)}")
        self.dtype = DTYPES[dtype] if colon else None
        self.number = as_number(rest)
        self.shape = None
        if self.number is None or (isinstance(self.number, int) and self.number >= 0):
            self.shape = [self.dimension(d.strip()) for d in shape.split(",")] if shape else []

    def dimension(self, text):
        if text.isdigit():
            return int(text)
        if text.isidentifier():
            return text
        raise Mistake(f"--input {self.text}: '{text}' is neither a length nor the name of a dynamic dimension")

    def symbols(self):
        return [d for d in self.shape or [] if isinstance(d, str)]


def as_number(text):
    words = {"true": True, "True": True, "false": False, "False": False}
    if text in words:
        return words[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return None


def symbol_sizes(specs, given):
    """A length for every symbol, in the order in which they come."""
    sizes, lengths, pixels = dict(given), iter(LENGTHS * 8), iter(PIXELS * 8)
    for spec in specs:
        for axis, symbol in enumerate(spec.shape or []):
            if not isinstance(symbol, str) or symbol in sizes:
                continue
            is_image = len(spec.shape) >= 4 and axis >= len(spec.shape) - 2
            sizes[symbol] = BATCH if axis == 0 else next(pixels if is_image else lengths)
    return sizes


def random_tensor(shape, dtype, generator, high=2):
    if dtype is None or dtype.is_floating_point or dtype.is_complex:
        return torch.randn(shape, generator=generator, dtype=torch.float32).to(dtype or torch.float32)
    return torch.randint(0, high, shape, generator=generator).to(dtype)


def parameters_of(model):
    """Of forward, by name; None where it takes anything (*args)."""
    found = inspect.signature(model.forward).parameters
    return {name: p for name, p in found.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def takes_any(model):
    return any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in inspect.signature(model.forward).parameters.values())


def is_number_parameter(parameter):
    """Whether forward wants a Python number there, as far as one can see."""
    if parameter is None:
        return False
    return parameter.annotation in (int, float, bool, "int", "float", "bool") or (
        isinstance(parameter.default, (int, float)))


def values_of(specs, sizes, model):
    """Example values by input name, random ones from a fixed seed."""
    generator, parameters, values = torch.Generator().manual_seed(0), parameters_of(model), {}
    for spec in specs:
        if spec.name not in parameters and not takes_any(model):
            raise Mistake(f"forward has no input called {spec.name}; it takes {', '.join(parameters) or 'none'}")
        is_number = spec.number is not None and (spec.shape is None or is_number_parameter(parameters.get(spec.name)))
        if is_number:
            values[spec.name] = spec.number
        else:
            shape = [sizes[d] if isinstance(d, str) else d for d in spec.shape]
            values[spec.name] = random_tensor(shape, spec.dtype, generator)
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in values]
    if missing:
        raise Mistake("forward also takes " + ", ".join(missing) + ": give " + " ".join(f"--input {n}=SHAPE" for n in missing))
    return values


def as_call(model, values):
    """(args, kwargs): by position as long as no parameter is left out, by keyword from there on."""
    args, kwargs, rest = [], {}, dict(values)
    for name, parameter in parameters_of(model).items():
        if name not in rest or parameter.kind == parameter.KEYWORD_ONLY:
            break
        args.append(rest.pop(name))
    any_positional = any(p.kind == p.VAR_POSITIONAL for p in inspect.signature(model.forward).parameters.values())
    if any_positional and len(args) == len(parameters_of(model)):
        args.extend(rest.values())
    else:
        kwargs = rest
    return tuple(args), kwargs
