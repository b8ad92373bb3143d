"""Example inputs of models in the layout of transformers, by the name of their main input. Batch and length of text and
audio are dynamic; images have the size that the configuration says."""
import torch

from specs import Mistake, Spec

BATCH, LENGTH, SAMPLES = 2, 8, 16000


def defaults(model, config):
    """(specs, values by name) where the user says nothing."""
    main = model.main_input_name
    if main == "input_ids":
        return text(model, config)
    if main == "pixel_values":
        return image(config)
    if main == "input_values":
        return one("input_values=batch,length", (BATCH, SAMPLES))
    if main == "input_features":
        bins, frames = part(config, "num_mel_bins", 80), 2 * part(config, "max_source_positions", 1500)
        specs, values = one(f"input_features=batch,{bins},{frames}", (BATCH, bins, frames))
        return with_decoder(specs, values, config)
    raise Mistake(f"no example inputs are known for {main}: give --input {main}=SHAPE")


def image(config):
    size, channels = part(config, "image_size", 224), part(config, "num_channels", 3)
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    return one(f"pixel_values=batch,{channels},{height},{width}", (BATCH, channels, height, width))


def text(model, config):
    import inspect
    taken = inspect.signature(model.forward).parameters
    specs, values = [Spec("input_ids=batch,length:int64")], {"input_ids": token_ids(config, 0)}
    if "attention_mask" in taken:
        mask = torch.ones(BATCH, LENGTH, dtype=torch.int64)
        mask[-1, -2:] = 0  # padding, so that the golden depends on the mask
        specs.append(Spec("attention_mask=batch,length:int64"))
        values["attention_mask"] = mask
    if "pixel_values" in taken and hasattr(config, "vision_config"):  # text and images side by side
        image_specs, image_values = image(config)
        specs, values = specs + image_specs, values | image_values
    if config.is_encoder_decoder and "decoder_input_ids" in taken:
        return with_decoder(specs, values, config)
    return specs, values


def with_decoder(specs, values, config):
    if config.is_encoder_decoder:
        specs = specs + [Spec("decoder_input_ids=batch,decoder_length:int64")]
        values = values | {"decoder_input_ids": token_ids(config, 1)[:, :5]}
    return specs, values


def one(spec, shape):
    spec = Spec(spec)
    return [spec], {spec.name: torch.randn(shape, generator=torch.Generator().manual_seed(0))}


def token_ids(config, seed):
    words = part(config, "vocab_size", 2)
    lowest = 5 if words > 10 else 0  # beyond what is usually padding and other special tokens
    return torch.randint(lowest, words, (BATCH, LENGTH), generator=torch.Generator().manual_seed(seed))


def part(config, key, otherwise):
    """A size, wherever a nested configuration keeps it."""
    holders = [config] + [getattr(config, name, None) for name in ("vision_config", "text_config", "audio_config",
                                                                   "encoder", "decoder")]
    for holder in holders:
        value = getattr(holder, key, None)
        if value is not None:
            return value
    return otherwise
