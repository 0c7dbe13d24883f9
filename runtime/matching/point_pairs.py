"""Point correspondences of two images: what every matcher gives, and every pose starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray, Mask


@dataclass(frozen=True, slots=True, eq=False)
class PointPairs:
    """Point correspondences: pixel centres at integers, in the images as they were matched.

    ``block`` tells which points may share one error: those that a network matched in one area have the same
    number. None: every point was found by itself. ``confirmed``: of the patches that could be followed from image to
    image, the share that came to lie where their match has them. None: that was not looked at. ``doubt``: what the
    matcher saw that speaks against them, as a clause for the user.
    """

    a: FloatArray  # (N, 2) px (x, y) in the first image
    b: FloatArray  # (N, 2) px in the second
    certainty: FloatArray  # (N,) in [0, 1]
    block: IntArray | None = None  # (N,)
    confirmed: float | None = None  # 0 to 1
    doubt: str | None = None

    def __len__(self) -> int:
        return len(self.a)

    @classmethod
    def none(cls) -> PointPairs:
        return cls(np.empty((0, 2)), np.empty((0, 2)), np.empty(0))

    def __getitem__(self, chosen: Mask | IntArray) -> PointPairs:
        """The points that a mask or indices choose."""
        block = None if self.block is None else self.block[chosen]
        return replace(self, a=self.a[chosen], b=self.b[chosen], certainty=self.certainty[chosen], block=block)
