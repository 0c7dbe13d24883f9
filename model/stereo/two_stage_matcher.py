"""Two-stage stereo matching of 8-bit images in torch, with the host's warp between the passes: for measuring."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.base.loop import normalize
from roma_device.calibration.arrays import Size
from roma_device.runtime.cascade.doubt import FirstDoubt
from roma_device.runtime.cascade.warp import WarpRight
from roma_device.runtime.tensors.cells import from_parts

from .network import RowStereo
from .refinement import Refinement

Grey = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]
Second = Callable[[dict[str, Map]], tuple[Map, Map]]
"""The second stage in any engine: inputs by name -> parts and certainty."""
MULTIPLE = 32


class TwoStageMatcher:
    """The first stage alone where ``passes`` is 0."""

    def __init__(self, name: str, first: RowStereo, second: Refinement | Second | None, passes: int) -> None:
        self.name, self._first, self._passes = name, first.eval(), passes
        self._second = _in_torch(second.eval()) if isinstance(second, Refinement) else second

    def prepare(self, size: tuple[int, int]) -> None:
        """Nothing: torch takes any size."""

    @torch.no_grad()
    def match(self, left: Grey, right: Grey) -> tuple[Map, Map]:
        """Images (H, W) -> disparity in px and certainty, both (H, W)."""
        height, width = left.shape
        inputs = _tensor(left), _tensor(right)
        output = self._first.infer(*inputs)
        disparity_px, certainty = output.disparity_px[0, 0].numpy(), torch.sigmoid(output.trust_logit)[0, 0].numpy()
        if self._second is not None and self._passes:
            disparity_px, certainty = self._refined(inputs[0], inputs[1], disparity_px, certainty)
        enlarged = torch.nn.functional.interpolate(
            torch.from_numpy(certainty)[None, None], size=disparity_px.shape, mode="bilinear", align_corners=False
        )
        return disparity_px[:height, :width], enlarged[0, 0, :height, :width].numpy()

    def _refined(self, left: Tensor, right: Tensor, disparity_px: Map, certainty: Map) -> tuple[Map, Map]:
        assert self._second is not None
        _, _, height, width = left.shape
        warp, image = WarpRight(Size(width, height)), right[0, 0].numpy()
        cells = (height // 4, width // 2)
        inputs = {name: np.zeros((1, count, *cells), np.float32) for name, count in (("disparity", 2), ("hints", 4))}
        inputs |= {"left": left.numpy(), "warped": np.zeros((1, 1, height, width), np.float32)}
        last = {"certainty": np.zeros((1, 1, *cells), np.float32)}
        doubt = FirstDoubt(last)
        doubt.remember({"certainty": certainty[None, None]})
        for _ in range(self._passes):
            warp(image, disparity_px, certainty, inputs)
            parts, trust = self._second(inputs)
            disparity_px, certainty = np.maximum(from_parts(parts), 0), trust[0, 0]
        np.copyto(last["certainty"][0, 0], certainty)
        doubt.apply()
        return disparity_px, doubt.certainty[0, 0]


def _in_torch(network: Refinement) -> Second:
    def run(inputs: dict[str, Map]) -> tuple[Map, Map]:
        names = ("left", "warped", "disparity", "hints")
        parts, certainty = network(*(torch.from_numpy(inputs[name]) for name in names))
        return parts.numpy(), certainty.numpy()

    return run


def _tensor(image: Grey) -> Tensor:
    """Normalized (1, 1, H, W), filled up to a multiple of 32 px with its border, as on the device."""
    height, width = image.shape
    numbers = normalize(torch.from_numpy(image).float()[None, None] / 255)
    below, beside = -height % MULTIPLE, -width % MULTIPLE
    return torch.nn.functional.pad(numbers, (0, beside, 0, below), mode="replicate")
