"""Stereo calibration: intrinsics and distortion of two cameras, and their extrinsics (right from left)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from .arrays import Size
from .camera import LARGEST, CameraModel
from .errors import CalibrationError
from .pose import Pose


@dataclass(frozen=True, slots=True, eq=False)
class StereoCalibration:
    """Calibrated stereo rig: intrinsics of both cameras and stereo extrinsics.

    ``right_from_left`` maps points from the left to the right optical frame; for a horizontal rig
    with the cameras the right way round its x translation is negative.

    Raises CalibrationError for values that are not finite, a baseline of zero, a rotation that is
    none, swapped cameras, or images of different sizes.
    """

    left: CameraModel
    right: CameraModel
    right_from_left: Pose
    quality: Mapping[str, float] = field(default_factory=dict)  # e.g. rms_px, epipolar_px
    made_at: str = ""  # ISO 8601
    serial: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)  # what else is known: board, temperature_c, lens...

    def __post_init__(self) -> None:
        rotation, translation_m = self.right_from_left.rotation, self.right_from_left.translation_m
        if not (np.isfinite(rotation).all() and np.isfinite(translation_m).all()):
            raise CalibrationError("right_from_left holds a value that is not finite")
        if (largest := max(np.abs(rotation).max(), np.abs(translation_m).max())) > LARGEST:
            raise CalibrationError(f"right_from_left holds {largest:.4g}, which no rig has")
        if self.baseline_m < 1e-6:
            raise CalibrationError("the baseline is zero: two cameras in one place see no depth")
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4) or np.linalg.det(rotation) < 0:
            raise CalibrationError("the rotation of right_from_left is not a rotation matrix")
        if self.left.size != self.right.size:
            sizes = f"{self.left.size} and {self.right.size}"
            raise CalibrationError(f"left and right images differ in size: {sizes}")
        if translation_m[0] >= 0 and abs(translation_m[1]) > translation_m[0]:
            raise CalibrationError(
                f"this is a vertical rig, one camera above the other (y of right_from_left is {translation_m[1]:g} m): "
                "this program needs them side by side, so turn both images by 90 degrees and calibrate with those"
            )
        if translation_m[0] >= 0:
            raise CalibrationError(
                "the right camera lies to the left of the left one (x of right_from_left must be negative): "
                "are the cameras swapped? (calibration import has --swap)"
            )

    @property
    def baseline_m(self) -> float:
        return float(np.linalg.norm(self.right_from_left.translation_m))

    def scaled(self, size: Size) -> StereoCalibration:
        """The same rig after both images are resized to ``size``."""
        return replace(self, left=self.left.scaled(size), right=self.right.scaled(size))

    def fitted_to(self, size: Size, source: str = "the calibration") -> StereoCalibration:
        """The rig for images of ``size``; raises CalibrationError for images of another shape."""
        if self.left.size == size:
            return self
        return replace(self, left=self.left.fitted_to(size, source), right=self.right.fitted_to(size, source))
