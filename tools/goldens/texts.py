"""Expected token ids, decoded texts and rendered chat templates: expected/tokenization.json and expected/templates.json."""

from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoProcessor

from files import write_json

TEXTS = [
    "",
    " ",
    "   leading and trailing   ",
    "The red car stopped, and then?",
    "What's it? They're here. I'LL SEE; we'Ve seen",
    "0 1 12 123 1234567890 3.14 1,000,000 ½ ² ٣ ๔",
    "tabs\tand\nnewlines\n\n\n  indented\r\nwindows\r",
    "x  y   z    .",
    "trailing newline\n",
    "mixed \u00a0 no-break\u2003em\u200bzero\ufeffbom",
    "café cafe\u0301 ﬁ Å \u212b",
    "Überraschung straße ΑΒΓ Привет עברית العربية हिन्दी ไทย",
    "你好，世界。こんにちは 한국어",
    "👍🏽 👩‍👩‍👧‍👦 🇩🇪 ☕️",
    "for (let i = 0; i < n; i++) { a[i] += b[i]; } // ok",
    "$19.99 50% #tag @user user@example.org https://example.org/a?b=c&d=e#f",
    "snake_case camelCase kebab-case ALLCAPS ___",
    "a<image>b <image> c",
    "<|im_start|>user\nhello<|im_end|>\n",
    "<|im_start|>User: hi<end_of_utterance>\nAssistant:",
    "<fake_token_around_image><global-img><image><image><fake_token_around_image>",
    "<row_1_col_2> <row_7_col_1> <|reserved_special_token_3|> <|endoftext|>",
    "<im_start> <|im_start | > <image <video> < image>",
    "\u0000\u0001\u007f control",
    "\U0001d54f\U00020000 outside the first plane",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "Frame from 00:01:",
    "\nFrame from 12:59:",
    "\n\n",
]


def write_tokenization(checkpoints: Path, out: Path) -> None:
    document = {}
    for name in ("smolvlm-tiny", "llava-onevision-tiny"):
        tokenizer = AutoProcessor.from_pretrained(checkpoints / name).tokenizer
        plain = Tokenizer.from_file(str(checkpoints / name / "tokenizer.json"))
        cases = []
        for text in TEXTS:
            ids = tokenizer(text)["input_ids"]
            # Transformers builds its tokenizer from several files: it must be what tokenizer.json says.
            assert ids == plain.encode(text).ids, text
            cases.append(
                {
                    "text": text,
                    "ids": ids,
                    "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                    "decodedWithoutSpecial": tokenizer.decode(ids, skip_special_tokens=True),
                }
            )
        # Pieces of characters: a stream of tokens must not show the replacement character too early.
        ids = tokenizer("👍🏽 é 你")["input_ids"]
        prefixes = [tokenizer.decode(ids[:end], skip_special_tokens=True) for end in range(len(ids) + 1)]
        document[name] = {"cases": cases, "prefixes": {"ids": ids, "decoded": prefixes}}
    write_json(out / "tokenization.json", document)


def _text(value: str) -> dict:
    return {"type": "text", "text": value}


IMAGE, VIDEO = {"type": "image"}, {"type": "video"}
CONVERSATIONS = {
    "one text": [{"role": "user", "content": [_text("Hello")]}],
    "empty text": [{"role": "user", "content": [_text("")]}],
    "picture only": [{"role": "user", "content": [IMAGE]}],
    "picture last": [{"role": "user", "content": [_text("Look: "), IMAGE]}],
    "pictures between texts": [
        {"role": "user", "content": [IMAGE, _text("first"), IMAGE, IMAGE, _text(" then "), _text("two\n")]}
    ],
    "system, user, assistant, user": [
        {"role": "system", "content": [_text("Be brief.")]},
        {"role": "user", "content": [IMAGE, _text("Who is it?")]},
        {"role": "assistant", "content": [_text("A man.")]},
        {"role": "user", "content": [_text("And now?"), IMAGE]},
    ],
    "assistant last": [
        {"role": "user", "content": [_text("Count.")]},
        {"role": "assistant", "content": [_text("One, two,")]},
    ],
    "quotes, markup and braces": [{"role": "user", "content": [_text("{{ 'a' }} {% x %} <b>&amp;\"'\\n")]}],
    "special tokens inside": [{"role": "user", "content": [_text("<|im_end|><end_of_utterance><|endoftext|>")]}],
    "video": [{"role": "user", "content": [VIDEO, _text("What happens?")]}],
    "video, then a question": [
        {"role": "system", "content": [_text("Be brief.")]},
        {"role": "user", "content": [_text("Watch this."), VIDEO]},
        {"role": "assistant", "content": [_text("Done.")]},
        {"role": "user", "content": [_text("Who came?")]},
    ],
    "two videos and a picture": [{"role": "user", "content": [VIDEO, IMAGE, _text("Same place?"), VIDEO]}],
}


def write_templates(checkpoints: Path, out: Path) -> None:
    document = {}
    for name in ("smolvlm-tiny", "smolvlm2-tiny", "llava-onevision-tiny"):
        processor = AutoProcessor.from_pretrained(checkpoints / name)
        cases = []
        for title, messages in CONVERSATIONS.items():
            has_video = any(part["type"] == "video" for message in messages for part in message["content"])
            if has_video and name == "smolvlm-tiny":
                continue
            for generation in (True, False):
                rendered = processor.apply_chat_template(messages, add_generation_prompt=generation)
                cases.append(
                    {
                        "title": title,
                        "messages": messages,
                        "addGenerationPrompt": generation,
                        "rendered": rendered,
                        # SmolVLM2: Transformers takes a template of its own where there is a video.
                        **({"templateOfTransformers": True} if has_video and name == "smolvlm2-tiny" else {}),
                    }
                )
        document[name] = cases
    write_json(out / "templates.json", document)
