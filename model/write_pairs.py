"""Write training pairs to disk, on as many workers as there are: ``python -m model.write_pairs --output DIR``.

    python -m model.write_pairs --textures PHOTOS --steps 20000 --output pairs --on dask://HOST:8786
    python -m model.train stereo --pairs pairs --steps 20000

The pairs are those that ``model.train`` would make by itself with the same options on a CPU, to the bit: a machine with
a GPU need not wait for its few processors. What is there already is not made again: a call that was interrupted goes
on, and one with more ``--steps`` adds to the folder. Workers must see the folders under the same names, and this clone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from roma_device.app.workers.results import results
from roma_device.runtime.card import ModelError

from .base.cli import run_tool
from .data.stereo_pairs import PairRenderer, SceneSampler
from .data.stored_pairs import freeze, path_of, write
from .train import add_pair_options, open_atlas, pair_source, parsed

SAY_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides on the pairs."""

    textures: Path | None
    atlas: Path | None
    patterns: int
    size: tuple[int, int]
    batch: int
    seed: int
    lights: int
    clean_share: float
    room_share: float
    close_share: float

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Recipe:
        values = {name: getattr(arguments, name) for name in cls.__slots__}
        paths = {name: values[name] and values[name].absolute() for name in ("textures", "atlas")}
        return cls(**values | paths | {"size": tuple(arguments.size)})

    def as_json(self) -> dict[str, Any]:
        """With what the textures are in place of where they lie."""
        values = {name: value for name, value in asdict(self).items() if name not in ("textures", "atlas")}
        return {**values, "textures_sha256": _textures_sha256(self)}

    def namespace(self) -> argparse.Namespace:
        return argparse.Namespace(**asdict(self))


@dataclass(frozen=True, slots=True)
class Draw:
    """What a worker is asked for."""

    recipe: Recipe
    textures_sha256: str
    index: int
    folder: Path


def written(draw: Draw) -> int:
    """Bytes of one file, which appears whole; raises ModelError and OSError."""
    if _textures_sha256(draw.recipe) != draw.textures_sha256:
        raise ModelError("the textures are others on this worker", exit_code=os.EX_CONFIG)
    torch.set_num_threads(1)
    sampler, renderer = _source(draw.recipe)
    path = path_of(draw.folder, draw.index)
    write(path, renderer.batches(sampler(draw.index)))
    return path.stat().st_size


@lru_cache(maxsize=1)
def _source(recipe: Recipe) -> tuple[SceneSampler, PairRenderer]:
    return pair_source(recipe.namespace(), torch.device("cpu"))


@lru_cache(maxsize=1)
def _textures_sha256(recipe: Recipe) -> str:
    return hashlib.sha256(open_atlas(recipe.namespace()).numpy().tobytes()).hexdigest()


def run(arguments: argparse.Namespace) -> None:
    """Write what the folder lacks."""
    recipe, folder = Recipe.of(arguments), arguments.output.absolute()
    freeze(folder, recipe.as_json())
    draws = -(-arguments.steps // (2 * recipe.lights))
    left = [index for index in range(draws) if not path_of(folder, index).exists()]
    asked = [Draw(recipe, _textures_sha256(recipe), index, folder) for index in left]
    done, total_bytes, started_s, said_s = 0, 0, time.monotonic(), time.monotonic()
    for _, size in results(arguments.on, None, written, asked, ModelError):
        done, total_bytes, now_s = done + 1, total_bytes + size, time.monotonic()
        if now_s - said_s > SAY_EVERY_S:
            said_s, rest_s = now_s, (now_s - started_s) / done * (len(left) - done)
            all_gb = total_bytes / done * draws / 1e9
            print(
                f"{draws - len(left) + done} of {draws} files, {all_gb:.1f} GB in all, {rest_s:.0f} s left", flush=True
            )
    print(f"{draws} files for {draws * 2 * recipe.lights} steps in {folder}, {done} of them new")


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Raises ModelError."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the pairs")
    parser.add_argument("--steps", type=int, default=30000, help="of the training that they are for (30000)")
    parser.add_argument("--on", default="local:1", help="local:N or dask://HOST:PORT, as for roma-device batch")
    add_pair_options(parser)
    arguments = parsed(parser, words)
    if min(arguments.steps, arguments.lights, arguments.batch) < 1:
        raise ModelError("--steps, --lights and --batch must be at least 1", exit_code=os.EX_USAGE)
    return arguments


if __name__ == "__main__":
    run_tool(lambda: run(parse()))
