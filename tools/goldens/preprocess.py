"""Expected pixels: expected/preprocess.json and .safetensors.

Two implementations exist. Pictures are compared with the PIL one, which checkpoints were trained with; videos have only
the torchvision one. How far the two are apart is recorded for every picture.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoProcessor, AutoVideoProcessor
from transformers.image_processing_utils import select_best_resolution

import configs
from checkpoints import write_json as write_plain_json
from files import write_json, write_safetensors
from images import picture
from reference import to_bytes

# The published settings at their real sizes.
REAL = {
    "SmolVLM-256M-Instruct": ("idefics3", configs.smolvlm_preprocessor("idefics3", 512, splitting=True)),
    "SmolVLM2-256M-Video-Instruct": ("smolvlm", configs.smolvlm_preprocessor("smolvlm", 512, splitting=True)),
    # 384 / 14; the larger SmolVLM models.
    "SmolVLM2-2.2B-Instruct": ("smolvlm", configs.smolvlm_preprocessor("smolvlm", 384, splitting=True)),
    "llava-onevision-qwen2-0.5b-ov-hf": ("llava_onevision", configs.llava_preprocessor(384)),
}
SHAPES = ["320x240-a", "640x360-a", "101x57-a", "1x1-a", "33x500-a", "500x33-a"]


def _pictures(processor, family: str, names: Iterable[str], splitting: bool) -> torch.Tensor:
    # PIL images: an array of 1 × 1 × 3 would be taken for one with its channels first.
    pictures = [[Image.fromarray(picture(name)) for name in names]]
    options = {} if family == "llava_onevision" else {"do_image_splitting": splitting}
    return processor(images=pictures, return_tensors="pt", **options)["pixel_values"].flatten(0, 1)


def _frames(processor, names: Iterable[str]) -> torch.Tensor:
    frames = np.stack([picture(name) for name in names])
    batch = processor(videos=[frames], do_sample_frames=False, input_data_format="channels_last", return_tensors="pt")
    return (batch["pixel_values"] if "pixel_values" in batch else batch["pixel_values_videos"]).flatten(0, 1)


class Cases:
    def __init__(self) -> None:
        self.entries: list[dict] = []
        self.tensors: dict[str, torch.Tensor] = {}

    def add(self, settings: str, kind: str, names: list[str], pixels: torch.Tensor, stride: int, **more: object) -> None:
        """Keeps every `stride`-th pixel of every `stride`-th row, from the middle of the first block, and all sums."""
        whole = to_bytes(pixels)
        offset = stride // 2
        name = f"{settings}/{kind}/{'+'.join(names)}"
        self.tensors[name] = whole[:, :, offset::stride, offset::stride]
        self.entries.append(
            {
                "name": name,
                "settings": settings,
                "kind": kind,
                "pictures": names,
                "shape": list(whole.shape),
                "stride": stride,
                "offset": offset,
                "sums": whole.long().sum(dim=(2, 3)).flatten().tolist(),
                **more,
            }
        )


def _apart(pil: torch.Tensor, torchvision: torch.Tensor) -> dict[str, float]:
    difference = (to_bytes(pil).int() - to_bytes(torchvision).int()).abs()
    return {"max": difference.max().item(), "mean": round(difference.float().mean().item(), 4)}


def _add_settings(cases: Cases, settings: str, family: str, folder: Path, *, small: bool) -> None:
    pil = AutoImageProcessor.from_pretrained(folder, backend="pil")
    fast = AutoImageProcessor.from_pretrained(folder, backend="torchvision")
    llava = family == "llava_onevision"
    if small:
        # One picture of LLaVA-OneVision becomes up to 37 tiles: fewer pictures.
        sets = [([name], False) for name in (SHAPES if settings == "smolvlm-tiny" else SHAPES[2:])]
        sets.append((["320x240-a", "33x500-a"], False))
    else:
        sets = [(["640x360-a"], False), (["97x171-f0"], False)]
    if settings in ("smolvlm-tiny", "SmolVLM-256M-Instruct"):
        sets.append((["101x57-a"], True))
    if settings == "SmolVLM2-256M-Video-Instruct":
        sets = []  # pictures are as in SmolVLM-256M-Instruct
    for names, splitting in sets:
        pixels = _pictures(pil, family, names, splitting)
        apart = _apart(pixels, _pictures(fast, family, names, splitting))
        tiles = splitting or (llava and len(names) == 1)
        stride = (4 if tiles else 1) if small else (12 if tiles else 8)
        kind = "split" if splitting else "image" if len(names) == 1 else "images"
        cases.add(settings, kind, names, pixels, stride, torchvisionApart=apart)
    if family == "idefics3":
        return
    video = AutoVideoProcessor.from_pretrained(folder)
    for names in [["320x240-a"], ["33x500-a"], ["1x1-a"], ["160x120-f0", "160x120-f1"]] if small else [["1280x720-a"]]:
        cases.add(settings, "video", names, _frames(video, names), 1 if small else 8)


# Height and width.
SIZES = [
    (1, 1), (57, 101), (240, 320), (360, 640), (384, 384), (385, 384), (500, 33), (33, 500), (480, 640), (720, 1280),
    (1280, 720), (1080, 1920), (2160, 3840), (2304, 2304), (3000, 4000), (100, 5000), (768, 1152),
]  # fmt: skip


def _anyres(checkpoints: Path) -> list[dict]:
    """Tiles and placeholders of one picture in a prompt, at the published size of LLaVA-OneVision (384, patch 14)."""
    processor = AutoProcessor.from_pretrained(checkpoints / "llava-onevision-tiny")
    processor.num_image_tokens = (384 // 14) ** 2
    processor.image_processor.image_grid_pinpoints = configs.pinpoints(384)
    out = []
    for height, width in SIZES:
        best = select_best_resolution((height, width), configs.pinpoints(384))
        out.append(
            {
                "size": [height, width],
                "best": list(best),
                "tiles": 1 + best[0] // 384 * (best[1] // 384),
                "tokens": processor._get_number_of_features(height, width, 384, 384),
            }
        )
    return out


def write_preprocess(checkpoints: Path, out: Path, work: Path) -> None:
    cases = Cases()
    for name, family in (("smolvlm-tiny", "idefics3"), ("smolvlm2-tiny", "smolvlm"), ("llava-onevision-tiny", "llava_onevision")):
        _add_settings(cases, name, family, checkpoints / name, small=True)
    real = {}
    for name, (family, settings) in REAL.items():
        folder = work / name
        folder.mkdir(parents=True)
        write_plain_json(folder / "preprocessor_config.json", settings)
        write_plain_json(folder / "config.json", {"model_type": family})
        _add_settings(cases, name, family, folder, small=False)
        real[name] = settings
    write_json(out / "preprocess.json", {"settings": real, "cases": cases.entries, "anyres": _anyres(checkpoints)})
    write_safetensors(out / "preprocess.safetensors", cases.tensors)
