"""Matches that agree with their neighbours and not with the motion: of images that the intrinsics do not describe.

Wrong matches miss their epipolar lines each by an amount of its own. In an image that is bent otherwise than its
intrinsics say (a panorama, a lens whose distortion was left out) right matches miss them too, and neighbours by nearly
the same amount.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask, Size

from .motion import TwoViewMotion
from .rays import RayPairs
from .result import RelativePose
from .sampson import sampson_px

POINTS = 400
NEAR, SAME_SPOT = 0.05, 0.004
"""Of an image's longer side: how far off a neighbour is at most, in both images, and at least: two features of one spot
err alike."""

LEAST_MISFIT, FAR = 1 / 640, 16.0
"""Of the longer side: the distance from the epipolar line, at least 1 px, from which on it is no noise; times that,
from where on a match is likely to be wrong, in walls of equal windows as its neighbours are."""

ALIKE = 0.5
"""Relative difference of two misfits up to which they are alike."""

SIGMAS, SIGMAS_OF_NETWORK, MOST_SIGMA = 1.5, 4.0, 0.75 / 640
"""The same in standard deviations of the noise, which is taken for this much of the longer side at most; and for the
matches of a network, whose errors are alike in each area."""

LEAST_SHARE, LEAST_ALIKE, LEAST_SPREAD = 0.055, 0.25, 0.5
"""Of the matches, those that must be misfits alike; of the misfits; and standard deviation of their places over that of
all matches: what moves by itself is together. The first two tell 67 of 68 pairs, one image of which was bent, from all
of 99 real ones (SIFT and ORB)."""

LEAST_SHARE_OF_NETWORK = 0.14
"""Of 354 varied real pairs and simulated ones 0.09 at most; of five that are `ok` and over 10 degrees off since one
image was bent 0.20 at least."""


def doubted_cameras(pose: RelativePose, rays: RayPairs, size_a: Size, size_b: Size) -> RelativePose:
    """``pose``, degraded where the intrinsics do not describe the images; sizes in px."""
    if pose.state != "ok" or pose.b_from_a is None or pose.noise_px is None:
        return pose
    motion = TwoViewMotion(pose.b_from_a.rotation, pose.b_from_a.translation_m)
    if not are_systematic(rays, motion, pose.noise_px, size_a, size_b):
        return pose
    reason = (
        "many matches miss the pose as their neighbours do: "
        "the intrinsics do not describe these images (is one a panorama, or its distortion left out?)"
    )
    return replace(pose, state="degraded", reasons=(*pose.reasons, reason))


def are_systematic(rays: RayPairs, motion: TwoViewMotion, noise_px: float, size_a: Size, size_b: Size) -> bool:
    """Whether the matches that disagree with ``motion`` are right ones of cameras that are otherwise than said."""
    longest, least_share = max(*size_a, *size_b), LEAST_SHARE
    sigmas = SIGMAS
    if rays.block is not None:
        sigmas, least_share = SIGMAS_OF_NETWORK, LEAST_SHARE_OF_NETWORK
    least_px = max(1.0, LEAST_MISFIT * longest, sigmas * min(noise_px, MOST_SIGMA * longest))
    some = rays.chosen(np.linspace(0, len(rays) - 1, min(len(rays), POINTS)).astype(np.intp))
    error_px = sampson_px(some, motion.essential)
    misfits = (np.abs(error_px) > least_px) & (np.abs(error_px) < FAR * least_px)
    if misfits.mean() < least_share:
        return False
    places = some.a[:2] * (some.focal_a_px / max(size_a)), some.b[:2] * (some.focal_b_px / max(size_b))
    alike = misfits & _as_neighbours(error_px, *places)
    if alike.mean() < max(least_share, LEAST_ALIKE * misfits.mean()):
        return False
    return _spread(places[0][:, alike]) >= LEAST_SPREAD * _spread(places[0])


def _as_neighbours(error_px: FloatArray, places_a: FloatArray, places_b: FloatArray) -> Mask:
    """Which of the errors (N,) are as that of the nearest neighbour in both images; places (2, N) in longer sides."""
    apart = np.maximum(_distances(places_a), _distances(places_b))
    apart[apart < SAME_SPOT] = np.inf
    nearest = apart.argmin(axis=1)
    has_neighbour = apart[np.arange(len(apart)), nearest] < NEAR
    return np.asarray(has_neighbour & (np.abs(error_px - error_px[nearest]) < ALIKE * np.abs(error_px)))


def _distances(places: FloatArray) -> FloatArray:
    """(N, N) of (2, N)."""
    return np.asarray(np.hypot(*(row[:, None] - row for row in places)))


def _spread(places: FloatArray) -> float:
    """Standard deviation of places (2, N)."""
    return float(np.sqrt(places.var(axis=1).sum()))
