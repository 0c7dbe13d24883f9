"""Relative-pose data sets: image pairs with known relative pose: one file for each layout, named in POSE_SETS."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from roma_device.app.evaluate.errors import EvaluationError
from roma_device.runtime import registry

from .pair import PosePair

Loader = Callable[[Path, Path], list[PosePair]]

POSE_SETS: dict[str, str] = {
    "own": "roma_device.app.evaluate.pose.datasets.own:load_own",
    "superglue": "roma_device.app.evaluate.pose.datasets.superglue:load_superglue",
    "megadepth": "roma_device.app.evaluate.pose.datasets.megadepth:load_megadepth",
    "scannet": "roma_device.app.evaluate.pose.datasets.scannet:load_scannet",
}
"""Layout -> "module:function" of the list's file and the images' folder."""


def load_pairs(path: Path, format_name: str | None = None, images: Path | None = None) -> list[PosePair]:
    """The pairs that ``path`` lists; a folder stands for all the .npz files in it. Raises EvaluationError.

    ``images``: the folder that the images' paths start from, by default that of the list.
    """
    if format_name is not None and format_name not in POSE_SETS:
        message = f"unknown format {format_name!r}; known: {', '.join(POSE_SETS)}"
        raise EvaluationError(message, exit_code=os.EX_USAGE)
    pairs: list[PosePair] = []
    for file in _files(path):
        load: Loader = registry.load(POSE_SETS, format_name or _format_of(file))
        pairs += load(file, images or file.parent)
    if not pairs:
        raise EvaluationError(f"{path}: there is no pair to evaluate", exit_code=os.EX_NOINPUT)
    return pairs


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise EvaluationError(f"{path}: no such file", exit_code=os.EX_NOINPUT)
    if not path.is_dir():
        return [path]
    if not (files := sorted(path.glob("*.npz"))):
        raise EvaluationError(f"{path}: the folder holds no .npz index", exit_code=os.EX_NOINPUT)
    return files


def _format_of(path: Path) -> str:
    if path.suffix == ".npz":
        from .archive import names_in

        return "megadepth" if "pair_infos" in names_in(path) else "scannet"
    return "own" if path.suffix == ".json" else "superglue"
