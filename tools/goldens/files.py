"""Writers whose bytes depend on the values alone."""

import json
import re
from pathlib import Path

import torch
from safetensors.torch import save_file

_NUMBERS = re.compile(r"\[\s+(-?[\d.e+-]+(?:,\s+-?[\d.e+-]+)*)\s+\]")


def write_json(path: Path, value: object) -> None:
    """Indented, with each list of numbers on one line."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    text = _NUMBERS.sub(lambda match: "[" + re.sub(r"\s+", "", match.group(1)).replace(",", ", ") + "]", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def write_safetensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in sorted(tensors.items())}, path)
    path.chmod(0o644)
