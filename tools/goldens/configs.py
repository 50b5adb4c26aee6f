"""Files of the small checkpoints: the keys of the published ones, the sizes shrunk.

Keys that a published file leaves out (because they have the default) are left out here too.
"""

SMOLVLM_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
LLAVA_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + ' '}}{# Render all images first #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}"
    "{# Render all video then #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>' }}{% endfor %}"
    "{# Render all text next #}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\\n' + content['text'] }}{% endfor %}"
    "{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ '\\n' + content['text'] }}{% endgeneration %}{% endfor %}{% endif %}{{'<|im_end|>'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

# The small tokenizers' ids (asserted where the checkpoints are written).
SMOLVLM_IDS = {"im_start": 1, "pad": 2, "image": 551, "end_of_utterance": 556}
LLAVA_IDS = {"endoftext": 516, "im_end": 518, "image": 519, "video": 520}
SMOLVLM_VOCAB = 560
LLAVA_VOCAB = 528  # more rows than tokens, as in the published ones


def smolvlm_text(layers: int = 3, **changes: object) -> dict:
    config = {
        "_flash_attn_2_enabled": True,
        "_name_or_path": "None",
        "architectures": ["VLlama3ForCausalLM"],
        "head_dim": 16,
        "hidden_size": 64,
        "intermediate_size": 128,
        "is_llama_config": True,
        "max_position_embeddings": 8192,
        "model_type": "llama",
        "neftune_noise_alpha": 0.0,
        "num_attention_heads": 4,
        "num_hidden_layers": layers,
        "num_key_value_heads": 2,
        "pad_token_id": SMOLVLM_IDS["pad"],
        "pixel_shuffle_factor": 4,
        "qk_layer_norms": False,
        "rms_norm_eps": 1e-05,
        "rope_interleaved": False,
        "rope_theta": 100000,
        "torch_dtype": "bfloat16",
        "use_resampler": False,
        "vocab_size": SMOLVLM_VOCAB,
    }
    return config | changes


def smolvlm_config(model_type: str, *, image: int, patch: int, scale: int, text: dict, vision: dict | None = None) -> dict:
    """config.json of an Idefics3 (`idefics3`) or SmolVLM2 (`smolvlm`) checkpoint."""
    idefics = model_type == "idefics3"
    return {
        "architectures": ["Idefics3ForConditionalGeneration" if idefics else "SmolVLMForConditionalGeneration"],
        "image_token_id": SMOLVLM_IDS["image"],
        "model_type": model_type,
        **({} if idefics else {"pad_token_id": 128002}),
        "scale_factor": scale,
        "text_config": text | {"pixel_shuffle_factor": scale},
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.46.0" if idefics else "4.47.1",
        "use_cache": True if idefics else False,
        "use_reentrant_checkpointing": False,
        "vision_config": {
            "hidden_size": 48,
            "image_size": image,
            # The published small models leave these two at their defaults (3072 and 12), too large here.
            "intermediate_size": 96,
            "num_hidden_layers": 3,
            "max_image_size": {"longest_edge": image},
            "model_type": "idefics3" if idefics else "smolvlm_vision",
            "num_attention_heads": 2,
            "patch_size": patch,
            "size": {"longest_edge": image * 4},
            "tie_word_embeddings": False,
            "use_base_siglip": False,
            **(vision or {}),
        },
        "vocab_size": text["vocab_size"],
    }


def smolvlm_preprocessor(model_type: str, image: int, splitting: bool) -> dict:
    idefics = model_type == "idefics3"
    return {
        "do_convert_rgb": True,
        "do_image_splitting": splitting,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "Idefics3ImageProcessor" if idefics else "SmolVLMImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "max_image_size": {"longest_edge": image},
        "processor_class": "Idefics3Processor" if idefics else "SmolVLMProcessor",
        "resample": 1,
        "rescale_factor": 0.00392156862745098,
        "size": {"longest_edge": image * 4},
        **({} if idefics else {"video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": image}}}),
    }


