"""Step "warp_features": the later graph compares features of the left image with those fetched from the right one.

It takes the place of grid_sample in the matchers of TinyRoMa (Edstedt et al., RoMa, CVPR 2024), so that no graph looks
up an index.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatImage, Size
from roma_device.runtime.card import Stage, TensorSpec
from roma_device.runtime.tensors.preprocess import remap_tables

from .graph import RunnableGraph

INPUTS = ("left", "warped", "matches")
ENLARGED = "enlarged"
"""Output of a stage whose successor has finer cells: its warp and certainty (1, 3, h, w) at the successor's."""


class RightFeatures:
    """Before the stage NAME, from the first graph's ``left_NAME`` and ``right_NAME``, both (1, C, h, w).

    ``matches`` (1, 3, h, w) are the ``warp`` so far (x and y in [-1, 1] from border to border) and the ``certainty``, 0
    where there is none yet; ``warped`` (1, C, h, w) are the right features at the warp, bilinear, with zeros outside.
    OpenCV 4 rounds positions to 1/32 of a cell.
    """

    def __init__(self, stage: Stage, _: Size) -> None:
        self._name = stage.name
        self._right: AnyArray = np.empty((0, 0, 0), np.float32)

    @staticmethod
    def mistake(first: Stage, before: Stage, stage: Stage) -> str:
        features, taken = _shapes(first.outputs), _shapes(stage.inputs)
        wanted = [f"{side}_{stage.name}" for side in ("left", "right")]
        if set(taken) != set(INPUTS) or not {"warp", ENLARGED} & {spec.name for spec in before.outputs}:
            return (
                f"the host fetches features at the warp so far, to {', '.join(INPUTS)}; the card has "
                f"{', '.join(sorted(_shapes(before.outputs)))} and {', '.join(sorted(taken))}"
            )
        if any(features.get(name) != taken["left"] for name in wanted) or taken["warped"] != taken["left"]:
            return f"left and warped must have the shape of the first graph's {' and '.join(wanted)}"
        return ""

    def begin(self, first: RunnableGraph, inputs: Mapping[str, AnyArray]) -> None:
        np.copyto(inputs["left"], first.outputs[f"left_{self._name}"])
        self._right = first.outputs[f"right_{self._name}"][0]

    def __call__(self, found: Mapping[str, AnyArray], inputs: Mapping[str, AnyArray]) -> None:
        matches = inputs["matches"]
        if ENLARGED in found and found[ENLARGED].shape == matches.shape:
            np.copyto(matches, found[ENLARGED])
        else:
            np.copyto(matches[:, :2], found["warp"])
            matches[:, 2:] = found.get("certainty", 0)
        fetch(self._right, matches[0, 0], matches[0, 1], inputs["warped"][0])


def fetch(features: AnyArray, x: FloatImage, y: FloatImage, out: AnyArray) -> None:
    """``features`` (C, h, w) at positions (h', w') in [-1, 1] into ``out`` (C, h', w'); no number fetches zeros."""
    height, width = features.shape[1:]
    maps = [np.nan_to_num(((place + 1) * count - 1) / 2, nan=-2.0) for place, count in ((x, width), (y, height))]
    tables = remap_tables(*(np.clip(places, -2, max(width, height) + 1, dtype=np.float32) for places in maps))
    for channel, target in zip(features, out, strict=True):
        cv2.remap(channel, *tables, cv2.INTER_LINEAR, dst=target, borderMode=cv2.BORDER_CONSTANT)


def _shapes(specs: tuple[TensorSpec, ...]) -> dict[str, tuple[int | None, ...]]:
    return {spec.name: spec.shape for spec in specs}
