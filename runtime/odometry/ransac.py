"""RANSAC over P3P: motions from random triples of points, by how many others agree (Fischler and Bolles 1981)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig

from .sparse_stereo import SeenPoints, project, triangulate

BATCH, MOST_TRIPLES = 10, 120
AGREES_PX = 2.0
"""Distance within which a point supports a hypothesis, over u, v and d together."""


@dataclass(frozen=True, slots=True, eq=False)
class Hypotheses:
    """Hypotheses of RANSAC: motions that were tried, and which points support each."""

    poses: list[Pose]  # H, second_from_first
    agree: Mask  # (H, N)

    @property
    def best(self) -> tuple[Pose, Mask]:
        """The motion with the largest consensus, and which points (N,) are its inliers."""
        index = int(self.agree.sum(axis=1).argmax())
        return self.poses[index], self.agree[index]


def ransac_motions(points: SeenPoints, rig: RectifiedRig, guess: Pose, rng: np.random.Generator) -> Hypotheses:
    """RANSAC: the guess, no motion, and motions from random triples (P3P), as many as the outliers ask for; N >= 4."""
    points_m = triangulate(points.pixels, points.disparity_px, rig)
    poses = [guess, Pose.identity()]
    agree = _agreement(poses, points_m, points.seen, rig)
    for tried in range(BATCH, MOST_TRIPLES + 1, BATCH):
        batch = _p3p_motions(points_m, points.seen, rig, rng)
        poses += batch
        agree = np.concatenate([agree, _agreement(batch, points_m, points.seen, rig)])
        if tried >= _triples_needed(agree.sum(axis=1).max() / len(points)):
            break
    return Hypotheses(poses, agree)


def _triples_needed(inlier_ratio: float) -> float:
    """Triples until one is free of outliers with a certainty of 99.9 % (Fischler and Bolles)."""
    return float(np.log(1e-3) / np.log1p(-(min(inlier_ratio, 0.999) ** 3) - 1e-9))


def _p3p_motions(points_m: FloatArray, seen: FloatArray, rig: RectifiedRig, rng: np.random.Generator) -> list[Pose]:
    matrix = np.array([[rig.focal_px, 0, rig.cx], [0, rig.focal_px, rig.cy], [0, 0, 1]], np.float64)
    poses = []
    for _ in range(BATCH):
        three = rng.choice(len(points_m), 3, replace=False)
        _, rotations, translations = cv2.solveP3P(points_m[three], seen[three, :2], matrix, None, cv2.SOLVEPNP_AP3P)
        poses += [Pose.from_rotation_vector(*motion) for motion in zip(rotations, translations, strict=True)]
    return poses


def _agreement(poses: list[Pose], points_m: FloatArray, seen: FloatArray, rig: RectifiedRig) -> Mask:
    """Inliers (H, N): the motion takes the point to where it is seen; an unknown disparity disagrees with nothing."""
    agree = np.zeros((len(poses), len(points_m)), np.bool_)
    for row, pose in zip(agree, poses, strict=True):
        predicted = project(pose.apply(points_m), rig)
        apart = predicted - seen
        squared = (apart[:, :2] ** 2).sum(axis=1) + np.nan_to_num(apart[:, 2]) ** 2
        row[:] = squared < AGREES_PX**2
    return agree
