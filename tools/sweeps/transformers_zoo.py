"""Every model type of transformers that has a base model, with a tiny random configuration and inputs that it accepts.

A configuration is made small in up to three ways, the smallest that builds and runs is taken: all sizes, depth and
vocabulary only, nothing. Inputs are found from the names of forward's arguments.
"""
import inspect
import itertools
import time

import torch

from zoo_common import Skip, noise, randomize, run

LIMIT = 100e6  # parameters
PATIENCE = 15  # seconds of processor time for looking for inputs
DEPTH = {
    "vocab_size": 300, "n_words": 300, "vocab_size_per_layer_input": 300, "num_hidden_layers": 2, "n_layer": 2,
    "n_layers": 2, "num_layers": 2, "encoder_layers": 2, "decoder_layers": 2, "depth": 2, "num_encoder_layers": 2,
    "num_decoder_layers": 2, "encoder_num_hidden_layers": 2, "decoder_num_hidden_layers": 2, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "num_nextn_predict_layers": 0,
    "num_kv_shared_layers": 0,
}
WIDTH = {
    "hidden_size": 64, "d_model": 64, "n_embd": 64, "dim": 64, "embed_dim": 64, "embedding_size": 64, "hidden_dim": 64,
    "encoder_hidden_size": 64, "out_hidden_size": 64, "in_hidden_size": 64, "text_hidden_size": 64,
    "vision_hidden_size": 64, "projection_dim": 64, "cross_attention_hidden_size": 64, "upsample_groups": 64,
    "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_num_attention_heads": 4, "decoder_num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "d_kv": 16, "qk_rope_head_dim": 16, "qk_nope_head_dim": 16,
    "v_head_dim": 16, "q_lora_rank": 32, "kv_lora_rank": 32, "intermediate_size": 128, "ffn_dim": 128, "d_ff": 128,
    "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "moe_intermediate_size": 64, "shared_expert_intermediate_size": 64,
    "max_position_embeddings": 128, "n_positions": 128, "num_experts": 16, "num_local_experts": 16,
    "n_routed_experts": 16, "moe_num_experts": 16, "num_experts_per_tok": 2, "num_experts_per_token": 2, "moe_topk": 2,
    "moe_k": 2, "n_group": 1, "topk_group": 1, "image_size": 32, "patch_size": 8, "mamba_n_heads": 8,
    "mamba_d_head": 16, "mamba_d_state": 16, "mamba_d_ssm": 128, "linear_num_value_heads": 4, "linear_num_key_heads": 2,
    "linear_key_head_dim": 16, "linear_value_head_dim": 16, "rotary_dim": 16, "emb_dim": 64,
    "cross_hidden_size": 64, "cross_head_dim": 16, "cross_num_attention_heads": 4, "cross_num_key_value_heads": 4,
}
# What must be said: also set where it is None.
REQUIRED = {"head_dim": 16, "vocab_size": 300, "num_key_value_heads": 2, "pad_token_id": 0, "num_experts_per_tok": 2,
            "n_routed_experts": 16, "num_experts": 16, "n_shared_experts": 1, "top_k_experts": 2, "n_group": 1,
            "topk_group": 1, "moe_intermediate_size": 64, "prediction_length": 8, "context_length": 16,
            "vocabulary_map": {"<image>": 4, "IMGIMGA": 5, "IMGIMGB": 6}}


def names():
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES
    return sorted(name for name in CONFIG_MAPPING_NAMES if name in MODEL_MAPPING_NAMES)


# configurations ------------------------------------------------------------------------------------------------------

def assign(config, key, value):
    try:
        setattr(config, key, value)
    except Exception:  # a read-only property of this configuration
        pass


def kept_layers(config, depth):
    """Layers that stay: the first of every kind (attention, recurrent, sparse ...), at least two."""
    lists = [v for v in vars(config).values() if isinstance(v, list) and len(v) == depth and depth > 2]
    kinds, kept = set(), []
    for i in range(depth):
        kind = tuple(str(v[i]) for v in lists)
        if kind not in kinds and len(kinds) < 4:
            kinds.add(kind)
            kept.append(i)
    while len(kept) < min(2, depth):
        kept.append(next(i for i in range(depth) if i not in kept))
    return sorted(kept)


def shrink_sections(config):
    """Rotary sections of several axes add up to half of the rotated part of a head; other models ignore them."""
    rope, fields = getattr(config, "rope_parameters", None), vars(config)
    if not isinstance(rope, dict) or "rope_type" not in rope or not fields.get("num_attention_heads"):
        return
    head = fields.get("head_dim") or fields["hidden_size"] // fields["num_attention_heads"]
    half = int(head * (rope.get("partial_rotary_factor") or 1)) // 2
    third = half // 3
    rope["mrope_section"] = [half - 2 * third, third, third]


