"""Makes test/goldens from nothing. Running it twice gives the same bytes."""

import argparse
import shutil
from pathlib import Path

import torch

from checkpoints import CHECKPOINTS, write_checkpoint
from files import write_json
from images import describe
from reference import write_reference

DEFAULT_OUT = Path(__file__).resolve().parents[2] / "test" / "goldens"
MADE = ("checkpoints", "expected")  # folders that this script owns; the README beside them is written by hand


def make(out: Path) -> None:
    torch.set_num_threads(1)  # sums in one order
    torch.use_deterministic_algorithms(True)
    for name in MADE:
        shutil.rmtree(out / name, ignore_errors=True)
    write_json(out / "expected" / "pictures.json", describe())
    for checkpoint in CHECKPOINTS:
        print(checkpoint.name, flush=True)
        folder = write_checkpoint(checkpoint, out / "checkpoints")
        write_reference(checkpoint, folder, out / "expected")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    make(parser.parse_args().out)


if __name__ == "__main__":
    main()
