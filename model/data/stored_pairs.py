"""Training pairs on disk, as the stream would make them: written by many processors, read beside a GPU.

``pairs.json`` says how they were made; ``NNNNNN.npz`` holds the batches of one draw of scenes (a pair and its mirror
image, in each light). Images are 8-bit grey, as the stream has them; truth is float32, so that nothing is lost.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from roma_device.calibration.storage.files import write_atomic
from roma_device.runtime.card import ModelError

from .stereo_pairs import PairBatch
from .texture_atlas import LEVELS, Atlas

RECIPE = "pairs.json"


def freeze(folder: Path, recipe: dict[str, Any]) -> None:
    """Write ``pairs.json``, or see that the one that is there says the same; raises ModelError and OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / RECIPE).exists():
        write_atomic(folder / RECIPE, json.dumps(recipe, indent=1).encode() + b"\n")
        return
    found = read_recipe(folder)
    for name, value in json.loads(json.dumps(recipe)).items():
        if found.get(name) != value:
            message = f"{folder} holds pairs with {name} {found.get(name)}, not {value}: take another folder"
            raise ModelError(message, exit_code=os.EX_USAGE)


def read_recipe(folder: Path) -> dict[str, Any]:
    """How the pairs in ``folder`` were made; raises ModelError."""
    path = folder / RECIPE
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        message = f"{folder} holds no pairs: python -m model.write_pairs --output {folder} writes them"
        raise ModelError(message, exit_code=os.EX_NOINPUT) from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ModelError(f"{path} is damaged")
    return found


def path_of(folder: Path, index: int) -> Path:
    """Where draw ``index`` is, or will be."""
    return folder / f"{index:06d}.npz"


def write(path: Path, batches: tuple[PairBatch, ...]) -> None:
    """All of it or nothing; raises OSError."""
    arrays = {
        f"{number}_{name}": _packed(name, getattr(batch, name)).numpy()
        for number, batch in enumerate(batches)
        for name in PairBatch.__slots__
    }
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)  # type: ignore[arg-type]
    write_atomic(path, data.getvalue())


def read(path: Path, count: int) -> tuple[PairBatch, ...]:
    """The ``count`` batches of a draw; raises ModelError."""
    try:
        with np.load(io.BytesIO(path.read_bytes())) as arrays:
            return tuple(
                PairBatch(*(_unpacked(name, arrays[f"{number}_{name}"]) for name in PairBatch.__slots__))
                for number in range(count)
            )
    except FileNotFoundError:
        message = f"{path} is not there: python -m model.write_pairs writes more pairs into the same folder"
        raise ModelError(message, exit_code=os.EX_NOINPUT) from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"{path} is damaged: remove it and have it written again ({error})") from None


def _packed(name: str, values: Tensor) -> Tensor:
    return (values * 255).round().to(torch.uint8) if name in ("left", "right") else values


def _unpacked(name: str, values: np.ndarray[Any, Any]) -> Tensor:
    tensor = torch.from_numpy(values)
    return tensor.to(torch.float32) / 255 if name in ("left", "right") else tensor


@dataclass(frozen=True, slots=True)
class StoredScenes:
    """Reads draw ``index`` of a folder: what a sampler is for a stream. Needs no GPU."""

    folder: Path
    per_draw: int
    size: tuple[int, int]

    def __call__(self, index: int) -> tuple[PairBatch, ...]:
        return read(path_of(self.folder, index), self.per_draw)


class StoredPairs:
    """Brings what was read to the device: what a renderer is for a stream."""

    def __init__(self, per_draw: int, device: torch.device) -> None:
        self.batches_per_scenes = per_draw
        side = 1 << (LEVELS - 1)
        self.atlas = Atlas(torch.zeros(1, side, side, device=device))  # tells the loader the device; never looked up

    def batches(self, scenes: tuple[PairBatch, ...]) -> tuple[PairBatch, ...]:
        return tuple(batch.to(self.atlas.device) for batch in scenes)


def stored_source(folder: Path, batch: int, size: tuple[int, int], device: torch.device) -> tuple[Any, Any]:
    """In place of a sampler and a renderer; raises ModelError where the folder's pairs are others."""
    recipe = read_recipe(folder)
    for name, asked in (("batch", batch), ("size", list(size))):
        if recipe.get(name) != asked:
            words = " ".join(map(str, recipe[name])) if isinstance(recipe.get(name), list) else recipe.get(name)
            raise ModelError(f"{folder} holds pairs for --{name} {words}", exit_code=os.EX_USAGE)
    per_draw = 2 * int(recipe["lights"])
    return StoredScenes(folder, per_draw, size), StoredPairs(per_draw, device)
