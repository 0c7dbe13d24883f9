"""Undistorted viewing rays of matched pixels (normalized image coordinates): from here on lenses no longer matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray, Mask
from roma_device.calibration.camera import CameraModel
from roma_device.runtime.matching.point_pairs import PointPairs

Choice = Mask | IntArray | slice


@dataclass(frozen=True, slots=True, eq=False)
class RayPairs:
    """Normalized image coordinates: rays (x, y, 1) of the frames a and b towards what is thought to be one point.

    The focal lengths turn an error of a ray into one in pixels. One row for each coordinate: what is computed of
    thousands of points by numpy is several times faster so.
    """

    a: FloatArray  # (3, N)
    b: FloatArray  # (3, N)
    focal_a_px: float
    focal_b_px: float
    block: IntArray | None = None  # (N,) as in PointPairs, counted from 0

    @classmethod
    def of(cls, pairs: PointPairs, camera_a: CameraModel, camera_b: CameraModel) -> RayPairs:
        """Undistorted rays of pixels in images of the cameras' sizes."""
        rays = [
            np.ascontiguousarray(camera.unproject(pixels).T) if len(pixels) else np.empty((3, 0))
            for camera, pixels in ((camera_a, pairs.a), (camera_b, pairs.b))
        ]
        return cls(rays[0], rays[1], _focal_px(camera_a), _focal_px(camera_b), _counted(pairs.block))

    def __len__(self) -> int:
        return int(self.a.shape[1])

    @property
    def focal_px(self) -> float:
        """One focal length for both."""
        return (self.focal_a_px + self.focal_b_px) / 2

    def areas(self) -> int:
        """Independent observations: areas of the image with an error of their own; each point where none is named."""
        return len(self) if self.block is None else int(np.count_nonzero(np.bincount(self.block)))

    def agreeing_areas(self, inliers: Mask) -> float:
        """How many of ``areas`` agree, each by the share of its matches that do; ``inliers`` (N,)."""
        if self.block is None:
            return float(inliers.sum())
        return float((np.bincount(self.block, inliers) / np.maximum(np.bincount(self.block), 1)).sum())

    def spread_px(self) -> float:
        """Standard deviation of the places in px, in the image and along the way where it is least."""
        return min(self.focal_a_px * _least_deviation(self.a), self.focal_b_px * _least_deviation(self.b))

    def chosen(self, which: Choice) -> RayPairs:
        """The points that a mask, indices or a slice choose."""
        a, b = (np.ascontiguousarray(side[:, which]) for side in (self.a, self.b))
        block = None if self.block is None else self.block[which]
        return RayPairs(a, b, self.focal_a_px, self.focal_b_px, block)

    def plane_points(self) -> tuple[FloatArray, FloatArray]:
        """Both sides (N, 2) in px of an ideal camera with ``focal_px`` whose principal point is at 0.

        OpenCV's robust estimators get pixels, not rays: limits inside of its MAGSAC are constants in px.
        """
        return self.focal_px * self.a[:2].T, self.focal_px * self.b[:2].T

    @property
    def plane_matrix(self) -> FloatArray:
        """(3, 3) camera matrix of ``plane_points``."""
        return np.diag([self.focal_px, self.focal_px, 1.0])


def _focal_px(camera: CameraModel) -> float:
    return float(np.sqrt(camera.fx * camera.fy))


def _counted(block: IntArray | None) -> IntArray | None:
    """The same areas by numbers from 0 on, by which sums can be formed at once."""
    if block is None or not len(block):
        return block
    from_zero = block - block.min()
    if (highest := int(from_zero.max())) > 100 * len(block):
        return np.asarray(np.unique(from_zero, return_inverse=True)[1].ravel())
    taken = np.zeros(highest + 1, np.intp)
    taken[from_zero] = 1
    return np.asarray((np.cumsum(taken) - 1)[from_zero])


def _least_deviation(rays: FloatArray) -> float:
    return float(np.sqrt(max(np.linalg.eigvalsh(np.cov(rays[:2]))[0], 0)))
