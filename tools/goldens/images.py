"""Input pictures by integer formula, the same in Python and TypeScript: nothing is drawn, decoded or downloaded."""

import hashlib

import numpy as np


def scene(width: int, height: int, seed: int) -> np.ndarray:
    """uint8 [height, width, 3]: ramps, a disc, a checker and a strip of fine texture.

    Every value is an integer below 2**53, so JavaScript numbers give the same bytes.
    """
    x = np.arange(width, dtype=np.int64)[None, :].repeat(height, 0)
    y = np.arange(height, dtype=np.int64)[:, None].repeat(width, 1)
    red = 255 * x // max(width - 1, 1)
    green = 255 * y // max(height - 1, 1)
    blue = (x * 7 + y * 11 + seed * 37) % 256
    # A strip on the left whose neighbouring pixels differ wildly: it shows which filter a resize used.
    texture = (x * 374761393 + y * 668265263 + seed * 1274126177) % 2**32 // 2**24
    strip = 4 * x < width
    red, green, blue = (np.where(strip, (c + texture) % 256, c) for c in (red, green, blue))
    checker = (2 * x >= width) & (2 * y >= height) & ((x // 8 + y // 8) % 2 == 0)
    red, green, blue = (np.where(checker, v, c) for v, c in ((20, red), (30, green), (200, blue)))
    centre_x = width * (2 + seed % 3) // 6
    centre_y = height * (1 + seed % 4) // 5
    radius = min(width, height) // 4
    disc = (x - centre_x) ** 2 + (y - centre_y) ** 2 <= radius * radius
    disc_colour = (230, (40 + seed * 50) % 256, 60)
    red, green, blue = (np.where(disc, v, c) for v, c in zip(disc_colour, (red, green, blue)))
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


# name -> (width, height, seed). Names say the size; the letter tells pictures of one size apart.
PICTURES: dict[str, tuple[int, int, int]] = {
    "320x240-a": (320, 240, 1),
    "320x240-b": (320, 240, 2),
    "640x360-a": (640, 360, 3),
    "101x57-a": (101, 57, 4),
    "64x64-a": (64, 64, 5),
    "1x1-a": (1, 1, 6),
    "33x500-a": (33, 500, 7),
    "500x33-a": (500, 33, 8),
    "1280x720-a": (1280, 720, 9),
    **{f"160x120-f{i}": (160, 120, 10 + i) for i in range(6)},
    **{f"97x171-f{i}": (97, 171, 20 + i) for i in range(3)},
}


def picture(name: str) -> np.ndarray:
    """uint8 [height, width, 3] of a picture named in PICTURES."""
    return scene(*PICTURES[name])


def describe() -> dict[str, dict[str, object]]:
    """Size, seed and hash of every picture, so that a port of the formula can be checked byte for byte."""
    return {
        name: {
            "width": width,
            "height": height,
            "seed": seed,
            "sha256": hashlib.sha256(scene(width, height, seed).tobytes()).hexdigest(),
        }
        for name, (width, height, seed) in PICTURES.items()
    }
