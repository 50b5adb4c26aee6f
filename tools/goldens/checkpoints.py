"""Writes the small checkpoint folders."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from tokenizers import Tokenizer

import configs
import tokenizer_files
from weights import random_tensors, write_tensors


@dataclass(frozen=True)
class Checkpoint:
    """One folder under checkpoints/. `seed` was chosen so that greedy text varies and its margins exceed the tolerance."""

    name: str
    family: str  # "idefics3", "smolvlm" or "llava_onevision"
    config: dict
    seed: int
    dtype: str
    shards: int = 1
    saved_by_v5: bool = False  # tensor names and files as `save_pretrained` of transformers 5 writes them
    notes: str = ""
    options: dict = field(default_factory=dict)

    @property
    def image(self) -> int:
        return self.config["vision_config"]["image_size"]

    @property
    def patch(self) -> int:
        return self.config["vision_config"]["patch_size"]


SMALL_TEXT = {"hidden_size": 48, "head_dim": 12, "intermediate_size": 96}
SMALL_VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}

CHECKPOINTS = [
    Checkpoint(
        "smolvlm-tiny",
        "idefics3",
        configs.smolvlm_config("idefics3", image=64, patch=8, scale=4, text=configs.smolvlm_text()),
        seed=1,
        dtype="bfloat16",
        notes="As SmolVLM-256M-Instruct: 64 patches shuffled by 4 to 4 tokens an image, output layer of its own.",
    ),
    Checkpoint(
        "smolvlm2-tiny",
        "smolvlm",
        # 58 = 9 × 6 + 4: pixels beyond the last whole patch are not used, as with 384 = 27 × 14 + 6 of the 2.2B models.
        configs.smolvlm_config("smolvlm", image=58, patch=6, scale=3, text=configs.smolvlm_text(rope_theta=130000)),
        seed=1,
        dtype="bfloat16",
        notes="As SmolVLM2-2.2B: an odd grid (9 × 9, shuffled by 3 to 9 tokens a frame).",
    ),
    Checkpoint(
        "llava-onevision-tiny",
        "llava_onevision",
        # 60 = 7 × 8 + 4, as 384 = 27 × 14 + 6; an odd grid makes the pooling of video frames inexact (7 to 4).
        configs.llava_config(image=60, patch=8, text=configs.llava_text()),
        seed=1,
        dtype="float16",
        notes="As llava-onevision-qwen2-0.5b-ov-hf: attention biases, tied embeddings without lm_head in the file.",
    ),
]
BY_NAME = {checkpoint.name: checkpoint for checkpoint in CHECKPOINTS}


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_checkpoint(checkpoint: Checkpoint, root: Path) -> Path:
    """Writes one folder in the published layout."""
    folder = root / checkpoint.name
    folder.mkdir(parents=True)
    write_json(folder / "config.json", checkpoint.config)
    write_tensors(random_tensors(checkpoint.config, checkpoint.seed), folder, checkpoint.dtype, checkpoint.shards)
    if checkpoint.family == "llava_onevision":
        _write_llava_files(checkpoint, folder)
    else:
        _write_smolvlm_files(checkpoint, folder)
    return folder


def _write_smolvlm_files(checkpoint: Checkpoint, folder: Path) -> None:
    family = checkpoint.family
    text = tokenizer_files.smolvlm_tokenizer()
    tokenizer = Tokenizer.from_str(text)
    for token, name in (("<|im_start|>", "im_start"), ("<image>", "image"), ("<end_of_utterance>", "end_of_utterance")):
        assert tokenizer.token_to_id(token) == configs.SMOLVLM_IDS[name], token
    assert tokenizer.get_vocab_size() <= checkpoint.config["text_config"]["vocab_size"]
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    tokens = (checkpoint.image // checkpoint.patch) ** 2 // checkpoint.config["scale_factor"] ** 2
    write_json(folder / "tokenizer_config.json", configs.smolvlm_tokenizer_config(family))
    write_json(
        folder / "preprocessor_config.json", configs.smolvlm_preprocessor(family, checkpoint.image, splitting=True)
    )
    write_json(
        folder / "processor_config.json",
        {"image_seq_len": tokens, "processor_class": "Idefics3Processor" if family == "idefics3" else "SmolVLMProcessor"},
    )
    write_json(folder / "chat_template.json", {"chat_template": configs.SMOLVLM_TEMPLATE})
    write_json(folder / "generation_config.json", configs.SMOLVLM_GENERATION)


def _write_llava_files(checkpoint: Checkpoint, folder: Path) -> None:
    text = tokenizer_files.qwen_tokenizer()
    tokenizer = Tokenizer.from_str(text)
    for token, name in (("<|endoftext|>", "endoftext"), ("<|im_end|>", "im_end"), ("<image>", "image"), ("<video>", "video")):
        assert tokenizer.token_to_id(token) == configs.LLAVA_IDS[name], token
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    write_json(folder / "tokenizer_config.json", configs.LLAVA_TOKENIZER_CONFIG)
    write_json(folder / "preprocessor_config.json", configs.llava_preprocessor(checkpoint.image))
    write_json(folder / "processor_config.json", configs.llava_processor(checkpoint.image, checkpoint.patch))
    write_json(folder / "chat_template.json", {"chat_template": configs.LLAVA_TEMPLATE})
    write_json(folder / "generation_config.json", configs.LLAVA_GENERATION)
