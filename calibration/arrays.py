"""Arrays and sizes that pass between functions; axes and units of each array stand beside its use."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Size(NamedTuple):
    """Width and height of an image in px."""

    width: int
    height: int

    @classmethod
    def of(cls, image: npt.NDArray[Any]) -> Size:
        """The size of ``image`` (H, W[, C])."""
        return cls(image.shape[1], image.shape[0])

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


AnyArray = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]
"""(H, W) grey or (H, W, 3) BGR."""

GreyImage = npt.NDArray[np.uint8]
"""(H, W)."""

FloatImage = npt.NDArray[np.float32]
"""(H, W[, C])."""
