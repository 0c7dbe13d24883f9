"""Error of a relative pose by rotation angle and translation direction, and AUC (area under the recall curve)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose
from roma_device.runtime.relative_pose.motion import TwoViewMotion

THRESHOLDS_DEG = (5.0, 10.0, 20.0)
FAILED_DEG = 180.0
"""Error of a pair without a pose, or without the direction of its translation."""


@dataclass(frozen=True, slots=True)
class Auc:
    """Area under the share of pairs below an error, from 0 to each of THRESHOLDS_DEG, in [0, 1]."""

    auc5: float
    auc10: float
    auc20: float

    @classmethod
    def of(cls, errors_deg: Sequence[float]) -> Auc:
        """As SuperGlue defines it: the curve goes straight from one error to the next, and starts at 0.

        Raises ValueError where there is no error at all.
        """
        if not len(errors_deg):
            raise ValueError("there is no error to sum up")
        errors = np.concatenate([[0.0], np.sort(np.asarray(errors_deg, np.float64))])
        recall = np.linspace(0, 1, len(errors))
        return cls(*(_area(errors, recall, limit) for limit in THRESHOLDS_DEG))

    def as_json(self) -> dict[str, float]:
        return {"auc5": round(self.auc5, 4), "auc10": round(self.auc10, 4), "auc20": round(self.auc20, 4)}


def _area(errors: FloatArray, recall: FloatArray, limit: float) -> float:
    below = int(np.searchsorted(errors, limit))
    x = np.append(errors[:below], limit)
    y = np.append(recall[:below], recall[below - 1])
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum() / limit)


def pose_error_deg(found: Pose | None, truth: Pose) -> float:
    """The larger of the rotation's angle and the angle between the translations' directions, in degrees.

    FAILED_DEG where nothing was found or no direction.
    """
    if found is None or not found.translation_m.any():
        return FAILED_DEG
    return max(_motion(found).angles_deg(_motion(truth)))


def _motion(pose: Pose) -> TwoViewMotion:
    return TwoViewMotion(pose.rotation, pose.translation_m / np.linalg.norm(pose.translation_m))
