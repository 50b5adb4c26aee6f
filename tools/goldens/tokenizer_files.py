"""Small byte-level BPE tokenizers whose files are laid out as those of the real repositories.

SmolVLM: SmolLM2's tokenizer (single digits, then GPT-2 byte-level split), image tokens after the learned vocabulary.
LLaVA-OneVision: Qwen2's tokenizer (NFC, one regular expression, then bytes), merges written as strings.
"""

import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from corpus import TEXT

SMOLLM_SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>", "<filename>",
    "<gh_stars>", "<issue_start>", "<issue_comment>", "<issue_closed>", "<jupyter_start>", "<jupyter_text>",
    "<jupyter_code>", "<jupyter_output>", "<jupyter_script>", "<empty_output>",
]  # fmt: skip
SMOLVLM_ADDED = [
    "<global-img>",
    *[f"<row_{row}_col_{col}>" for row in range(1, 7) for col in range(1, 7)],
    "<fake_token_around_image>",
    "<image>",
    *[f"<|reserved_special_token_{i}|>" for i in range(4)],
    "<end_of_utterance>",
]
QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"]


def _special(names: list[str]) -> list[AddedToken]:
    return [AddedToken(name, special=True, normalized=False) for name in names]


def smolvlm_tokenizer(merges: int = 240) -> str:
    """The text of tokenizer.json for the SmolVLM family."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=True, trim_offsets=True, use_regex=True)
    _train(tokenizer, _special(SMOLLM_SPECIAL), merges)
    tokenizer.add_special_tokens(_special(SMOLVLM_ADDED))
    return tokenizer.to_str(pretty=False)


def qwen_tokenizer(merges: int = 260) -> str:
    """The text of tokenizer.json for LLaVA-OneVision."""
    tokenizer = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix=""))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_SPLIT), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    _train(tokenizer, [], merges)
    tokenizer.add_special_tokens(_special(QWEN_SPECIAL))
    document = json.loads(tokenizer.to_str(pretty=False))
    # Files saved before tokenizers 0.20 (the published LLaVA-OneVision ones) have each merge as one string.
    document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _train(tokenizer: Tokenizer, special: list[AddedToken], merges: int) -> None:
    trainer = trainers.BpeTrainer(
        vocab_size=len(special) + 256 + merges,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT.strip().split("\n"), trainer)
