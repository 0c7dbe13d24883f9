"""Results: relative pose with covariance, or epipolar geometry, each with a state and its reasons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask, Size
from roma_device.calibration.pose import Pose
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.pose_estimate import PoseState

AnyOutcome = TypeVar("AnyOutcome", bound="PoseOutcome")


@dataclass(frozen=True, slots=True, eq=False)
class PoseOutcome:
    """State, reasons and inliers of an estimate from matches."""

    state: PoseState
    reasons: tuple[str, ...]  # clauses for the user; empty only if ok
    inliers: Mask  # (N,) which of the matches agree

    @classmethod
    def lost(cls: type[AnyOutcome], reason: str, matches: int) -> AnyOutcome:
        return cls("lost", (reason,), np.zeros(matches, bool))

    @property
    def inlier_ratio(self) -> float:
        return float(self.inliers.mean()) if len(self.inliers) else 0.0


LEAST_CONFIRMED = 0.6
"""Of the patches that can be followed, those that must lie where the matches have them."""


def doubted(outcome: AnyOutcome, pairs: PointPairs) -> AnyOutcome:
    """``outcome``, degraded where something speaks against its matches ``pairs``.

    However many agree: a network whose matcher guesses is wrong everywhere alike, which no consensus tells
    (``PointPairs.confirmed``), and a mirror image of something symmetrical agrees as well (``PointPairs.doubt``).
    """
    if outcome.state == "lost":
        return outcome
    reasons = [] if pairs.doubt is None else [pairs.doubt]
    if pairs.confirmed is not None and pairs.confirmed < LEAST_CONFIRMED:
        borne_out = f"{100 * pairs.confirmed:.0f} % of the matches"
        reasons.append(f"the images bear out {borne_out} only, as of a network that guesses")
    return replace(outcome, state="degraded", reasons=(*outcome.reasons, *reasons)) if reasons else outcome


LEAST_AGREEING = 0.7
"""Of the matches that the images bear out, those that must agree on a motion: of real pairs 0.76 and more do."""

LEAST_SEEN_PX = 128
"""Longer side of an image that shows enough: a network matches every pixel of a thumbnail, all with errors alike."""


def doubted_pose(pose: RelativePose, pairs: PointPairs, *sizes: Size) -> RelativePose:
    """As ``doubted``, and where right matches agree on nothing or an image is small; ``sizes`` (px) of the images."""
    pose, reasons = doubted(pose, pairs), []
    if pose.state == "lost":
        return pose
    if pairs.confirmed is not None and pose.inlier_ratio < LEAST_AGREEING * pairs.confirmed:
        agreeing, borne_out = 100 * pose.inlier_ratio, 100 * pairs.confirmed
        reasons.append(
            f"{agreeing:.0f} % of the matches agree though the images bear out {borne_out:.0f} %: "
            "the intrinsics may be wrong, or things move"
        )
    smallest = min(sizes, key=max)
    if pairs.block is not None and max(smallest) < LEAST_SEEN_PX:
        reasons.append(f"an image of {smallest.width}x{smallest.height} px shows too little")
    return replace(pose, state="degraded", reasons=(*pose.reasons, *reasons)) if reasons else pose


@dataclass(frozen=True, slots=True, eq=False)
class RelativePose(PoseOutcome):
    """The second camera's pose relative to the first, or why there is none.

    ok: as good as its covariance says. degraded: true, but not all of it, or not as surely as one would wish;
    ``reasons`` say which. lost: nothing is known, and ``b_from_a`` is None.
    """

    b_from_a: Pose | None = None  # optical frames; the translation has length 1: two images tell no scale,
    # or is zero where only the rotation is known
    covariance: FloatArray | None = None  # (5, 5) rad^2: rotation about b's axes, direction along its tangents;
    # (3, 3) where only the rotation is known
    noise_px: float | None = None  # standard deviation of one coordinate of a match
    alternatives: tuple[Pose, ...] = ()  # other poses that the matches allow

    @property
    def has_direction(self) -> bool:
        """Whether the direction of the translation is known."""
        return self.b_from_a is not None and bool(self.b_from_a.translation_m.any())

    @property
    def rotation_sigma_deg(self) -> float | None:
        """Standard deviation of the rotation about its least known axis."""
        return None if self.covariance is None else _largest_deg(self.covariance[:3, :3])

    @property
    def direction_sigma_deg(self) -> float | None:
        """Standard deviation of the translation's direction, along its least known way."""
        return _largest_deg(self.covariance[3:, 3:]) if self.covariance is not None and self.has_direction else None


@dataclass(frozen=True, slots=True, eq=False)
class EpipolarGeometry(PoseOutcome):
    """Fundamental matrix of two cameras whose intrinsics are not known; no pose."""

    fundamental: FloatArray | None = None  # (3, 3) of norm 1: (x_b, y_b, 1) @ F @ (x_a, y_a, 1) == 0 in px


def _largest_deg(covariance: FloatArray) -> float:
    return float(np.rad2deg(np.sqrt(max(np.linalg.eigvalsh(covariance)[-1], 0))))
