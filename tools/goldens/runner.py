"""Runs one checkpoint in Transformers: prompt to tensors, tensors to features, logits and greedy text."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor, GenerationConfig
from transformers.video_utils import VideoMetadata

from images import picture
from prompts import for_template, pictures_of, videos_of

VISION_INPUTS = ("pixel_values", "pixel_attention_mask", "pixel_values_videos", "image_sizes", "batch_num_images")
NEW_TOKENS = 32


@dataclass
class Prompt:
    """One conversation, ready for the model. `inputs` holds token ids and the vision tensors."""

    rendered: str
    expanded: str
    inputs: dict[str, torch.Tensor]

    @property
    def ids(self) -> list[int]:
        return self.inputs["input_ids"][0].tolist()

    @property
    def vision(self) -> dict[str, torch.Tensor]:
        return {name: self.inputs[name] for name in VISION_INPUTS if name in self.inputs}


class Runner:
    def __init__(self, folder: Path, family: str, dtype: torch.dtype = torch.float32):
        self.family = family
        self.processor = AutoProcessor.from_pretrained(folder)
        # None lets the processor choose: SmolVLM's takes another template where there is a video.
        self.template = None if self.processor.chat_template else self.processor.tokenizer.chat_template
        # The PIL processor is the one that checkpoints were trained with; torchvision's is compared in preprocess.py.
        self.processor.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
        assert type(self.processor.image_processor).__name__.endswith("Pil")
        self.model, info = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
        problems = {key: value for key, value in info.items() if value}
        assert not problems, f"{folder.name}: Transformers reports {problems}"
        self.model = self.model.to(dtype).eval()
        # The published defaults (sampling, penalties) would leak into every call below.
        self.model.generation_config = GenerationConfig()

    def prompt(self, messages: list[dict], *, splitting: bool = False) -> Prompt:
        rendered = self.processor.apply_chat_template(
            for_template(messages), chat_template=self.template, add_generation_prompt=True
        )
        # PIL images: an array of 1 × 1 × 3 would be taken for one with its channels first.
        pictures = [Image.fromarray(picture(name)) for name in pictures_of(messages)]
        videos = videos_of(messages)
        arguments: dict = {}
        if pictures:
            # One list per prompt: LLaVA-OneVision treats several pictures of one prompt unlike one.
            arguments["images"] = [pictures]
            if self.family != "llava_onevision":
                arguments["images_kwargs"] = {"do_image_splitting": splitting}
        if videos:
            arguments["videos"] = [np.stack([picture(name) for name in part["frames"]]) for part in videos]
            arguments["videos_kwargs"] = {
                "do_sample_frames": False,
                "video_metadata": [
                    VideoMetadata(
                        total_num_frames=part["sourceFrameCount"],
                        fps=part["sourceFps"],
                        duration=part["sourceFrameCount"] / part["sourceFps"],
                        frames_indices=part["frameNumbers"],
                    )
                    for part in videos
                ],
            }
        batch = self.processor(text=[rendered], return_tensors="pt", **arguments)
        inputs = {name: value for name, value in batch.items() if isinstance(value, torch.Tensor)}
        expanded = self.processor.tokenizer.decode(inputs["input_ids"][0], skip_special_tokens=False)
        return Prompt(rendered, expanded, inputs)

    @torch.no_grad()
    def logits(self, prompt: Prompt) -> torch.Tensor:
        """float32 [T, V]: logits after each token of the prompt."""
        return self.model(**self._cast(prompt.inputs)).logits[0].float()

    @torch.no_grad()
    def greedy(self, prompt: Prompt, count: int = NEW_TOKENS) -> tuple[list[int], float]:
        """`count` tokens, never stopping, and the least difference between the best and the second logit."""
        ids = self._generate(prompt, count, use_cache=True)
        return ids, self._margin(prompt, ids)

    @torch.no_grad()
    def check_cache(self, prompt: Prompt, ids: list[int]) -> None:
        """With and without a cache, the text is the same."""
        assert self._generate(prompt, len(ids), use_cache=False) == ids

    def _generate(self, prompt: Prompt, count: int, **options: object) -> list[int]:
        config = GenerationConfig(**({"do_sample": False, "pad_token_id": 0, "max_new_tokens": count} | options))
        out = self.model.generate(**prompt.inputs, generation_config=config)
        return out[0, prompt.inputs["input_ids"].shape[1] :].tolist()

    def generate(self, prompt: Prompt, count: int, **options: object) -> list[int]:
        with torch.no_grad():
            return self._generate(prompt, count, use_cache=True, **options)

    def _margin(self, prompt: Prompt, ids: list[int]) -> float:
        inputs = dict(prompt.inputs)
        extended = torch.cat([inputs["input_ids"], torch.tensor([ids])], dim=1)
        inputs["input_ids"] = extended
        inputs["attention_mask"] = torch.ones_like(extended)
        inputs.pop("token_type_ids", None)
        if set(ids) & set(self.placeholders):
            return 0.0  # a placeholder in the answer would be taken for a picture
        logits = self.model(**self._cast(inputs)).logits[0, len(prompt.ids) - 1 : -1].float()
        best = logits.topk(2, dim=-1)
        assert best.indices[:, 0].tolist() == ids, "one pass over prompt and answer gives the same greedy tokens"
        return (best.values[:, 0] - best.values[:, 1]).min().item()

    @property
    def placeholders(self) -> list[int]:
        config = self.model.config
        return [config.image_token_id, *([config.video_token_id] if self.family == "llava_onevision" else [])]

    @torch.no_grad()
    def features(self, prompt: Prompt) -> dict[str, torch.Tensor]:
        """Encoder output and what goes into the decoder, float32, for images and for videos."""
        captured: list[torch.Tensor] = []
        core = self.model.model
        # What the connector or projector receives is the encoder's output, whatever layer the config selects.
        target = core.multi_modal_projector if self.family == "llava_onevision" else core.connector
        hook = target.register_forward_pre_hook(lambda _module, args: captured.append(args[0]))
        after: list[torch.Tensor] = []
        post = target.register_forward_hook(lambda _module, _args, result: after.append(result))
        out: dict[str, torch.Tensor] = {}
        try:
            for kind in ("image", "video"):
                tokens = self._tokens_of(kind, prompt)
                if tokens is None:
                    continue
                out[f"{kind}.encoded"] = captured.pop().float()
                projected = after.pop().float()
                if self.family == "llava_onevision":
                    out[f"{kind}.projected"] = projected
                out[f"{kind}.tokens"] = tokens.float()
        finally:
            hook.remove()
            post.remove()
        return out

    def _tokens_of(self, kind: str, prompt: Prompt) -> torch.Tensor | None:
        inputs = self._cast(prompt.inputs)
        if self.family != "llava_onevision":
            if kind == "video" or "pixel_values" not in inputs:
                return None
            options = {"pixel_attention_mask": inputs.get("pixel_attention_mask")}
            result = self.model.get_image_features(inputs["pixel_values"], **options)
            return torch.cat(list(result.pooler_output), dim=0)
        if kind == "image" and "pixel_values" in inputs:
            result = self.model.get_image_features(
                inputs["pixel_values"], inputs["image_sizes"], batch_num_images=inputs["batch_num_images"]
            )
            return torch.cat(list(result.pooler_output), dim=0)
        if kind == "video" and "pixel_values_videos" in inputs:
            return self.model.get_video_features(inputs["pixel_values_videos"]).pooler_output.flatten(0, 1)
        return None

    def _cast(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        dtype = self.model.dtype
        return {name: value.to(dtype) if value.is_floating_point() else value for name, value in inputs.items()}
