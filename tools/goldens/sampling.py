"""Expected sampling distributions: expected/sampling.json."""

from pathlib import Path

import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from files import write_json
from prompts import CONVERSATIONS
from runner import Runner

SETTINGS: list[dict[str, float]] = [
    {"temperature": 1.0},
    {"temperature": 0.7},
    {"temperature": 2.5},
    {"top_k": 1},
    {"top_k": 5},
    {"top_k": 20, "temperature": 0.7},
    {"top_p": 0.9},
    {"top_p": 0.3, "temperature": 1.5},
    {"top_p": 0.000001},
    {"top_k": 8, "top_p": 0.8},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.8},
    # What the published LLaVA-OneVision checkpoints ask for.
    {"repetition_penalty": 1.1, "temperature": 0.7, "top_k": 20, "top_p": 0.8},
]
# Ties at the edges of top-k and top-p, equal logits, large ones.
ROWS: dict[str, list[float]] = {
    "ties": [1.0, 3.0, 3.0, 2.0, 2.0, 2.0, -1.0, 0.0, 3.0, 2.0, -4.0, 0.5],
    "equal": [0.25] * 12,
    "large": [120.0, -300.0, 119.5, 0.0, 88.0, 119.0, -88.0, 118.0, 1.0, 2.0, 3.0, 4.0],
}
ROW_HISTORY = [1, 3, 3, 6, 0]


def processors(settings: dict[str, float]) -> LogitsProcessorList:
    """In the order of `generate`: penalty, temperature, top-k, top-p."""
    out = LogitsProcessorList()
    if settings.get("repetition_penalty", 1.0) != 1.0:
        out.append(RepetitionPenaltyLogitsProcessor(settings["repetition_penalty"]))
    if settings.get("temperature", 1.0) != 1.0:
        out.append(TemperatureLogitsWarper(settings["temperature"]))
    if "top_k" in settings:
        out.append(TopKLogitsWarper(int(settings["top_k"])))
    if "top_p" in settings:
        out.append(TopPLogitsWarper(settings["top_p"]))
    return out


def _case(history: list[int], logits: torch.Tensor, settings: dict[str, float]) -> dict:
    scores = processors(settings)(torch.tensor([history]), logits[None].clone())[0]
    kept = scores.isfinite().nonzero()[:, 0]
    probabilities = scores.softmax(-1)[kept]
    order = probabilities.argsort(descending=True, stable=True)[:64]
    return {
        "settings": settings,
        "kept": len(kept),
        "ids": kept[order].tolist(),
        "probabilities": [float(f"{value:.7g}") for value in probabilities[order].tolist()],
    }


@torch.no_grad()
def write_sampling(checkpoints: Path, out: Path) -> None:
    runner = Runner(checkpoints / "smolvlm-tiny", "idefics3")
    prompt = runner.prompt(CONVERSATIONS["idefics3"]["one-image"])
    logits = runner.logits(prompt)[-1]
    cases = []
    for settings in SETTINGS:
        cases.append({"row": "smolvlm-tiny/one-image", **_case(prompt.ids, logits, settings)})
        # `generate` must do the same as the processors in this order.
        options = {"top_k": 0, "top_p": 1.0} | settings
        scores = runner.model.generate(
            **prompt.inputs,
            do_sample=True,
            max_new_tokens=1,
            pad_token_id=0,
            output_scores=True,
            return_dict_in_generate=True,
            **options,
        ).scores[0][0]
        expected = processors(settings)(torch.tensor([prompt.ids]), logits[None].clone())[0]
        assert torch.allclose(scores, expected, atol=1e-4), settings
    for name, row in ROWS.items():
        for settings in SETTINGS:
            cases.append({"row": name, **_case(ROW_HISTORY, torch.tensor(row), settings)})
    rows = {name: {"logits": row, "history": ROW_HISTORY} for name, row in ROWS.items()}
    # Seven digits hold a float32 to within 1e-6 here.
    real = {"logits": [float(f"{value:.8g}") for value in logits.tolist()], "history": prompt.ids}
    write_json(out / "sampling.json", {"rows": {"smolvlm-tiny/one-image": real, **rows}, "cases": cases})
