"""Chi-square test of a rig's stored extrinsics against relative poses from images: does the calibration still hold?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose
from roma_device.runtime.relative_pose.motion import TwoViewMotion
from roma_device.runtime.relative_pose.result import RelativePose

SYSTEMATIC_DEG = np.array([0.02, 0.02, 0.02, 0.2, 0.2])
"""Neither lenses nor distances are known so well that angles were surer than this: rotation, then direction."""

CHI_SQUARE_95 = 11.07
"""For five numbers."""


@dataclass(frozen=True, slots=True)
class RigVerdict:
    """How far the rig's cameras are from their calibration, each with half the width of its 95 % interval."""

    frames: int  # that a pose was found in
    rotation_deg: float
    rotation_margin_deg: float
    direction_deg: float
    direction_margin_deg: float
    chi_square: float

    @property
    def holds(self) -> bool:
        """Whether the difference is one that chance explains."""
        return self.chi_square <= CHI_SQUARE_95

    def as_json(self) -> dict[str, float | int | bool]:
        return {
            "frames": self.frames,
            "rotation_deg": round(self.rotation_deg, 4),
            "rotation_margin_deg": round(self.rotation_margin_deg, 4),
            "direction_deg": round(self.direction_deg, 4),
            "direction_margin_deg": round(self.direction_margin_deg, 4),
            "chi_square": round(self.chi_square, 2),
            "holds": self.holds,
        }

    def as_text(self) -> str:
        meaning = (
            "the calibration still holds"
            if self.holds
            else "the cameras have moved since the calibration, or it is of another rig: calibrate again"
        )
        return (
            f"against the calibration: rotation differs by {self.rotation_deg:.3f} +- {self.rotation_margin_deg:.3f} "
            f"deg, direction of the baseline by {self.direction_deg:.2f} +- {self.direction_margin_deg:.2f} deg "
            f"(95 %): {meaning}"
        )


@dataclass(slots=True)
class RigCheck:
    """Puts the poses of several frames together, each by its covariance."""

    stored: Pose
    _information: FloatArray = field(default_factory=lambda: np.zeros((5, 5)))
    _weighted: FloatArray = field(default_factory=lambda: np.zeros(5))
    _frames: int = 0

    def add(self, pose: RelativePose) -> None:
        """Poses without a direction and those that are not sure which they are say nothing of the rig."""
        if pose.b_from_a is None or pose.covariance is None or not pose.has_direction or pose.alternatives:
            return
        found = TwoViewMotion(pose.b_from_a.rotation, pose.b_from_a.translation_m)
        information = np.linalg.pinv(pose.covariance, hermitian=True)
        self._information += information
        self._weighted -= information @ found.difference(self._stored_motion)
        self._frames += 1

    @property
    def _stored_motion(self) -> TwoViewMotion:
        shift = self.stored.translation_m
        return TwoViewMotion(self.stored.rotation, shift / np.linalg.norm(shift))

    def verdict(self) -> RigVerdict | None:
        """None where no frame had a pose."""
        if not self._frames:
            return None
        covariance = np.linalg.pinv(self._information, hermitian=True)
        difference = covariance @ self._weighted
        total = covariance + np.diag(np.deg2rad(SYSTEMATIC_DEG) ** 2)
        chi_square = float(difference @ np.linalg.solve(total, difference))
        rotation, direction = np.rad2deg(difference[:3]), np.rad2deg(difference[3:])
        margins = [
            1.96 * float(np.rad2deg(np.sqrt(np.linalg.eigvalsh(part)[-1]))) for part in (total[:3, :3], total[3:, 3:])
        ]
        return RigVerdict(
            self._frames,
            float(np.linalg.norm(rotation)),
            margins[0],
            float(np.linalg.norm(direction)),
            margins[1],
            chi_square,
        )
