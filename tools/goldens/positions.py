"""Expected patch positions and features of pictures that fill a part of the square: expected/padded.json and .safetensors."""

from pathlib import Path

import torch
from transformers.models.idefics3.configuration_idefics3 import Idefics3VisionConfig
from transformers.models.idefics3.modeling_idefics3 import Idefics3VisionEmbeddings

from files import write_json, write_safetensors
from images import picture
from runner import Runner

# Patches per side: SmolVLM-256M (512 / 16), SmolVLM 2.2B (384 / 14), the small checkpoints; valid rows and columns.
GRIDS = [
    (side, rows, cols)
    for side in (32, 27, 14, 9, 8)
    for rows, cols in {(side, side), (side, (side + 1) // 2), (1, side), (max(side * 5 // 8, 1), max(side // 3, 1))}
]
# Valid height and width in pixels, of the top left part of picture 64x64-a.
PADDED = [(64, 40), (24, 64), (64, 64), (17, 9)]


@torch.no_grad()
def position_ids(side: int, rows: int, cols: int) -> list[int]:
    """What Transformers looks up in the position table, for each patch of the whole grid."""
    patch = 2
    config = Idefics3VisionConfig(hidden_size=4, image_size=side * patch, patch_size=patch)
    embeddings = Idefics3VisionEmbeddings(config)
    seen: list[torch.Tensor] = []
    embeddings.position_embedding.register_forward_pre_hook(lambda _module, args: seen.append(args[0]))
    mask = torch.zeros(1, side, side, dtype=torch.bool)
    mask[:, :rows, :cols] = True
    embeddings(torch.zeros(1, 3, side * patch, side * patch), mask)
    return seen[0][0].tolist()


@torch.no_grad()
def write_padded(checkpoints: Path, out: Path) -> None:
    grids = []
    for side, rows, cols in sorted(GRIDS):
        ids = position_ids(side, rows, cols)
        # The ids are a product of one list for rows and one for columns.
        by_row = [ids[row * side] // side for row in range(rows)]
        by_col = [ids[col] % side for col in range(cols)]
        for row in range(side):
            for col in range(side):
                valid = row < rows and col < cols
                assert ids[row * side + col] == (by_row[row] * side + by_col[col] if valid else 0)
        grids.append({"side": side, "rows": rows, "cols": cols, "rowPositions": by_row, "colPositions": by_col})
    runner = Runner(checkpoints / "smolvlm-tiny", "idefics3")
    whole = torch.from_numpy(picture("64x64-a")).permute(2, 0, 1).float() / 255 * 2 - 1
    pixels = torch.zeros(1, len(PADDED), 3, 64, 64)
    mask = torch.zeros(1, len(PADDED), 64, 64, dtype=torch.bool)
    for index, (height, width) in enumerate(PADDED):
        pixels[0, index, :, :height, :width] = whole[:, :height, :width]
        mask[0, index, :height, :width] = True
    result = runner.model.get_image_features(pixels, pixel_attention_mask=mask)
    tensors = {"encoded": result.last_hidden_state, "tokens": torch.cat(list(result.pooler_output))}
    document = {
        "grids": grids,
        "features": {
            "checkpoint": "smolvlm-tiny",
            "picture": "64x64-a",
            "valid": [list(size) for size in PADDED],
            "encoded": list(tensors["encoded"].shape),
            "tokens": list(tensors["tokens"].shape),
        },
    }
    write_json(out / "padded.json", document)
    write_safetensors(out / "padded.safetensors", tensors)
