"""Detection of black and frozen frames, which come from a broken camera."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from roma_device.calibration.arrays import Image

BLACK_LEVEL = 24
"""Grey levels: video black is 16, and a covered sensor adds little noise to it."""

FROZEN_AFTER = 10
"""Sensors are noisy: so many frames that are equal to the bit come from a camera that has stopped looking."""

ROW_STEP = 8
"""Rows that are looked at: every eighth, as it takes time."""


def is_black(image: Image) -> bool:
    """No pixel of the sampled rows is brighter than a covered sensor's."""
    return int(image[::ROW_STEP].max()) <= BLACK_LEVEL


@dataclass(slots=True)
class FreezeCheck:
    """Counts how often the images of one camera were equal in a row."""

    last: int = -1
    repeats: int = 0

    def look(self, image: Image) -> bool:
        """True from the FROZEN_AFTER-th repetition on until the picture changes."""
        digest = zlib.crc32(image[::ROW_STEP].tobytes())
        self.repeats = self.repeats + 1 if digest == self.last else 0
        self.last = digest
        return self.repeats >= FROZEN_AFTER
