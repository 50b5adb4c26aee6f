"""Expected outputs of one checkpoint: expected/<name>.json and expected/<name>.safetensors."""

from pathlib import Path

import torch

from checkpoints import Checkpoint
from files import write_json, write_safetensors
from prompts import CONVERSATIONS
from runner import Prompt, Runner

LEAST_MARGIN = 0.003  # between the two best logits of each greedy step: three times the tolerance
FEATURE_ROWS = 40  # longer features are kept for evenly spaced tokens only


def spread(length: int, count: int) -> list[int]:
    """Up to `count` positions from 0 to length − 1, evenly spaced, both ends in."""
    if length <= count:
        return list(range(length))
    return [round(i * (length - 1) / (count - 1)) for i in range(count)]


def to_bytes(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 pixels from values normalised with mean and deviation 0.5. The values must be whole."""
    scaled = (pixels.double() * 0.5 + 0.5) * 255
    whole = scaled.round()
    assert (scaled - whole).abs().max() < 1e-3, "processed pixels are not whole numbers"
    return whole.clamp(0, 255).to(torch.uint8)


def write_reference(
    checkpoint: Checkpoint, folder: Path, out: Path, *, rows: int = 5, only: tuple[str, ...] | None = None
) -> None:
    runner = Runner(folder, checkpoint.family)
    exact = Runner(folder, checkpoint.family, torch.float64)
    tensors: dict[str, torch.Tensor] = {}
    prompts = []
    noise = 0.0
    for name, messages in CONVERSATIONS[checkpoint.family].items():
        if only and name not in only:
            continue
        prompt = runner.prompt(messages)
        logits = runner.logits(prompt)
        noise = max(noise, (exact.logits(prompt) - logits).abs().max().item())
        ids, margin = runner.greedy(prompt)
        runner.check_cache(prompt, ids)
        assert margin > LEAST_MARGIN, f"{checkpoint.name}/{name}: margin {margin}; take another seed"
        assert len(set(ids)) >= 12, f"{checkpoint.name}/{name}: {len(set(ids))} different tokens; take another seed"
        positions = spread(len(prompt.ids), rows)
        tensors[f"{name}/logits"] = logits[positions]
        entry = {
            "name": name,
            "messages": messages,
            "rendered": prompt.rendered,
            "ids": prompt.ids,
            "logitPositions": positions,
            "greedy": ids,
            "greedyText": runner.processor.tokenizer.decode(ids, skip_special_tokens=True),
            "greedyMargin": round(margin, 6),
        }
        if prompt.vision:
            entry["vision"] = _vision(name, prompt, runner, tensors, full=not only)
        prompts.append(entry)
    document = {
        "checkpoint": checkpoint.name,
        "family": checkpoint.family,
        "notes": checkpoint.notes,
        "placeholderIds": runner.placeholders,
        "float32Noise": float(f"{noise:.2g}"),
        "prompts": prompts,
    }
    write_json(out / f"{checkpoint.name}.json", document)
    write_safetensors(out / f"{checkpoint.name}.safetensors", tensors)


def _vision(name: str, prompt: Prompt, runner: Runner, tensors: dict, *, full: bool) -> dict:
    """Stores pixels and features; says their shapes and which rows were kept."""
    out: dict[str, object] = {}
    for key, kind in (("pixel_values", "image"), ("pixel_values_videos", "video")):
        if key in prompt.inputs:
            pixels = prompt.inputs[key]
            out[f"{kind}Pixels"] = list(pixels.shape)
            tensors[f"{name}/{kind}.pixels"] = to_bytes(pixels.flatten(0, 1))
    if "image_sizes" in prompt.inputs:
        out["imageSizes"] = prompt.inputs["image_sizes"].tolist()
        out["batchNumImages"] = prompt.inputs["batch_num_images"].tolist()
    if full:
        for key, value in runner.features(prompt).items():
            if key.endswith(".tokens"):
                kept = spread(value.shape[0], FEATURE_ROWS)
                out[key] = {"shape": list(value.shape), "rows": kept}
                tensors[f"{name}/{key}"] = value[kept]
            else:
                # One picture is enough to find a wrong layer; the tokens above cover the rest.
                kept = [value.shape[0] - 1]
                out[key] = {"shape": list(value.shape), "pictures": kept}
                tensors[f"{name}/{key}"] = value[kept]
    return out
