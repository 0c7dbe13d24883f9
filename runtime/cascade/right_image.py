"""Step "warp_right": the later graph compares the left image with the right one, warped by the disparity so far."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatImage, Size
from roma_device.runtime.card import Stage

from .found import Found
from .graph import RunnableGraph
from .warp import INPUTS, WarpRight

GIVEN = ({"disparity", "certainty"}, {"parts", "certainty"})


class RightImage:
    """Per frame nothing of the size of an image is allocated."""

    def __init__(self, _: Stage, size: Size) -> None:
        self._warp, self._found = WarpRight(size), Found(size)
        self._right: FloatImage = np.empty((0, 0), np.float32)

    @staticmethod
    def mistake(_: Stage, before: Stage, stage: Stage) -> str:
        given, taken = ({spec.name for spec in specs} for specs in (before.outputs, stage.inputs))
        if given in GIVEN and taken == set(INPUTS):
            return ""
        return (
            f"the host warps the right image, from disparity or parts and certainty to {', '.join(INPUTS)}; the card "
            f"has {', '.join(sorted(given))} and {', '.join(sorted(taken))}"
        )

    def begin(self, first: RunnableGraph, inputs: Mapping[str, AnyArray]) -> None:
        np.copyto(inputs["left"], first.inputs["left"])
        self._right = first.inputs["right"][0, 0]

    def __call__(self, found: Mapping[str, AnyArray], inputs: Mapping[str, AnyArray]) -> None:
        self._found.read(found)
        self._warp(self._right, self._found.disparity_px, self._found.certainty, inputs)
