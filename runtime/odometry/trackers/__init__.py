"""Trackers: who finds the points of one image again in another. One file each, named in TRACKERS."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from roma_device.runtime.types import Image

FloatArray = npt.NDArray[np.float64]

TRACKERS: dict[str, str] = {
    "klt": "roma_device.runtime.odometry.trackers.klt:KltTracker",
}
"""Name (as in ``odometry.tracker``) -> "module:Class" of those that need no model; made without arguments."""


class Tracker(Protocol):
    """Finds points of a rectified grey image again in a later one."""

    def follow(
        self, first: Image, second: Image, points: FloatArray, guess: FloatArray
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Where ``points`` (N, 2) px of ``first`` (H, W) are in ``second`` (H, W), and which of them were found.

        ``guess`` (N, 2) px is where a constant motion would take them; it may be far off.
        """

    def close(self) -> None:
        """Free what it holds until it is used again."""


def make_tracker(name: str) -> Tracker:
    """The tracker ``name`` of TRACKERS."""
    module, _, attribute = TRACKERS[name].partition(":")
    factory: Any = getattr(importlib.import_module(module), attribute)
    tracker: Tracker = factory()
    return tracker
