"""Tensors of a model as its card describes them: shape, type, layout, and how many px a value stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import Size

DTYPES: dict[str, npt.DTypeLike] = {
    "float32": np.float32,
    "uint8": np.uint8,
    "int8": np.int8,
    "uint16": np.uint16,
    "int16": np.int16,
    "bfloat16": np.uint16,
}
"""Type in a card -> numpy's type of the engine's array; bfloat16 is its bits, see ``bfloat16.py``."""

STRIDES = (1, 2, 4, 8, 16)

Layout = Literal["NCHW", "NHWC", "NV12"]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output; a dimension of None may have any size."""

    name: str
    shape: tuple[int | None, ...]  # in the order of ``layout``
    dtype: str = "float32"
    layout: Layout = "NCHW"  # NV12: (1, H * 3 / 2, W, 1), the grey rows above those of colour
    stride: int | tuple[int, int] = 1  # px of the image per value, along both axes or as (rows, columns)

    @property
    def strides(self) -> tuple[int, int]:
        """Px of the image per value along its rows' direction (y) and along its columns' (x)."""
        return self.stride if isinstance(self.stride, tuple) else (self.stride, self.stride)

    @property
    def size(self) -> Size | None:
        """Width and height of the image, None where they are open."""
        height, width = self.shape[-2:] if self.layout == "NCHW" else self.shape[1:3]
        if height is None or width is None:
            return None
        rows, columns = self.strides
        return Size(width * columns, (height * 2 // 3 if self.layout == "NV12" else height) * rows)

    @property
    def storage(self) -> np.dtype[Any]:
        """What the engine's array consists of."""
        return np.dtype(DTYPES[self.dtype])

    def shape_at(self, size: Size) -> tuple[int, ...]:
        """The shape for an image of ``size``: open dimensions get their value."""
        rows, columns = self.strides
        width, height = size[0] // columns, size[1] // rows
        open_sizes = {
            "NCHW": (1,) * (len(self.shape) - 2) + (height, width),
            "NHWC": (1, height, width, 1),
            "NV12": (1, height * 3 // 2, width, 1),
        }[self.layout]
        return tuple(opened if known is None else known for known, opened in zip(self.shape, open_sizes, strict=True))
