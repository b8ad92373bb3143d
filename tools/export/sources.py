"""Where a model comes from: a Python file that the user names, or a folder in the layout of transformers."""
import ast
import importlib.util
import json
import os
import sys
import traceback

import torch

from specs import Mistake


class Source:
    """A model ready for export, with what its author says about inputs."""

    def __init__(self, model, what, example=None, specs=()):
        self.model = model.eval()
        self.what = what        # for people: "Net() of net.py"
        self.example = example  # (args, kwargs), or None
        self.specs = specs      # default --input specs, and their values by name
        self.values = {}


# A Python file ----------------------------------------------------------------------------------------------------

def from_file(path, factory, weights):
    if not factory:
        raise Mistake(f"{path} is Python: say with --model-class what makes the model, a class or a function"
                      f"{candidates(path)}")
    name, args, kwargs = parse_factory(factory)
    module = load_module(path)
    try:
        made = module
        for part in name.split("."):
            made = getattr(made, part)
    except AttributeError:
        raise Mistake(f"{path} has no {name}{candidates(path)}") from None
    if callable(made) and not isinstance(made, torch.nn.Module):
        torch.manual_seed(0)  # weights that are random are the same for every call
        made = guarded(path, f"{name}()", lambda: made(*args, **kwargs))
    if not isinstance(made, torch.nn.Module):
        raise Mistake(f"{name} of {path} gives a {type(made).__name__}, not a torch.nn.Module")
    if weights:
        load_weights(made, weights)
    return Source(made, f"{factory} of {os.path.basename(path)}", example_of(module, made, path))


def parse_factory(text):
    """Net, models.Net, or Net(width=2, depths=[1, 2]): a name, with literals for arguments."""
    try:
        tree = ast.parse(text, mode="eval").body
        if isinstance(tree, ast.Call):
            args = [ast.literal_eval(a) for a in tree.args]
            kwargs = {k.arg: ast.literal_eval(k.value) for k in tree.keywords}
            tree = tree.func
        else:
            args, kwargs = [], {}
        name = ast.unparse(tree)
        if all(part.isidentifier() for part in name.split(".")):
            return name, args, kwargs
    except (SyntaxError, ValueError):
        pass
    raise Mistake(f"--model-class {text}: a name is expected, or a call with plain values: Net, Net(width=2)")


def candidates(path):
    """The classes and functions that stand in the file, read without running it."""
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return ""
    names = [node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    names = [name for name in names if not name.startswith("_") and name != "example_inputs"]
    return f"; the file has {', '.join(names)}" if names else ""


def load_module(path):
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))  # its neighbours
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    guarded(path, "importing it", lambda: spec.loader.exec_module(module))
    return module


def guarded(path, doing, action):
    """Runs the user's code; what goes wrong there is reported with its place."""
    try:
        return action()
    except Exception as error:
        raise Mistake(f"{path}: {doing} fails: {type(error).__name__}: {error}{place_in(path, error)}") from error


def place_in(path, error):
    folder = os.path.dirname(os.path.abspath(path))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if os.path.abspath(frame.filename).startswith(folder + os.sep):
            return f" ({os.path.relpath(frame.filename, folder)}:{frame.lineno})"
    return ""


def example_of(module, model, path):
    """What example_inputs() of the file or of the model gives: a tensor, a tuple of them, or a dict by name."""
    for holder in (model, module):
        function = getattr(holder, "example_inputs", None)
        if callable(function):
            found = guarded(path, "example_inputs()", function)
            if isinstance(found, dict):
                return (), found
            if isinstance(found, (tuple, list)):
                return tuple(found), {}
            return (found,), {}
    return None


def load_weights(model, path):
    if path.endswith(".safetensors"):
        try:
            from safetensors.torch import load_file
        except ImportError:
            raise Mistake(f"reading {path} needs safetensors: {sys.executable} -m pip install safetensors") from None
        state = load_file(path)
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise Mistake(f"the weights of {path} do not fit: {str(error)[:600]}") from None


# A folder in the layout of transformers ---------------------------------------------------------------------------

def from_folder(path, factory, input_specs):
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}  # what the folder lacks is not fetched
    with open(os.path.join(path, "config.json"), encoding="utf-8") as file:
        described = json.load(file)
    hide_broken_torchvision()
    try:
        import transformers
    except ImportError:
        raise Mistake(f"a model folder needs transformers: {sys.executable} -m pip install transformers") from None
    kind = described.get("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        own = " (it would run code of its own, auto_map, which is not done)" if "auto_map" in described else ""
        raise Mistake(f"{path}: transformers {transformers.__version__} has no model_type {kind!r}{own}; if you trust a "
                      "Python file that builds it, name that file with --model-class")
    config = transformers.AutoConfig.from_pretrained(path, trust_remote_code=False, local_files_only=True)
    for part in (config, getattr(config, "text_config", None)):
        if hasattr(part, "use_cache"):
            part.use_cache = False
    model_class = class_for(transformers, config, factory)
    options = {"config": config, "trust_remote_code": False, "local_files_only": True, "dtype": torch.float32}
    if model_class.__name__.startswith("Auto") is False:
        options.pop("trust_remote_code")
    try:
        model = model_class.from_pretrained(path, attn_implementation="sdpa", **options)
    except (ValueError, ImportError):
        model = guarded(path, model_class.__name__, lambda: model_class.from_pretrained(path, **options))
    source = Source(model, f"{type(model).__name__} of {path}")
    if not input_specs:
        import text_inputs
        source.specs, source.values = text_inputs.defaults(model, config)
    return source


def hide_broken_torchvision():
    """One that was built for another torch does not load; models of text can do without."""
    try:
        import torchvision  # noqa: F401
    except Exception:
        sys.modules["torchvision"] = None


def class_for(transformers, config, factory):
    if factory:
        found = getattr(transformers, factory, None)
        if found is None:
            raise Mistake(f"transformers {transformers.__version__} has no class {factory}")
        return found
    for name in config.architectures or []:
        if hasattr(transformers, name):
            return getattr(transformers, name)
    return transformers.AutoModel
