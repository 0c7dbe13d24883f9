"""Feature trackers, by name or by a network: they find the points of one image again in another."""

from __future__ import annotations

from typing import Any, Protocol

from roma_device.calibration.arrays import FloatArray, Image, Mask
from roma_device.calibration.lucas_kanade import follow_there_and_back
from roma_device.runtime import registry

from .sparse_stereo import PATCH_PX

TRACKERS: dict[str, str] = {
    "klt": "roma_device.runtime.odometry.trackers:KltTracker",
}
"""Name (as in ``odometry.tracker``) -> "module:Class" of those that need no model; made without arguments."""


class Tracker(Protocol):
    """Feature tracker: finds points of a rectified grey image again in a later one."""

    def follow(self, first: Image, second: Image, points: FloatArray, guess: FloatArray) -> tuple[FloatArray, Mask]:
        """Where ``points`` (N, 2) px of ``first`` (H, W) are in ``second`` (H, W), and which of them were found.

        ``guess`` (N, 2) px is where a constant motion would take them; it may be far off.
        """

    def close(self) -> None:
        """Free what it holds until it is used again."""


def make_tracker(name: str) -> Tracker:
    """The tracker ``name`` of TRACKERS."""
    factory: Any = registry.load(TRACKERS, name)
    tracker: Tracker = factory()
    return tracker


LEVELS = 4
"""Halvings of the images: a guess may be off by some 80 px."""


class KltTracker:
    """KLT tracker: it aligns the patch of the first image itself, so that nothing drifts however long it goes on."""

    def follow(self, first: Image, second: Image, points: FloatArray, guess: FloatArray) -> tuple[FloatArray, Mask]:
        return follow_there_and_back(first, second, points, guess, LEVELS, PATCH_PX)

    def close(self) -> None:
        """Nothing is held."""
