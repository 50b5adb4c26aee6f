"""Expected outputs of one checkpoint: expected/<name>.json and expected/<name>.safetensors."""

from pathlib import Path

import torch

from checkpoints import Checkpoint
from files import write_json, write_safetensors
from prompts import CONVERSATIONS, LARGE, SPLITTING
from runner import NEW_TOKENS, Prompt, Runner

LEAST_MARGIN = 0.003  # between the two best logits of each greedy step: three times the tolerance
LOGIT_ROWS = 5
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
    name: str, checkpoint: Checkpoint, folder: Path, out: Path, prompts_run: tuple[str, ...], more: dict | None = None
) -> Runner:
    """Runs the conversations `prompts_run` (all where empty, then with features).

    `more` goes into the JSON file of a recipe. Its pixels are those of the checkpoint that it changes, and its logits are
    computed in float64: outlier channels make float32 uncertain by nearly the tolerance.
    """
    runner = Runner(folder, checkpoint.family)
    exact = Runner(folder, checkpoint.family, torch.float64)
    tensors: dict[str, torch.Tensor] = {}
    prompts = []
    noise = 0.0
    full = not prompts_run
    for title, messages in CONVERSATIONS[checkpoint.family].items():
        if title not in prompts_run and (prompts_run or title in LARGE):
            continue
        splitting = title in SPLITTING
        prompt = runner.prompt(messages, splitting=splitting)
        logits = runner.logits(prompt)
        precise = exact.logits(prompt)
        noise = max(noise, (precise - logits).abs().max().item())
        ids, margin = runner.greedy(prompt)
        runner.check_cache(prompt, ids)
        assert margin > LEAST_MARGIN, f"{name}/{title}: margin {margin}; take another seed"
        assert len(set(ids)) >= 12, f"{name}/{title}: {len(set(ids))} different tokens; take another seed"
        positions = spread(len(prompt.ids), LOGIT_ROWS)
        tensors[f"{title}/logits"] = (logits if more is None else precise)[positions]
        entry: dict[str, object] = {
            "name": title,
            "messages": messages,
            **({"imageSplitting": True} if splitting else {}),
            "rendered": prompt.rendered,
            "ids": prompt.ids,
            "logitPositions": positions,
            "greedy": ids,
            "greedyText": runner.processor.tokenizer.decode(ids, skip_special_tokens=True),
            "greedyMargin": round(margin, 6),
        }
        if prompt.vision:
            entry["vision"] = _vision(title, prompt, runner, tensors, features=full, pixels=more is None)
        if full:
            entry |= _generation(prompt, ids, runner)
        prompts.append(entry)
    document = {
        "checkpoint": checkpoint.name,
        "family": checkpoint.family,
        **({"notes": checkpoint.notes} if more is None else more),
        "placeholderIds": runner.placeholders,
        "float32Noise": float(f"{noise:.2g}"),
        "prompts": prompts,
    }
    write_json(out / f"{name}.json", document)
    write_safetensors(out / f"{name}.safetensors", tensors)
    return runner


def _generation(prompt: Prompt, greedy: list[int], runner: Runner) -> dict:
    """Greedy text with a repetition penalty, and text that stops at an end token."""
    penalty = 1.3
    # The end token is one that greedy text has in its second half, so that it stops there.
    end = next(token for index, token in enumerate(greedy) if index >= 16 and token not in greedy[:index])
    return {
        "penalised": {"repetitionPenalty": penalty, "ids": runner.generate(prompt, NEW_TOKENS, repetition_penalty=penalty)},
        "stopped": {"endTokens": [end, 0], "ids": runner.generate(prompt, NEW_TOKENS, eos_token_id=[end, 0])},
    }


def _vision(name: str, prompt: Prompt, runner: Runner, tensors: dict, *, features: bool, pixels: bool) -> dict:
    """Stores pixels and features; says their shapes and which rows were kept."""
    out: dict[str, object] = {}
    for key, kind in (("pixel_values", "image"), ("pixel_values_videos", "video")):
        if key in prompt.inputs:
            values = prompt.inputs[key]
            out[f"{kind}Pixels"] = list(values.shape)
            if pixels:
                tensors[f"{name}/{kind}.pixels"] = to_bytes(values.flatten(0, 1))
    if "image_sizes" in prompt.inputs:
        out["imageSizes"] = prompt.inputs["image_sizes"].tolist()
        out["batchNumImages"] = prompt.inputs["batch_num_images"].tolist()
    if features:
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
