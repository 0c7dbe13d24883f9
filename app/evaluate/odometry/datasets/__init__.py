"""Odometry data sets: layouts of sequences with ground-truth poses. One file each, named in LAYOUTS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from roma_device.app.cameras import CameraError
from roma_device.app.cameras.images import read_image, to_8_bit
from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.odometry.read import Trajectory
from roma_device.calibration.arrays import Image
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime import registry
from roma_device.runtime.grey import grey

LAYOUTS: dict[str, str] = {
    "karlsruhe": "roma_device.app.evaluate.odometry.datasets.karlsruhe:KARLSRUHE",
    "kitti": "roma_device.app.evaluate.odometry.datasets.kitti:KITTI",
}
"""Name -> "module:LAYOUT"."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Rectified pairs of a sequence and where they were taken."""

    rig: RectifiedRig
    pairs: tuple[tuple[Path, Path], ...]
    times_ns: tuple[int, ...]
    reference: Trajectory  # a pose for every pair

    def frames(self) -> Iterator[tuple[Image, Image, int]]:
        """Grey images (H, W) and their time in ns; raises EvaluationError for an image that is damaged."""
        for (left, right), time_ns in zip(self.pairs, self.times_ns, strict=True):
            yield self._read(left), self._read(right), time_ns

    def _read(self, path: Path) -> Image:
        try:
            image = grey(to_8_bit(read_image(path), 8))
        except CameraError as error:
            raise EvaluationError(str(error), exit_code=error.exit_code) from None
        if image.shape[::-1] != self.rig.size:
            raise EvaluationError(f"{path} is {image.shape[1]}x{image.shape[0]} px, its clip is {self.rig.size}")
        return image


class Layout(Protocol):
    """How the files of a kind of sequence lie in a folder."""

    def fits(self, folder: Path) -> bool:
        """Whether a folder is laid out like this."""

    def open(self, folder: Path) -> Clip:
        """Raises EvaluationError, and CalibrationError for its calibration."""


def open_clip(folder: Path) -> Clip | None:
    """The sequence in ``folder``, None where no layout with true poses fits it."""
    for name in LAYOUTS:
        layout: Any = registry.load(LAYOUTS, name)
        if layout.fits(folder):
            clip: Clip = layout.open(folder)
            return clip
    return None