def shrink(config, sizes):
    """Small sizes wherever the configuration has that field and takes the value; nested configurations too."""
    depth = getattr(config, "num_hidden_layers", None)
    grouped = vars(config).get("num_key_value_heads") != vars(config).get("num_attention_heads")
    kept = kept_layers(config, depth) if isinstance(depth, int) and "num_hidden_layers" in sizes else None
    for key, value in vars(config).copy().items():
        if hasattr(value, "to_dict") and hasattr(value, "model_type"):
            shrink(value, sizes)
        elif isinstance(value, list) and kept and len(value) == depth and depth > 2:
            assign(config, key, [value[i] for i in kept])
        elif key in sizes and isinstance(value, int) and not isinstance(value, bool):
            assign(config, key, sizes[key])
        elif value is None and key in REQUIRED and sizes:
            assign(config, key, REQUIRED[key])
        elif key == "use_cache":
            assign(config, key, False)
    if kept:
        assign(config, "num_hidden_layers", len(kept))
    if "hidden_size" in sizes:
        if not grouped and "num_key_value_heads" in vars(config):
            assign(config, "num_key_value_heads", vars(config)["num_attention_heads"])
        shrink_sections(config)
    return config


def build(name, sizes, attention):
    """The model, or None where it does not get small."""
    from transformers import AutoConfig, AutoModel

    def make():
        options = {"attn_implementation": attention} if attention else {}
        return AutoModel.from_config(shrink(AutoConfig.for_model(name), sizes), **options)
    try:
        with torch.device("meta"):
            if sum(p.numel() for p in make().parameters()) > LIMIT:
                return None
    except (NotImplementedError, RuntimeError):  # needs real numbers while it is built
        pass
    torch.manual_seed(0)
    model = make()
    return randomize(model.float()) if sum(p.numel() for p in model.parameters()) <= LIMIT else None


# inputs --------------------------------------------------------------------------------------------------------------

def field(config, *keys):
    """The first of these fields that the configuration or one nested in it has."""
    holders = [config] + [v for v in vars(config).values() if hasattr(v, "model_type")]
    for key in keys:
        for holder in holders:
            value = getattr(holder, key, None)
            if isinstance(value, (list, tuple)) and value and isinstance(value[0], int):
                return value[0]
            if isinstance(value, int) and not isinstance(value, bool):
                return value
    return None


def image_sides(config):
    for holder in [config] + [v for v in vars(config).values() if hasattr(v, "model_type")]:
        value = getattr(holder, "image_size", None)
        if isinstance(value, (list, tuple)) and len(value) == 2:
            return value
        if isinstance(value, int):
            return value, value
    return 32, 32