def smolvlm_tokenizer_config(model_type: str) -> dict:
    extra = {
        "end_of_utterance_token": "<end_of_utterance>",
        "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>",
        "image_token": "<image>",
    }
    idefics = model_type == "idefics3"
    return {
        "add_prefix_space": False,
        "additional_special_tokens": ["<fake_token_around_image>", "<image>", "<end_of_utterance>"],
        "bos_token": "<|im_start|>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "<end_of_utterance>",
        **({} if idefics else extra | {"extra_special_tokens": extra}),
        "legacy": False,
        "model_max_length": 8192,
        "pad_token": "<|im_end|>",
        "processor_class": "Idefics3Processor" if idefics else "SmolVLMProcessor",
        "tokenizer_class": "GPT2Tokenizer",
        "truncation_side": "left",
        "unk_token": "<|endoftext|>",
        "vocab_size": 49152,
    }


def llava_text(layers: int = 3, **changes: object) -> dict:
    config = {
        "_name_or_path": "Qwen/Qwen2-0.5B-Instruct",
        "architectures": ["Qwen2ForCausalLM"],
        "bos_token_id": LLAVA_IDS["endoftext"],
        "eos_token_id": LLAVA_IDS["im_end"],
        "hidden_size": 64,
        "intermediate_size": 128,
        "max_window_layers": 24,
        "model_type": "qwen2",
        "num_attention_heads": 4,
        "num_hidden_layers": layers,
        "num_key_value_heads": 2,
        "rope_theta": 1000000.0,
        "sliding_window": 32768,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_sliding_window": False,
        "vocab_size": LLAVA_VOCAB,
    }
    return config | changes


def pinpoints(side: int, most: int = 6) -> list[list[int]]:
    """The published grid: every height × width of 1 to 6 tiles."""
    return [[side * row, side * col] for row in range(1, most + 1) for col in range(1, most + 1)]


def llava_config(*, image: int, patch: int, text: dict, vision: dict | None = None) -> dict:
    return {
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "ignore_index": -100,
        "image_grid_pinpoints": pinpoints(image),
        "image_token_index": LLAVA_IDS["image"],
        "model_type": "llava_onevision",
        "projector_hidden_act": "gelu",
        "text_config": text,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "transformers_version": "4.45.0.dev0",
        "use_image_newline_parameter": True,
        "video_token_index": LLAVA_IDS["video"],
        "vision_aspect_ratio": "anyres_max_9",
        "vision_config": {
            "hidden_size": 48,
            "image_size": image,
            "intermediate_size": 96,
            "model_type": "siglip_vision_model",
            "num_attention_heads": 2,
            "num_hidden_layers": 3,
            "patch_size": patch,
            "vision_use_head": False,
            **(vision or {}),
        },
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
    }


def llava_preprocessor(image: int) -> dict:
    return {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_grid_pinpoints": pinpoints(image),
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "LlavaOnevisionImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "LlavaOnevisionProcessor",
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "size": {"height": image, "width": image},
    }


def llava_processor(image: int, patch: int) -> dict:
    return {
        "image_token": "<image>",
        "num_image_tokens": (image // patch) ** 2,
        "processor_class": "LlavaOnevisionProcessor",
        "video_token": "<video>",
        "vision_feature_select_strategy": "full",
    }


LLAVA_TOKENIZER_CONFIG = {
    "add_prefix_space": False,
    "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
    "bos_token": None,
    "clean_up_tokenization_spaces": False,
    "eos_token": "<|im_end|>",
    "errors": "replace",
    "model_max_length": 32768,
    "pad_token": "<|endoftext|>",
    "processor_class": "LlavaOnevisionProcessor",
    "split_special_tokens": False,
    "tokenizer_class": "Qwen2Tokenizer",
    "unk_token": None,
}

SMOLVLM_GENERATION = {
    "_from_model_config": True,
    "bos_token_id": SMOLVLM_IDS["im_start"],
    "eos_token_id": SMOLVLM_IDS["end_of_utterance"],
    "pad_token_id": SMOLVLM_IDS["pad"],
    "transformers_version": "4.46.0",
}
LLAVA_GENERATION = {
    "bos_token_id": LLAVA_IDS["endoftext"],
    "do_sample": True,
    "eos_token_id": [LLAVA_IDS["im_end"], LLAVA_IDS["endoftext"]],
    "pad_token_id": LLAVA_IDS["endoftext"],
    "repetition_penalty": 1.1,
    "temperature": 0.7,
    "top_k": 20,
    "top_p": 0.8,
    "transformers_version": "4.45.0.dev0",
}
