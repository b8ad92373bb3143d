"""The models of the sweeps: names, and for each a module with random weights and example inputs.

Weights are random but never degenerate: a parameter whose elements are all equal (zero-initialised projections, layer
scales, norms) is perturbed, and running statistics of norms are drawn, so that no layer can be wrong unseen.
"""
import random

import torch

TIMM_COUNT = 200
DETECTION = ("rcnn", "retinanet", "ssd", "fcos")


class Skip(Exception):
    """The model cannot be built or run here: no statement about us."""


def randomize(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point() and parameter.numel() and bool((parameter == parameter.flatten()[0]).all()):
                parameter.add_(torch.randn(parameter.shape, generator=generator).to(parameter.dtype) * 0.1)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.1)
            elif name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return model.eval()


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif hasattr(value, "items"):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)


def run(model, args, kwargs):
    with torch.no_grad():
        result = model(*args, **kwargs)
    for tensor in tensors_in(result):
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise Skip("the original itself gives NaN or infinities")
    return result


def first_that_runs(model, candidates):
    """The first example inputs that the model accepts."""
    reason = "no candidate inputs"
    for args, kwargs in candidates:
        try:
            run(model, args, kwargs)
            return args, kwargs
        except Skip:
            raise
        except Exception as error:  # a size that does not fit this architecture
            reason = f"{type(error).__name__}: {error}"
    raise Skip(f"no example inputs fit: {reason[:300]}")


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


# transformers --------------------------------------------------------------------------------------------------------

SMALL = {
    "vocab_size": 300, "hidden_size": 32, "d_model": 32, "n_embd": 32, "dim": 32, "embed_dim": 32, "embedding_size": 32,
    "num_hidden_layers": 2, "n_layer": 2, "n_layers": 2, "num_layers": 2, "encoder_layers": 2, "decoder_layers": 2,
    "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64, "ffn_dim": 64, "d_ff": 64,
    "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "hidden_dim": 64, "d_kv": 8, "head_dim": 8,
    "max_position_embeddings": 128, "n_positions": 128, "num_experts": 4, "num_local_experts": 4, "image_size": 32,
    "patch_size": 8, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}


def transformers_names():
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES
    return sorted(name for name in CONFIG_MAPPING_NAMES if name in MODEL_MAPPING_NAMES)


def shrink(config):
    """Small sizes wherever the configuration has that field and takes the value; nested configurations too."""
    for key, value in vars(config).copy().items():
        if hasattr(value, "to_dict") and hasattr(value, "model_type"):
            shrink(value)
        elif key in SMALL and isinstance(value, int) and not isinstance(value, bool):
            try:
                setattr(config, key, SMALL[key])
            except Exception:  # a read-only property of this configuration
                pass
    layer_types = getattr(config, "layer_types", None)
    if isinstance(layer_types, list):
        config.layer_types = layer_types[:2]
    return config


def sizes_of(config):
    found = {}
    for key in ("image_size", "num_channels", "num_mel_bins", "feature_size"):
        for holder in (config, getattr(config, "vision_config", None), getattr(config, "audio_config", None)):
            value = getattr(holder, key, None)
            if isinstance(value, (list, tuple)):
                value = value[0]
            if isinstance(value, int) and key not in found:
                found[key] = value
    return found


def transformers_candidates(model, config):
    ids = torch.arange(8).reshape(1, 8) % 7 + 3
    sizes = sizes_of(config)
    image = noise(1, sizes.get("num_channels", 3), *([sizes.get("image_size", 32)] * 2))
    big = noise(1, sizes.get("num_channels", 3), 224, 224)
    mel = sizes.get("num_mel_bins", 80)
    by_name = {
        "input_ids": [ids], "pixel_values": [image, big], "input_values": [noise(1, 4000)],
        "input_features": [noise(1, mel, 3000), noise(1, 100, mel)], "pixel_values_videos": [noise(1, 8, 3, 32, 32)],
    }
    plain = {"use_cache": False} if hasattr(config, "use_cache") else {}
    for value in by_name.get(getattr(model, "main_input_name", "input_ids"), [ids]):
        main = {model.main_input_name: value}
        yield (), main | plain
        yield (), main
        yield (), main | {"decoder_input_ids": ids} | plain
        yield (), main | {"input_ids": ids}
        yield (), main | {"input_ids": ids, "pixel_values": image}


def transformers_model(name):
    from transformers import AutoConfig, AutoModel
    torch.manual_seed(0)
    try:
        config = shrink(AutoConfig.for_model(name))
        model = randomize(AutoModel.from_config(config, attn_implementation="sdpa").float())
    except Exception:
        try:
            model = randomize(AutoModel.from_config(config).float())
        except Exception as error:
            raise Skip(f"does not build: {type(error).__name__}: {str(error)[:300]}") from error
    if sum(p.numel() for p in model.parameters()) > 200e6:
        raise Skip("the configuration does not get small")
    return model, *first_that_runs(model, transformers_candidates(model, config))


SOURCES = {
    "torchvision": (torchvision_names, torchvision_model),
    "timm": (timm_names, timm_model),
    "transformers": (transformers_names, transformers_model),
}
SLICE = {
    "torchvision": ["mnasnet0_5", "mobilenet_v3_small", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t"],
    "timm": ["convnext_atto", "mobilevitv2_050", "regnetx_002"],
    "transformers": ["bert", "gpt2", "llama", "vit"],
}