def values_of(config):
    """For each argument name the values worth trying, the likeliest first."""
    ids = torch.arange(8).reshape(1, 8) % 7 + 3
    ones = torch.ones(1, 8, dtype=torch.long)
    channels, size = field(config, "num_channels", "in_channels", "in_chans") or 3, field(config, "image_size") or 32
    mel = field(config, "num_mel_bins", "feature_size", "input_feat_size", "input_dim", "input_size") or 80
    length = field(config, "max_length") or 100
    hidden = field(config, "hidden_size", "d_model") or 64
    patch, frames = field(config, "patch_size") or 8, field(config, "temporal_patch_size") or 1
    height, width = image_sides(config)
    images = [noise(1, channels, height, width)] + [noise(1, channels, s, s) for s in (64, 224, 256)]
    shots = field(config, "num_frames") or 8
    grid = torch.tensor([[1, 4, 4]])
    context = field(config, "context_length") or 32
    series = field(config, "num_input_channels", "input_size") or 1
    past = context + max(getattr(config, "lags_sequence", None) or [0])
    steps = field(config, "prediction_length") or 24
    times = field(config, "num_time_features") or 0
    series_shape = (1, past) if series == 1 and hasattr(config, "lags_sequence") else (1, past, series)
    return {
        "input_ids": [ids], "decoder_input_ids": [ids], "attention_mask": [ones], "qformer_input_ids": [ids],
        "bbox": [torch.tensor([10, 20, 30, 40]).repeat(1, 8, 1)], "token_type_ids": [torch.zeros_like(ids)],
        "pixel_values": images + [
            noise(16, channels * frames * patch * patch), noise(1, 2, channels, size, size),
            noise(1, shots, channels, size, size)],
        "pixel_values_videos": [noise(1, n, 3, size, size) for n in dict.fromkeys((shots, 8, 16, 64))],
        "input_values": [noise(1, 4000), noise(1, 1, 4000), noise(1, 3840), noise(1, 1, 3840), noise(1, 2, 4096),
                         noise(1, length, mel)],
        "input_features": [noise(1, mel, 3000), noise(1, 104, mel), noise(1, mel, 104), noise(1, 1, 1001, 64),
                           noise(1, 4, 1001, 64), noise(1, 104, 80), noise(1, 104, 160), noise(1, 104, 320)],
        "input_features_mask": [torch.ones(1, 104, dtype=torch.bool)],
        "audio_mel_mask": [torch.zeros(1, 104, dtype=torch.bool)],
        "audio_mel": [noise(1, 104, mel)],
        "hidden_states": [noise(16, channels * frames * patch * patch), noise(1, 16, hidden)],
        "encoder_hidden_states": [noise(1, 16, hidden)],
        "inputs_embeds": [noise(1, 8, hidden)], "query_embeds": [noise(1, 4, hidden)],
        "context_hidden_states": [noise(1, 8, hidden)],
        "grid_thw": [grid], "image_grid_thw": [grid], "pixel_position_ids": [torch.stack(torch.meshgrid(
            torch.arange(4), torch.arange(4), indexing="ij"), -1).reshape(1, 16, 2)],
        "past_values": [noise(*series_shape)], "past_observed_mask": [torch.ones(series_shape)],
        "past_time_features": [noise(1, past, times)], "future_values": [noise(1, steps, *series_shape[2:])],
        "future_time_features": [noise(1, steps, times)],
        "spectrogram": [noise(1, 32, field(config, "model_in_dim", "num_mel_bins") or 80)],
        "inputs": [ids, noise(1, 8, field(config, "d_model") or hidden)],
        "states": [noise(1, 4, field(config, "state_dim") or 17)],
        "actions": [noise(1, 4, field(config, "act_dim") or 4)],
        "rewards": [noise(1, 4, 1)], "returns_to_go": [noise(1, 4, 1)], "timesteps": [torch.arange(4).reshape(1, 4)],
    }


EXTRAS = ((), ("decoder_input_ids",), ("decoder_input_ids", "bbox"), ("input_ids",), ("input_ids", "pixel_values"),
          ("attention_mask",),
          ("input_features_mask",), ("encoder_hidden_states",), ("bbox",), ("grid_thw",), ("image_grid_thw",),
          ("input_values",), ("pixel_values",),
          ("states", "actions", "rewards", "returns_to_go", "timesteps"), ("input_ids", "input_features"),
          ("past_time_features", "past_observed_mask", "future_values", "future_time_features"))


def candidates(model):
    values = values_of(model.config)
    parameters = inspect.signature(model.forward).parameters
    required = [n for n, p in parameters.items()
                if p.default is inspect.Parameter.empty and p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    main = getattr(model, "main_input_name", None)
    first = required + ([main] if main and main not in required and main in parameters else [])
    if not first:
        first = [next((n for n in parameters if n in values), "input_ids")]
    for extra in EXTRAS:
        chosen = first + [n for n in extra if n not in first]
        if all(n in values and n in parameters for n in chosen):
            for combination in itertools.product(*(values[n] for n in chosen)):
                yield dict(zip(chosen, combination))


def fitting(model):
    """The first inputs that run."""
    reason, end = "forward takes arguments that are not known here", time.process_time() + PATIENCE
    for kwargs in candidates(model):
        try:
            run(model, (), kwargs)
            return kwargs
        except Skip:
            raise
        except Exception as error:  # sizes or names that this architecture does not take
            reason = reason if reason.startswith("no ") else f"no example inputs fit: {type(error).__name__}: {error}"
        if time.process_time() > end:
            break
    raise Skip(reason[:300])


def model(name):
    reasons = []
    for sizes, attention in itertools.product((DEPTH | WIDTH, DEPTH, {}), (None, "eager")):
        if attention and "attention implementation" not in reasons[-1]:
            continue
        try:
            made = build(name, sizes, attention)
            if made is None:
                reasons.append("the configuration does not get small")
                continue
            return made, (), fitting(made)
        except Skip as reason:
            reasons.append(str(reason))
        except Exception as error:
            reasons.append(f"does not build: {type(error).__name__}: {str(error)[:300]}")
    raise Skip(reasons[0])
