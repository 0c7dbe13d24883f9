"""Size of an image: width before height, as in OpenCV, where arrays have it the other way round."""

from __future__ import annotations

from typing import Any, NamedTuple

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
