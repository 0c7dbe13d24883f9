"""Detection of black and frozen frames, which come from a broken camera."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from roma_device.app.cameras import DropReason
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


@dataclass(slots=True)
class PairCheck:
    """Looks for what betrays a broken camera: both black is a dark room, one alone is not."""

    freezes: tuple[FreezeCheck, FreezeCheck] = field(default_factory=lambda: (FreezeCheck(), FreezeCheck()))

    def fault(self, left: Image, right: Image) -> DropReason | None:
        """Why the pair is no good, None where it is."""
        frozen = [check.look(image) for check, image in zip(self.freezes, (left, right), strict=True)]
        if any(frozen):
            return "frozen"
        return "black" if is_black(left) != is_black(right) else None
