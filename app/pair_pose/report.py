"""Relative pose and fundamental matrix as JSON values and as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from roma_device.calibration.pose import Pose
from roma_device.runtime.relative_pose.result import EpipolarGeometry, PoseOutcome, RelativePose

_AXES = ("x (pitch)", "y (yaw)", "z (roll)")


def pose_record(pose: RelativePose) -> dict[str, Any]:
    """Plain values for json.dumps; ``null`` where nothing is known."""
    known = pose.b_from_a
    return {
        **_judgement(pose),
        "noise_px": None if pose.noise_px is None else round(pose.noise_px, 4),
        "b_from_a": None if known is None else _pose(known, pose.has_direction),
        "rotation_deviation_deg": _rounded(pose.rotation_sigma_deg),
        "direction_deviation_deg": _rounded(pose.direction_sigma_deg),
        "covariance": None if pose.covariance is None else pose.covariance.tolist(),
        "alternatives": [_pose(other, True) for other in pose.alternatives],
    }


def geometry_record(geometry: EpipolarGeometry) -> dict[str, Any]:
    """The same for cameras whose intrinsics are not known."""
    return {
        **_judgement(geometry),
        "fundamental": None if geometry.fundamental is None else geometry.fundamental.tolist(),
    }


def _judgement(judged: PoseOutcome) -> dict[str, Any]:
    return {
        "state": judged.state,
        "reasons": list(judged.reasons),
        "matches": len(judged.inliers),
        "inliers": int(judged.inliers.sum()),
        "inlier_ratio": round(judged.inlier_ratio, 4),
    }


def pose_text(pose: RelativePose) -> str:
    """A few lines."""
    lines = [_head(pose)]
    if pose.b_from_a is not None:
        angles = np.rad2deg(pose.b_from_a.rotation_vector)
        named = ", ".join(f"{angle:+.3f} about {axis}" for angle, axis in zip(angles, _AXES, strict=True))
        lines.append(f"  rotation   {np.linalg.norm(angles):.3f} deg: {named}{_deviation(pose.rotation_sigma_deg)}")
        lines.append(f"  direction  {_direction(pose)}")
    for other in pose.alternatives:
        shift = ", ".join(f"{value:+.4f}" for value in other.translation_m)
        lines.append(f"  or         {other.angle_deg:.3f} deg, direction ({shift})")
    return "\n".join(lines)


def geometry_text(geometry: EpipolarGeometry) -> str:
    """A few lines."""
    lines = [_head(geometry)]
    if geometry.fundamental is not None:
        lines += ["  fundamental matrix (no pose: the intrinsics are unknown)"]
        lines += ["  " + "  ".join(f"{value:+.6e}" for value in row) for row in geometry.fundamental]
    return "\n".join(lines)


def _head(judged: PoseOutcome) -> str:
    why = f" ({'; '.join(judged.reasons)})" if judged.reasons else ""
    return f"{judged.state}{why}: {judged.inliers.sum()} of {len(judged.inliers)} matches agree"


def _direction(pose: RelativePose) -> str:
    if pose.b_from_a is None or not pose.has_direction:
        return "not known"
    x, y, z = pose.b_from_a.translation_m
    return f"({x:+.4f}, {y:+.4f}, {z:+.4f}), length unknown{_deviation(pose.direction_sigma_deg)}"


def _deviation(degrees: float | None) -> str:
    return "" if degrees is None else f"; standard deviation {degrees:.3f} deg"


def _pose(pose: Pose, has_direction: bool) -> dict[str, Any]:
    return {
        "quaternion_xyzw": [round(float(value), 9) for value in pose.quaternion],
        "rotation_vector_deg": [round(float(value), 6) for value in np.rad2deg(pose.rotation_vector)],
        "direction": [round(float(value), 9) for value in pose.translation_m] if has_direction else None,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
