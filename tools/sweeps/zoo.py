"""The models of the sweeps: names, and for each a module with random weights and example inputs."""
import random

import torch

import transformers_zoo
from zoo_common import Skip, first_that_runs, noise, randomize  # noqa: F401  Skip is for users of this module

TIMM_COUNT = 200
DETECTION = ("rcnn", "retinanet", "ssd", "fcos")


def warm_up(source):
    """Imports in the parent what every model of the source needs, and exports once: forked children find it loaded."""
    import torchvision_schemas  # noqa: F401  before transformers and timm, which import torchvision
    import torch.onnx
    if source == "transformers":
        import transformers.image_processing_utils  # noqa: F401
        import transformers.models.auto.modeling_auto  # noqa: F401
        transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    with torch.no_grad():
        torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),), strict=False)


# torchvision ---------------------------------------------------------------------------------------------------------

def torchvision_names():
    import torchvision_schemas  # noqa: F401
    import torchvision
    return [n for n in torchvision.models.list_models() if not any(word in n for word in DETECTION)]


def torchvision_model(name):
    import torchvision_schemas  # noqa: F401
    import torchvision
    torch.manual_seed(0)
    options = {"weights": None}
    module = torchvision.models.get_model_builder(name).__module__
    if "segmentation" in module:
        options["weights_backbone"] = None
    if name in ("inception_v3", "googlenet", "quantized_inception_v3", "quantized_googlenet"):
        options |= {"init_weights": False, "aux_logits": False} if "quantized" not in name else {"init_weights": False}
    model = randomize(torchvision.models.get_model(name, **options))
    if "optical_flow" in module:
        candidates = [((noise(1, 3, 128, 128), noise(1, 3, 128, 128)), {})]
    elif "video" in module:
        candidates = [((noise(1, 3, *size),), {}) for size in ((8, 64, 64), (16, 64, 64), (16, 224, 224))]
    else:
        sizes = (224, 299) if name.startswith(("vit", "maxvit", "swin")) else (96, 128, 224, 299)
        candidates = [((noise(1, 3, size, size),), {}) for size in sizes]
    return model, *first_that_runs(model, candidates)


# timm ----------------------------------------------------------------------------------------------------------------

def timm_names():
    import torchvision_schemas  # noqa: F401
    import timm
    return sorted(random.Random(0).sample(sorted(timm.list_models()), TIMM_COUNT))


def timm_model(name):
    import torchvision_schemas  # noqa: F401
    import timm
    torch.manual_seed(0)
    model = randomize(timm.create_model(name, pretrained=False))
    channels, *size = model.default_cfg["input_size"]
    sizes = [tuple(size)] if model.default_cfg.get("fixed_input_size") else [(96, 96), (128, 128), tuple(size)]
    return model, *first_that_runs(model, [((noise(1, channels, *s),), {}) for s in sizes])


# ---------------------------------------------------------------------------------------------------------------------

SOURCES = {
    "torchvision": (torchvision_names, torchvision_model),
    "timm": (timm_names, timm_model),
    "transformers": (transformers_zoo.names, transformers_zoo.model),
}
SLICE = {
    "torchvision": ["mnasnet0_5", "mobilenet_v3_small", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t"],
    "timm": ["convnext_atto", "mobilevitv2_050", "regnetx_002"],
    "transformers": ["bert", "gpt2", "llama", "vit"],
}
