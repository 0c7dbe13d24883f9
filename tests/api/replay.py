"""A camera of a program's own: frames that are there already, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any, ClassVar

from roma_device import Camera, StereoCalibration


class Replay(Camera):
    stored: ClassVar[tuple[list[Any], StereoCalibration]]  # what a specification gives

    def __init__(self, frames: list[Any], calibration: StereoCalibration | None = None, count: int | None = 1) -> None:
        """``count``: how often all frames come; None: without end."""
        self._frames, self._calibration, self._count = frames, calibration, count
        self.open = 0

    @classmethod
    def from_spec(cls, argument: str) -> Replay:
        return cls(*cls.stored, count=int(argument) if argument else None)

    @property
    def calibration(self) -> StereoCalibration | None:
        return self._calibration

    def frames(self) -> Iterator[Any]:
        yield from islice(cycle(self._frames), self._count and self._count * len(self._frames))

    def __enter__(self) -> Replay:
        self.open += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.open -= 1
