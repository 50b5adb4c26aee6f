"""Writes the small checkpoint folders."""

import json
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoModelForImageTextToText, AutoProcessor

import configs
import tokenizer_files
from weights import DTYPES, random_tensors, write_tensors


@dataclass(frozen=True)
class Checkpoint:
    """One folder under checkpoints/. `seed` was chosen so that greedy text varies and its margins exceed the tolerance."""

    name: str
    family: str  # "idefics3", "smolvlm" or "llava_onevision"
    config: dict
    seed: int
    dtype: str
    shards: int = 1
    faint: bool = False  # small embeddings: sensitive to the epsilon of the first norms
    saved_by_v5: bool = False  # tensor names and files as `save_pretrained` of transformers 5 writes them
    notes: str = ""
    prompts: tuple[str, ...] = ()  # which conversations are run; all where empty
    template_in: str = "chat_template.json"  # or "tokenizer_config.json", where older checkpoints have it

    @property
    def image(self) -> int:
        return self.config["vision_config"]["image_size"]

    @property
    def patch(self) -> int:
        return self.config["vision_config"]["patch_size"]


SMALL_TEXT = {"hidden_size": 48, "head_dim": 12, "intermediate_size": 96}
LEAST_TEXT = {"hidden_size": 32, "head_dim": 8, "intermediate_size": 64}
LLAVA_SMALL_TEXT = {"hidden_size": 48, "intermediate_size": 96}
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
    Checkpoint(
        "smolvlm-tied",
        "idefics3",
        configs.smolvlm_config(
            "idefics3", image=32, patch=8, scale=2, text=configs.smolvlm_text(2, **SMALL_TEXT), vision=SMALL_VISION
        )
        | {"tie_word_embeddings": True, "torch_dtype": "float16"},
        seed=1,
        dtype="float16",
        notes="Tied embeddings: no lm_head in the file. Two layers, widths 32 and 48.",
        prompts=("text-only", "two-images"),
    ),
    Checkpoint(
        "llava-onevision-untied",
        "llava_onevision",
        configs.llava_config(
            image=48,
            patch=8,
            text=configs.llava_text(2, **LLAVA_SMALL_TEXT, tie_word_embeddings=False, _name_or_path="Qwen/Qwen2-7B-Instruct"),
            vision=SMALL_VISION,
        ),
        seed=7,
        dtype="bfloat16",
        shards=3,
        faint=True,
        notes="As llava-onevision-qwen2-7b-ov-hf: output layer of its own, three shards with an index; an even grid (6 × 6).",
        prompts=("turns", "one-image", "one-video"),
        template_in="tokenizer_config.json",
    ),
    Checkpoint(
        "llava-onevision-v5",
        "llava_onevision",
        configs.llava_config(
            image=32, patch=8, text=configs.llava_text(2, **LLAVA_SMALL_TEXT), vision=SMALL_VISION
        ),
        seed=2,
        dtype="bfloat16",
        saved_by_v5=True,
        notes="Tensor names and files of transformers 5: model.language_model.…, model.vision_tower.…, chat_template.jinja.",
        prompts=("two-images", "one-video", "large-image"),
    ),
    Checkpoint(
        "smolvlm2-v5",
        "smolvlm",
        configs.smolvlm_config(
            "smolvlm", image=32, patch=8, scale=4, text=configs.smolvlm_text(2, **LEAST_TEXT), vision=SMALL_VISION
        ),
        seed=1,
        dtype="float32",
        faint=True,
        saved_by_v5=True,
        notes="float32; files of transformers 5: rope_parameters, processors nested in processor_config.json, chat_template.jinja.",
        prompts=("two-images", "one-video"),
    ),
]
BY_NAME = {checkpoint.name: checkpoint for checkpoint in CHECKPOINTS}


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_checkpoint(checkpoint: Checkpoint, root: Path, work: Path) -> Path:
    """Writes one folder, in the published layout or as transformers 5 saves it."""
    folder = (work if checkpoint.saved_by_v5 else root) / checkpoint.name
    folder.mkdir(parents=True)
    write_json(folder / "config.json", checkpoint.config)
    write_tensors(random_tensors(checkpoint.config, checkpoint.seed, checkpoint.faint), folder, checkpoint.dtype, checkpoint.shards)
    if checkpoint.family == "llava_onevision":
        _write_llava_files(checkpoint, folder)
    else:
        _write_smolvlm_files(checkpoint, folder)
    return _save_again(checkpoint, folder, root / checkpoint.name) if checkpoint.saved_by_v5 else folder


def _save_again(checkpoint: Checkpoint, source: Path, folder: Path) -> Path:
    model = AutoModelForImageTextToText.from_pretrained(source, dtype=DTYPES[checkpoint.dtype])
    # True, the default, would give back the names of the file that was read.
    model.save_pretrained(folder, save_original_format=False)
    AutoProcessor.from_pretrained(source).save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


def _write_template(checkpoint: Checkpoint, folder: Path, tokenizer_config: dict, template: str) -> None:
    if checkpoint.template_in == "tokenizer_config.json":
        tokenizer_config = tokenizer_config | {"chat_template": template}
    else:
        write_json(folder / checkpoint.template_in, {"chat_template": template})
    write_json(folder / "tokenizer_config.json", tokenizer_config)


def _write_smolvlm_files(checkpoint: Checkpoint, folder: Path) -> None:
    family = checkpoint.family
    text = tokenizer_files.smolvlm_tokenizer()
    tokenizer = Tokenizer.from_str(text)
    for token, name in (("<|im_start|>", "im_start"), ("<image>", "image"), ("<end_of_utterance>", "end_of_utterance")):
        assert tokenizer.token_to_id(token) == configs.SMOLVLM_IDS[name], token
    assert tokenizer.get_vocab_size() <= checkpoint.config["text_config"]["vocab_size"]
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    tokens = (checkpoint.image // checkpoint.patch) ** 2 // checkpoint.config["scale_factor"] ** 2
    _write_template(checkpoint, folder, configs.smolvlm_tokenizer_config(family), configs.SMOLVLM_TEMPLATE)
    write_json(
        folder / "preprocessor_config.json", configs.smolvlm_preprocessor(family, checkpoint.image, splitting=True)
    )
    write_json(
        folder / "processor_config.json",
        {"image_seq_len": tokens, "processor_class": "Idefics3Processor" if family == "idefics3" else "SmolVLMProcessor"},
    )
    write_json(folder / "generation_config.json", configs.SMOLVLM_GENERATION)


def _write_llava_files(checkpoint: Checkpoint, folder: Path) -> None:
    text = tokenizer_files.qwen_tokenizer()
    tokenizer = Tokenizer.from_str(text)
    for token, name in (("<|endoftext|>", "endoftext"), ("<|im_end|>", "im_end"), ("<image>", "image"), ("<video>", "video")):
        assert tokenizer.token_to_id(token) == configs.LLAVA_IDS[name], token
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    _write_template(checkpoint, folder, configs.LLAVA_TOKENIZER_CONFIG, configs.LLAVA_TEMPLATE)
    write_json(folder / "preprocessor_config.json", configs.llava_preprocessor(checkpoint.image))
    write_json(folder / "processor_config.json", configs.llava_processor(checkpoint.image, checkpoint.patch))
    write_json(folder / "generation_config.json", configs.LLAVA_GENERATION)
