"""Random weights under the published tensor names, and the files that hold them.

The scales keep activations of order one and logits of standard deviation about two, so that a wrong step anywhere
moves the logits far beyond the tolerance, and so that greedy text does not fall into one repeated token.
"""

import json
import zlib
from pathlib import Path

import torch
from safetensors.torch import save_file

Tensors = dict[str, torch.Tensor]
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def _normal(name: str, seed: int, shape: tuple[int, ...], std: float, mean: float = 0.0) -> torch.Tensor:
    # One generator per tensor: adding or renaming a tensor leaves the others as they were.
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{name}".encode()))
    return torch.randn(shape, generator=generator, dtype=torch.float32) * std + mean


def random_tensors(config: dict, seed: int, faint: bool = False) -> Tensors:
    """All tensors of a checkpoint under their published names, float32.

    With `faint`, embeddings (of tokens, patches and positions) are small, as trained ones are: a wrong epsilon in the first
    norms then moves the logits far beyond the tolerance.
    """
    out: Tensors = {}

    def add(name: str, *shape: int, std: float, mean: float = 0.0) -> None:
        out[name] = _normal(name, seed, shape, std, mean)

    def linear(name: str, rows: int, cols: int, *, bias: bool, gain: float = 1.0) -> None:
        add(f"{name}.weight", rows, cols, std=gain / cols**0.5)
        if bias:
            add(f"{name}.bias", rows, std=0.1)

    loudness = 0.01 if faint else 1.0
    llava = config["model_type"] == "llava_onevision"
    vision, text = config["vision_config"], config["text_config"]
    _vision(add, linear, vision, "vision_tower.vision_model" if llava else "model.vision_model", loudness)
    width = text["hidden_size"]
    if llava:
        linear("multi_modal_projector.linear_1", width, vision["hidden_size"], bias=True, gain=1.5)
        linear("multi_modal_projector.linear_2", width, width, bias=True, gain=1.5)
        add("image_newline", width, std=0.5)
        _text(add, linear, text, "language_model.model", tied=text["tie_word_embeddings"], loudness=loudness)
        if not text["tie_word_embeddings"]:
            add("language_model.lm_head.weight", text["vocab_size"], width, std=0.3)
    else:
        shuffled = vision["hidden_size"] * config["scale_factor"] ** 2
        linear("model.connector.modality_projection.proj", width, shuffled, bias=False)
        _text(add, linear, text, "model.text_model", tied=config["tie_word_embeddings"], loudness=loudness)
        if not config["tie_word_embeddings"]:
            add("lm_head.weight", text["vocab_size"], width, std=0.3)
    return out


def _vision(add, linear, vision: dict, prefix: str, loudness: float) -> None:
    width, inner, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    add(f"{prefix}.embeddings.patch_embedding.weight", width, 3, patch, patch, std=2.0 * loudness / (3 * patch * patch) ** 0.5)
    add(f"{prefix}.embeddings.patch_embedding.bias", width, std=0.1 * loudness)
    add(f"{prefix}.embeddings.position_embedding.weight", (vision["image_size"] // patch) ** 2, width, std=0.5 * loudness)
    for layer in range(vision["num_hidden_layers"]):
        base = f"{prefix}.encoder.layers.{layer}"
        for norm in ("layer_norm1", "layer_norm2"):
            add(f"{base}.{norm}.weight", width, std=0.2, mean=1.0)
            add(f"{base}.{norm}.bias", width, std=0.1)
        for name in ("q_proj", "k_proj"):
            linear(f"{base}.self_attn.{name}", width, width, bias=True, gain=1.4)
        for name in ("v_proj", "out_proj"):
            linear(f"{base}.self_attn.{name}", width, width, bias=True)
        linear(f"{base}.mlp.fc1", inner, width, bias=True)
        linear(f"{base}.mlp.fc2", width, inner, bias=True)
    add(f"{prefix}.post_layernorm.weight", width, std=0.2, mean=1.0)
    add(f"{prefix}.post_layernorm.bias", width, std=0.1)


def _text(add, linear, text: dict, prefix: str, *, tied: bool, loudness: float) -> None:
    width, inner = text["hidden_size"], text["intermediate_size"]
    head = text.get("head_dim", width // text["num_attention_heads"])
    queries, keys = text["num_attention_heads"] * head, text["num_key_value_heads"] * head
    bias = text["model_type"] == "qwen2"
    # Tied embeddings are the output layer too: smaller, or every token predicts itself.
    add(f"{prefix}.embed_tokens.weight", text["vocab_size"], width, std=(0.25 if tied else 0.7) * loudness)
    for layer in range(text["num_hidden_layers"]):
        base = f"{prefix}.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            add(f"{base}.{norm}.weight", width, std=0.2, mean=1.0)
        linear(f"{base}.self_attn.q_proj", queries, width, bias=bias, gain=1.4)
        linear(f"{base}.self_attn.k_proj", keys, width, bias=bias, gain=1.4)
        linear(f"{base}.self_attn.v_proj", keys, width, bias=bias)
        linear(f"{base}.self_attn.o_proj", width, queries, bias=False, gain=1.5)
        linear(f"{base}.mlp.gate_proj", inner, width, bias=False, gain=1.5)
        linear(f"{base}.mlp.up_proj", inner, width, bias=False, gain=1.5)
        linear(f"{base}.mlp.down_proj", width, inner, bias=False, gain=1.5)
    add(f"{prefix}.norm.weight", width, std=0.2, mean=1.0)


def write_tensors(tensors: Tensors, folder: Path, dtype: str, shards: int = 1) -> None:
    """Writes model.safetensors, or that many shards with an index, as the published ones do."""
    cast = {name: tensor.to(DTYPES[dtype]).contiguous() for name, tensor in tensors.items()}
    if shards == 1:
        _save(cast, folder / "model.safetensors")
        return
    total = sum(tensor.numel() * tensor.element_size() for tensor in cast.values())
    groups: list[Tensors] = [{}]
    held = 0
    for name, tensor in cast.items():
        size = tensor.numel() * tensor.element_size()
        if held + size > total / shards and groups[-1] and len(groups) < shards:
            groups.append({})
            held = 0
        groups[-1][name] = tensor
        held += size
    weight_map = {}
    for number, group in enumerate(groups, 1):
        file = f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        _save(group, folder / file)
        weight_map |= dict.fromkeys(group, file)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def _save(tensors: Tensors, path: Path) -> None:
    save_file(tensors, path, {"format": "pt"})
    path.chmod(0o644)
