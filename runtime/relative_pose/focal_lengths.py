"""Do the matches fit the focal lengths that they came with? Two views of a camera tell its focal length, if barely.

An essential matrix has two equal singular values; with wrong focal lengths the matches of a general scene agree on none
exactly, though on a motion that is some degrees off (Bougnoux, From projective to Euclidean space under any practical
situation, 1998; Hartley and Zisserman, Multiple View Geometry, 19.4). Here the logarithm of the focal length is refined
as a sixth number beside the motion, of both cameras together or of one against the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from roma_device.calibration.arrays import FloatArray

from .motion import TwoViewMotion
from .rays import RayPairs
from .result import RelativePose
from .robust import m_covariance, robust_scale, tukey_cost, tukey_weight
from .sampson import sampson_jacobian, sampson_px
from .triangulate import mallows_weight

POINTS = 500
TOGETHER, AGAINST = (1.0, 1.0), (-0.5, 0.5)
"""How the number counts for the two cameras: it is the logarithm of both focal lengths, or of their ratio."""

Share = tuple[float, float]

FIRST_FACTOR = 1.1
"""What a first step without damping says, from which on the refinement goes on: with right focal lengths it says 1.06
at most on real pairs, with lengths that are wrong by 1.4 times 1.2 and more."""

LEAST_FACTOR, LEAST_SIGMAS, LEAST_MATCHES = 1.15, 8.0, 100
"""Wrong beyond doubt: the focal lengths of calibrated cameras are some percent off at most, and façades seen by a lens
that is not quite a pinhole shift the estimate by as much. Of few matches the covariance is too small."""

STEPS, SMALLEST_STEP, DIFFERENCE, LARGEST = 20, 1e-3, 1e-4, 0.7
DAMPING, MOST_DAMPING = 1e-6, 1e3
WIDER = 2.0
"""Times the noise that the loss takes for noise: of a motion with other focal lengths more matches must be in reach."""


@dataclass(frozen=True, slots=True)
class FocalEstimate:
    """By which factors the focal lengths would have to be changed, and how sure that is."""

    factor_a: float
    factor_b: float
    change: float  # 1 and more: of both, or of their ratio
    sigmas: float  # its logarithm in standard deviations


def doubted_focal_lengths(pose: RelativePose, rays: RayPairs) -> RelativePose:
    """``pose``, degraded where ``rays`` (of all matches) fit other focal lengths far better."""
    if pose.state != "ok" or pose.b_from_a is None or pose.noise_px is None:
        return pose
    count = len(rays)
    if count < LEAST_MATCHES:
        return pose
    few = rays.chosen(np.linspace(0, count - 1, min(count, POINTS)).astype(np.intp))
    motion = TwoViewMotion(pose.b_from_a.rotation, pose.b_from_a.translation_m)
    for share in _worth_a_try(few, motion, pose.noise_px):
        found = estimate_focal_lengths(few, motion, pose.noise_px, share)
        if found.change > LEAST_FACTOR and found.sigmas > LEAST_SIGMAS:
            lengths = f"focal lengths {found.factor_a:.2f} and {found.factor_b:.2f} times as long as given"
            reason = f"{lengths} would fit the matches far better: are the intrinsics those of these images?"
            return replace(pose, state="degraded", reasons=(*pose.reasons, reason))
    return pose


def _worth_a_try(rays: RayPairs, motion: TwoViewMotion, noise_px: float) -> list[Share]:
    """Of TOGETHER and AGAINST, those whose first step is no small one: of usual pairs none."""
    distance, by_motion = sampson_jacobian(rays, motion)
    scale_px = WIDER * robust_scale(distance, noise_px)
    weight = mallows_weight(rays, motion, distance, scale_px) * tukey_weight(distance / scale_px)
    found = []
    for share in (TOGETHER, AGAINST):
        jacobian = np.vstack((by_motion, _by_focal(rays, motion, distance, 0.0, share)))
        if abs(_step(jacobian, weight, distance, DAMPING)[5]) > np.log(FIRST_FACTOR):
            found.append(share)
    return found


def estimate_focal_lengths(
    rays: RayPairs, motion: TwoViewMotion, noise_px: float, share: Share = TOGETHER
) -> FocalEstimate:
    """Refine focal lengths and ``motion`` together: Levenberg-Marquardt under Tukey's loss."""
    number, damping = 0.0, DAMPING
    part, distance, jacobian = _linearized(rays, motion, number, share)
    for _ in range(STEPS):
        noise_px = robust_scale(distance, noise_px)
        scale_px = WIDER * noise_px
        weight = mallows_weight(part, motion, distance, scale_px)
        step = _step(jacobian, weight * tukey_weight(distance / scale_px), distance, damping)
        tried, moved = float(np.clip(number + step[5], -LARGEST, LARGEST)), motion.moved(step[:5])
        moved_px = sampson_px(_with_focal(rays, tried, share), moved.essential)
        if tukey_cost(moved_px / scale_px, weight) <= tukey_cost(distance / scale_px, weight):
            number, motion, damping = tried, moved, damping / 10
            part, distance, jacobian = _linearized(rays, motion, number, share)
            if abs(step[5]) < SMALLEST_STEP:
                break
        elif (damping := damping * 10) > MOST_DAMPING:
            break
    noise_px = robust_scale(distance, noise_px)
    weight = mallows_weight(part, motion, distance, noise_px)
    variance = m_covariance(jacobian, distance, noise_px, weight, rays.block)[5, 5]
    factor_a, factor_b = (float(np.exp(-number * one)) for one in share)
    sigmas = abs(number) / float(np.sqrt(max(variance, 1e-12)))
    return FocalEstimate(factor_a, factor_b, float(np.exp(abs(number))), sigmas)


def _step(jacobian: FloatArray, weight: FloatArray, distance: FloatArray, damping: float) -> FloatArray:
    """(6,)"""
    weighted = jacobian * weight
    hessian = weighted @ jacobian.T
    damped = hessian + damping * np.diag(np.diag(hessian)) + 1e-9 * np.eye(6)
    return np.asarray(np.linalg.solve(damped, -weighted @ distance))


def _linearized(
    rays: RayPairs, motion: TwoViewMotion, number: float, share: Share
) -> tuple[RayPairs, FloatArray, FloatArray]:
    """Rays by these focal lengths, their Sampson errors (N,) and Jacobian (6, N)."""
    part = _with_focal(rays, number, share)
    distance, jacobian = sampson_jacobian(part, motion)
    return part, distance, np.vstack((jacobian, _by_focal(rays, motion, distance, number, share)))


def _by_focal(rays: RayPairs, motion: TwoViewMotion, distance: FloatArray, number: float, share: Share) -> FloatArray:
    """Derivative (N,) of the Sampson errors ``distance`` at ``number`` by it."""
    further = sampson_px(_with_focal(rays, number + DIFFERENCE, share), motion.essential)
    return np.asarray((further - distance) / DIFFERENCE)


def _with_focal(rays: RayPairs, number: float, share: Share) -> RayPairs:
    """``rays`` of cameras whose focal lengths are exp(-share x number) times as long."""
    scale_a, scale_b = (float(np.exp(number * one)) for one in share)
    a, b = (side * [[scale], [scale], [1]] for side, scale in ((rays.a, scale_a), (rays.b, scale_b)))
    return replace(rays, a=a, b=b, focal_a_px=rays.focal_a_px / scale_a, focal_b_px=rays.focal_b_px / scale_b)
