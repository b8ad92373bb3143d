"""TorchScript files in torch.jit, .pt2 files through torch.export."""
import numpy as np
import torch

import names
import structures
import tensors

TORCH_BITS = {"BF16": torch.bfloat16, "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}
BITS_OF = {value: key for key, value in TORCH_BITS.items()}


def to_torch(value):
    if isinstance(value, tensors.Bits):
        signed = value.array.view(np.int16 if value.array.dtype == np.uint16 else np.uint8)
        return torch.from_numpy(signed).view(TORCH_BITS[value.code])
    return torch.from_numpy(np.asarray(value))


def to_numpy(value):
    if isinstance(value, torch.Tensor):
        value = value.detach().resolve_conj().resolve_neg().contiguous()
        code = BITS_OF.get(value.dtype)
        if code is None:
            return value.numpy()
        wide = code == "BF16"
        array = value.view(torch.int16 if wide else torch.uint8).numpy()
        return tensors.Bits(code, array.view(np.uint16) if wide else array)
    kind = {bool: np.bool_, int: np.int64, float: np.float64, complex: np.complex64}.get(type(value))
    if kind is None:
        raise ValueError(f"an output of type {type(value).__name__}")
    return np.asarray(value, dtype=kind)


class TorchModel:
    """What both kinds share: calling with named values, naming the results."""

    def __init__(self, path, threads):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.path = path
        self.versions = {"name": "torch", "version": torch.__version__}
        self.reset()

    def run(self, prepared, layers=False):
        args, kwargs = prepared
        with torch.no_grad():
            if layers:
                return self.run_layers(args, kwargs)
            plain = names.named_leaves(self.module(*args, **kwargs))
        self.outputs = list(plain)
        return plain

    def to_numpy(self, name, value):
        return to_numpy(value)


class TorchScriptModel(TorchModel):
    def reset(self):
        """Loads the file again: state that a run left in attributes is gone."""
        self.module = torch.jit.load(self.path, map_location="cpu").eval()
        self.arguments = self.module.forward.schema.arguments[1:]
        self.inputs = {a.name: (str(a.type), None) for a in self.arguments}

    def prepare(self, values):
        unknown = set(values) - set(self.inputs)
        if unknown:
            raise ValueError(f"no input named {sorted(unknown)}; forward takes {list(self.inputs)}")
        kwargs = {}
        for argument in self.arguments:
            if argument.name in values:
                kwargs[argument.name] = as_type(to_torch(values[argument.name]), str(argument.type))
            elif not argument.has_default_value():
                raise ValueError(f"input {argument.name} is missing")
        return (), kwargs

    def run_layers(self, args, kwargs):
        """Every tensor that a node outside If and Loop makes, under its name in the inlined graph."""
        graph = self.module.inlined_graph.copy()
        # Results of If and Loop may be uninitialised on the path taken.
        nodes = [node for node in graph.nodes() if node.kind() not in ("prim::If", "prim::Loop", "prim::Uninitialized")]
        made = [value for node in nodes for value in node.outputs() if str(value.type()).startswith("Tensor")]
        plain = names.named_leaves(self.module(*args, **kwargs))
        self.outputs = list(plain)
        whole = graph.insertNode(graph.create("prim::TupleConstruct", made, 1))
        whole.output().setType(torch._C.TupleType([value.type() for value in made]))
        for _ in list(graph.outputs()):
            graph.eraseOutput(0)
        graph.registerOutput(whole.output())
        layered = torch._C._create_function_from_graph("forward", graph)
        self.reset()  # the plain run may have changed the state
        positional = [kwargs[a.name] if a.name in kwargs else a.default_value for a in self.arguments]
        results = layered(self.module._c, *positional)
        found = {value.debugName(): result.clone() for value, result in zip(made, results)}
        return plain | {name: value for name, value in found.items() if name not in plain}


def as_type(value, kind):
    if kind in ("int", "float", "bool", "number", "Scalar"):
        return value.item()
    if kind in ("List[int]", "List[float]", "List[bool]"):
        return value.tolist()
    return value


class ExportedModel(TorchModel):
    def reset(self):
        structures.import_known(self.path)
        self.program = torch.export.load(self.path)
        self.module = self.program.module()
        self.user_inputs = list(self.program.graph_signature.user_inputs)
        self.constants = {str(i): i for i in self.user_inputs if not isinstance(i, str)}
        self.placeholders = [s.arg.name for s in self.program.graph_signature.input_specs
                             if s.kind == torch.export.graph_signature.InputKind.USER_INPUT]
        meta = {n.name: n.meta.get("val") for n in self.program.graph.nodes if n.op == "placeholder"}
        self.inputs = {name: (str(getattr(meta.get(name), "dtype", type(meta.get(name)).__name__)),
                              [str(d) for d in getattr(meta.get(name), "shape", [])]) for name in self.placeholders}
        self.meta = meta

    def prepare(self, values):
        unknown = set(values) - set(self.placeholders)
        if unknown:
            raise ValueError(f"no input named {sorted(unknown)}; the program has {self.placeholders}")
        flat = []
        specs = [s for s in self.program.graph_signature.input_specs if s.arg.name in set(self.placeholders)]
        for spec in specs:
            name = spec.arg.name
            if name in values:
                value = to_torch(values[name])
                is_tensor = isinstance(self.meta.get(name), torch.Tensor)
                flat.append(value if is_tensor else value.item())
            elif hasattr(spec.arg, "value"):
                flat.append(spec.arg.value)  # a constant of the export: None, a number, a string
            else:
                raise ValueError(f"input {name} is missing")
        return torch.utils._pytree.tree_unflatten(flat, self.program.call_spec.in_spec)

    def run_layers(self, args, kwargs):
        """Every tensor that a node of the top graph makes, under its name in the exported program."""
        found = {}

        class Recorder(torch.fx.Interpreter):
            def run_node(self, node):
                result = super().run_node(node)
                if isinstance(result, torch.Tensor) and node.op not in ("placeholder", "output", "get_attr"):
                    found[node.name] = result.clone()
                return result

        flat = torch.utils._pytree.tree_leaves((args, kwargs), is_leaf=lambda leaf: leaf is None)
        recorder = Recorder(self.module)
        result = recorder.run(*flat, enable_io_processing=False)
        spec = self.program.call_spec.out_spec
        plain = names.named_leaves(torch.utils._pytree.tree_unflatten(list(result), spec))
        self.outputs = list(plain)
        return plain | {name: value for name, value in found.items() if name not in plain}
