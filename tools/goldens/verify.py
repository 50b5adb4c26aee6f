"""Loads the committed checkpoints in Transformers and compares what comes out with the committed expected files.

It reads what a test reads and shares no code with what wrote it.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TQDM_DISABLE", "1")

import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import AutoModelForImageTextToText, AutoTokenizer, GenerationConfig  # noqa: E402

ROOT = Path(__file__).resolve().parents[2] / "test" / "goldens"
TOLERANCE = 1e-4  # a tenth of what tests allow: machines differ in the order of sums
OUTLIER_TOLERANCE = 2e-3  # their expected logits come from float64


def changed_copy(document: dict, folder: Path, work: Path) -> Path:
    """The checkpoint with a recipe's operations applied, for the outlier checkpoints."""
    copy = work / "changed"
    shutil.copytree(folder, copy)
    tensors = {name: tensor.float() for name, tensor in load_file(copy / "model.safetensors").items()}
    for operation in document["operations"]:
        tensor, indices = tensors[operation["tensor"]], operation["indices"]
        picked = range(tensor.shape[operation["axis"]]) if indices is None else indices
        for index in picked:
            tensor.select(operation["axis"], index).mul_(operation["factor"])
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    return copy


def inputs_of(prompt: dict, title: str, tensors: dict, family: str) -> dict[str, torch.Tensor]:
    ids = torch.tensor([prompt["ids"]])
    out = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    vision = prompt.get("vision", {})
    for kind, key in (("image", "pixel_values"), ("video", "pixel_values_videos")):
        if f"{kind}Pixels" in vision:
            pixels = tensors[f"{title}/{kind}.pixels"].float() / 255
            name = "pixel_values" if family != "llava_onevision" else key
            out[name] = ((pixels - 0.5) / 0.5).reshape(vision[f"{kind}Pixels"])
    if "imageSizes" in vision:
        out["image_sizes"] = torch.tensor(vision["imageSizes"])
        out["batch_num_images"] = torch.tensor(vision["batchNumImages"])
    return out


@torch.no_grad()
def verify(path: Path, work: Path) -> float:
    """Largest difference of logits and features; fails on other ids or texts."""
    document = json.loads(path.read_text())
    tensors = load_file(path.with_suffix(".safetensors"))
    folder = ROOT / "checkpoints" / document["checkpoint"]
    pixels = tensors
    if "operations" in document:
        pixels = load_file(ROOT / "expected" / f"{document['checkpoint']}.safetensors")
        folder = changed_copy(document, folder, work)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    worst = 0.0
    for prompt in document["prompts"]:
        title, family = prompt["name"], document["family"]
        inputs = inputs_of(prompt, title, pixels, family)
        logits = model(**inputs).logits[0]
        worst = max(worst, (logits[prompt["logitPositions"]] - tensors[f"{title}/logits"]).abs().max().item())
        config = GenerationConfig(do_sample=False, max_new_tokens=len(prompt["greedy"]), pad_token_id=0)
        model.generation_config = config
        greedy = model.generate(**inputs)[0, len(prompt["ids"]) :].tolist()
        assert greedy == prompt["greedy"], f"{path.name}/{title}: other greedy tokens"
        assert tokenizer.decode(greedy, skip_special_tokens=True) == prompt["greedyText"]
        for kind in ("image", "video"):
            if f"{title}/{kind}.tokens" not in tensors:
                continue
            if family == "llava_onevision" and kind == "video":
                tokens = model.get_video_features(inputs["pixel_values_videos"]).pooler_output.flatten(0, 1)
            elif family == "llava_onevision":
                sizes, counts = inputs["image_sizes"], inputs["batch_num_images"]
                found = model.get_image_features(inputs["pixel_values"], sizes, batch_num_images=counts)
                tokens = torch.cat(list(found.pooler_output))
            else:
                tokens = torch.cat(list(model.get_image_features(inputs["pixel_values"]).pooler_output))
            rows = prompt["vision"][f"{kind}.tokens"]["rows"]
            worst = max(worst, (tokens[rows] - tensors[f"{title}/{kind}.tokens"]).abs().max().item())
    return worst


def main() -> None:
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    failed = False
    for path in sorted((ROOT / "expected").glob("*.json")):
        if "prompts" not in json.loads(path.read_text()):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            worst = verify(path, Path(scratch))
        failed |= worst > (OUTLIER_TOLERANCE if path.stem.endswith("-outliers") else TOLERANCE)
        print(f"{path.stem}: {worst:.1e}")
    size = sum(file.stat().st_size for file in ROOT.rglob("*") if file.is_file())
    print(f"{size / 1e6:.2f} MB in all")
    sys.exit(1 if failed or size > 6e6 else 0)


if __name__ == "__main__":
    main()
