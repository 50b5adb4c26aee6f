"""The conversations that each family is asked, in the message format of Hugging Face chat templates.

An image part names its picture; a video part names its frames, their numbers in the source, and the source's rate.
"""

FRAMES = [f"160x120-f{i}" for i in range(6)]
TALL_FRAMES = [f"97x171-f{i}" for i in range(3)]


def text(value: str) -> dict:
    return {"type": "text", "text": value}


def image(name: str) -> dict:
    return {"type": "image", "picture": name}


def video(frames: list[str], *, every: int = 30, fps: float = 30.0, total: int = 180) -> dict:
    return {
        "type": "video",
        "frames": frames,
        "frameNumbers": [every * i for i in range(len(frames))],
        "sourceFps": fps,
        "sourceFrameCount": total,
    }


def turn(role: str, *content: dict) -> dict:
    return {"role": role, "content": list(content)}


SYSTEM = turn("system", text("You are a helpful assistant. Answer briefly."))
TEXT_ONLY = [SYSTEM, turn("user", text("What happened after the red car stopped?"))]
ONE_IMAGE = [turn("user", image("320x240-a"), text("Describe the picture."))]
TWO_IMAGES = [
    turn(
        "user", image("320x240-a"), text("This is the first picture. And this is the second: "),
        image("101x57-a"), text("What was different before and after?"),
    )
]  # fmt: skip
TURNS = [
    SYSTEM,
    turn("user", image("640x360-a"), text("How many people are in the room?")),
    turn("assistant", text("There are 3 people in the room, and 12 chairs.")),
    turn("user", image("33x500-a"), text("And now?")),
    turn("assistant", text("Nobody.")),
    turn("user", text("Who is at the door? I can't see anyone.")),
]
TEXT_FIRST = [turn("user", text("Où est la bibliothèque? 你好 👍🏽  42% \n"), image("64x64-a"), text("\tAnswer with one word."))]
ONE_VIDEO = [turn("user", video(FRAMES[:4]), text("Describe this video in detail."))]
VIDEO_TURNS = [
    SYSTEM,
    turn("user", video(FRAMES[:3], every=45), text("Is the door open?")),
    turn("assistant", text("In the first frame the door is closed.")),
    turn("user", video(TALL_FRAMES, every=250, fps=25.0, total=9000), text("Who went through the door?")),
]
LONG_VIDEO = [turn("user", video(FRAMES, every=1, fps=0.1, total=600), text("Count the boats."))]

CONVERSATIONS: dict[str, dict[str, list[dict]]] = {
    "idefics3": {
        "text-only": TEXT_ONLY,
        "one-image": ONE_IMAGE,
        "two-images": TWO_IMAGES,
        "turns": TURNS,
        "text-first": TEXT_FIRST,
        "split-image": [turn("user", image("500x33-a"), text("Describe the picture."))],
    },
    "smolvlm": {
        "text-only": TEXT_ONLY,
        "two-images": TWO_IMAGES,
        "one-video": ONE_VIDEO,
        "video-turns": VIDEO_TURNS,
        "long-video": LONG_VIDEO,
    },
    "llava_onevision": {
        "text-only": TEXT_ONLY,
        # One image in a prompt is cut into tiles; several are each one padded square; frames are pooled.
        "one-image": [turn("user", image("101x57-a"), text("Describe the picture."))],
        "two-images": TWO_IMAGES,
        "turns": TURNS,
        "one-video": ONE_VIDEO,
        "video-turns": VIDEO_TURNS,
        # 24 tiles: more than nine, so their features are shrunk.
        "large-image": [turn("user", image("320x240-a"), text("Describe the picture."))],
        "image-and-video": [turn("user", image("64x64-a"), video(FRAMES[:2]), text("Was the car in the video?"))],
    },
}


# Pictures are cut into tiles (the published default for pictures; frames of a video never are) in these only.
SPLITTING = {"split-image"}
# Many tiles, many bytes: run only by checkpoints that name them.
LARGE = {"large-image"}


def pictures_of(messages: list[dict]) -> list[str]:
    return [part["picture"] for message in messages for part in message["content"] if part["type"] == "image"]


def videos_of(messages: list[dict]) -> list[dict]:
    return [part for message in messages for part in message["content"] if part["type"] == "video"]


def for_template(messages: list[dict]) -> list[dict]:
    """The messages as a chat template sees them: no pictures."""
    return [
        {
            "role": message["role"],
            "content": [
                part if part["type"] == "text" else {"type": part["type"]} for part in message["content"]
            ],
        }
        for message in messages
    ]
