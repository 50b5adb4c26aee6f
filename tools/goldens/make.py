"""Makes test/goldens from nothing; with --check, makes it twice elsewhere and compares bytes with what is committed."""

import argparse
import filecmp
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TQDM_DISABLE", "1")

import torch  # noqa: E402
import transformers  # noqa: E402

from checkpoints import BY_NAME, CHECKPOINTS, write_checkpoint  # noqa: E402
from files import write_json  # noqa: E402
from images import describe  # noqa: E402
from positions import write_padded  # noqa: E402
from preprocess import write_preprocess  # noqa: E402
from prompts import CONVERSATIONS  # noqa: E402
from recipes import RECIPES, apply, channel_ratios, load, outliers  # noqa: E402
from reference import write_reference  # noqa: E402
from sampling import write_sampling  # noqa: E402
from texts import write_templates, write_tokenization  # noqa: E402
from weights import write_tensors  # noqa: E402

DEFAULT_OUT = Path(__file__).resolve().parents[2] / "test" / "goldens"
MADE = ("checkpoints", "expected")  # folders that this script owns; the README beside them is written by hand


def make(out: Path) -> None:
    torch.manual_seed(0)
    for name in MADE:
        shutil.rmtree(out / name, ignore_errors=True)
    checkpoints, expected = out / "checkpoints", out / "expected"
    write_json(expected / "pictures.json", describe())
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        for checkpoint in CHECKPOINTS:
            print(checkpoint.name, flush=True)
            folder = write_checkpoint(checkpoint, checkpoints, work)
            write_reference(checkpoint.name, checkpoint, folder, expected, checkpoint.prompts)
        _make_outliers(checkpoints, expected, work)
        print("processors", flush=True)
        write_preprocess(checkpoints, expected, work / "processors")
    write_tokenization(checkpoints, expected)
    write_templates(checkpoints, expected)
    write_padded(checkpoints, expected)
    write_sampling(checkpoints, expected)


def _make_outliers(checkpoints: Path, expected: Path, work: Path) -> None:
    for recipe in RECIPES:
        print(recipe.name, flush=True)
        base = BY_NAME[recipe.base]
        operations = outliers(recipe, base.config)
        folder = work / recipe.name
        shutil.copytree(checkpoints / recipe.base, folder)
        write_tensors(apply(operations, load(folder)), folder, "float32")
        more = {"operations": [operation.to_json() for operation in operations]}
        runner = write_reference(recipe.name, base, folder, expected, recipe.prompts, more)
        prompt = runner.prompt(CONVERSATIONS[base.family][recipe.prompts[0]])
        ratios = channel_ratios(runner, prompt)
        hit = [ratio for name, ratio in ratios.items() if "layers" in name and "out_proj" not in name]
        assert min(hit) > 10 and sorted(hit)[len(hit) // 2] > 20, ratios


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for name in MADE for path in (folder / name).rglob("*") if path.is_file())


def check() -> list[str]:
    """Names of files that differ between two runs, or between a run and the committed files."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        make(Path(first))
        make(Path(second))
        problems = []
        for other in (Path(second), DEFAULT_OUT):
            if _files(Path(first)) != _files(other):
                problems.append(f"{other}: other files")
            for name in _files(Path(first)):
                if not (other / name).is_file() or not filecmp.cmp(Path(first) / name, other / name, shallow=False):
                    problems.append(f"{other / name}: other bytes")
        return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # sums in one order
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    if not arguments.check:
        make(arguments.out)
        return
    problems = check()
    print("\n".join(problems) or "the same bytes twice, and as committed")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
