"""Checkpoints with planted outlier channels, as recipes: multiply rows or columns of a small checkpoint's tensors.

Large language models have a few channels 20 to 100 times the rest: in the residual stream (written by an early MLP), after
norms (large norm weights), inside the MLP and in the values. Here they are planted by pairs of factors that nearly cancel:
the layer before is multiplied by `k`, the layer after by `2 / k`, so the network still works and the outliers matter.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from weights import Tensors


@dataclass(frozen=True)
class Operation:
    """Multiplies `tensor` by `factor` at the `indices` of `axis` (everywhere where None)."""

    tensor: str
    axis: int
    indices: tuple[int, ...] | None
    factor: float

    def to_json(self) -> dict:
        return {
            "tensor": self.tensor,
            "axis": self.axis,
            "indices": list(self.indices) if self.indices is not None else None,
            "factor": self.factor,
        }


def apply(operations: list[Operation], tensors: Tensors) -> Tensors:
    """New float32 tensors, operations applied in order in float32."""
    out = {name: tensor.float().clone() for name, tensor in tensors.items()}
    for operation in operations:
        tensor = out[operation.tensor]
        at = [slice(None)] * tensor.dim()
        if operation.indices is not None:
            at[operation.axis] = list(operation.indices)
        tensor[tuple(at)] *= operation.factor
    return out


AFTER_NORM = (19, 52)  # channels with large norm weights
HIDDEN = (5, 77)  # channels inside the MLP
VISION_AFTER_NORM = (11, 30)
VISION_HIDDEN = (9, 60)


@dataclass(frozen=True)
class Recipe:
    """`massive`: residual channels of the decoder that the first layer's MLP makes large, and by how much."""

    name: str
    base: str
    massive: tuple[int, ...]
    massive_factor: float
    prompts: tuple[str, ...]


RECIPES = [
    Recipe("smolvlm-outliers", "smolvlm-tiny", (7, 41), 64, ("two-images", "turns", "text-first")),
    Recipe("llava-onevision-outliers", "llava-onevision-tiny", (3, 33), 40, ("one-image", "turns", "one-video")),
]


def outliers(recipe: Recipe, config: dict) -> list[Operation]:
    """The operations on the published tensor names."""
    llava = config["model_type"] == "llava_onevision"
    text = "language_model.model" if llava else "model.text_model"
    vision = "vision_tower.vision_model" if llava else "model.vision_model"
    out: list[Operation] = []

    def scale(tensor: str, axis: int, indices: tuple[int, ...] | None, factor: float) -> None:
        out.append(Operation(tensor, axis, indices, factor))

    text_config = config["text_config"]
    bias = text_config["model_type"] == "qwen2"
    for layer in range(text_config["num_hidden_layers"]):
        base = f"{text}.layers.{layer}"
        readers = {
            "input_layernorm": [f"self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj")],
            "post_attention_layernorm": ["mlp.gate_proj", "mlp.up_proj"],
        }
        for norm, linears in readers.items():
            scale(f"{base}.{norm}.weight", 0, AFTER_NORM, 32)
            for linear in linears:
                scale(f"{base}.{linear}.weight", 1, AFTER_NORM, 1 / 16)
            if layer > 0:
                # The massive channels make every norm divide by more; the norm's weights give that back.
                scale(f"{base}.{norm}.weight", 0, None, 3)
                for linear in linears:
                    scale(f"{base}.{linear}.weight", 1, recipe.massive, 1 / 16)
        scale(f"{base}.mlp.up_proj.weight", 0, HIDDEN, 48)
        scale(f"{base}.mlp.down_proj.weight", 1, HIDDEN, 1 / 24)
        _values(scale, base, text_config, bias)
    scale(f"{text}.layers.0.mlp.down_proj.weight", 0, recipe.massive, recipe.massive_factor)
    scale(f"{text}.norm.weight", 0, None, 3)
    scale(f"{text}.norm.weight", 0, recipe.massive, 1 / 16)
    for layer in range(config["vision_config"]["num_hidden_layers"]):
        base = f"{vision}.encoder.layers.{layer}"
        for norm, linears in {
            "layer_norm1": [f"self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj")],
            "layer_norm2": ["mlp.fc1"],
        }.items():
            for part in ("weight", "bias"):
                scale(f"{base}.{norm}.{part}", 0, VISION_AFTER_NORM, 24)
            for linear in linears:
                scale(f"{base}.{linear}.weight", 1, VISION_AFTER_NORM, 1 / 12)
        scale(f"{base}.mlp.fc1.weight", 0, VISION_HIDDEN, 32)
        scale(f"{base}.mlp.fc2.weight", 1, VISION_HIDDEN, 1 / 16)
    return out


def _values(scale, base: str, text_config: dict, bias: bool) -> None:
    """One large channel in each head of the values; each is read by all query heads of its group."""
    head = text_config.get("head_dim", text_config["hidden_size"] // text_config["num_attention_heads"])
    group = text_config["num_attention_heads"] // text_config["num_key_value_heads"]
    rows, columns = [], []
    for kv in range(text_config["num_key_value_heads"]):
        channel = 3 + kv
        rows.append(kv * head + channel)
        columns += [(kv * group + query) * head + channel for query in range(group)]
    for part in ("weight", "bias") if bias else ("weight",):
        scale(f"{base}.self_attn.v_proj.{part}", 0, tuple(rows), 24)
    scale(f"{base}.self_attn.o_proj.weight", 1, tuple(columns), 1 / 12)


def load(folder: Path) -> Tensors:
    return {name: tensor for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}


@torch.no_grad()
def channel_ratios(runner, prompt) -> dict[str, float]:
    """For the input of each linear layer: the largest channel divided by the median channel (largest magnitudes over tokens)."""
    ratios: dict[str, float] = {}
    hooks = []

    def watch(name: str):
        def hook(_module, args) -> None:
            channels = args[0].float().abs().flatten(0, -2).amax(0)
            ratios[name] = round((channels.max() / channels.median()).item(), 1)

        return hook

    for name, module in runner.model.named_modules():
        if isinstance(module, torch.nn.Linear):
            hooks.append(module.register_forward_pre_hook(watch(name)))
    runner.logits(prompt)
    for hook in hooks:
        hook.remove()
    return ratios
