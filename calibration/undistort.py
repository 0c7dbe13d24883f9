"""Undistortion: the inverse of OpenCV's standard lens model, which has no closed form, by iteration and Newton steps.

OpenCV's iteration (x = (q - tangential(x)) / radial(x)) swings or creeps where the lens bends rays much, in the
corners of wide images. What it leaves off is taken up by Newton's method, from the centre outwards and not beyond
where the model folds over.
"""

from __future__ import annotations

import cv2
import numpy as np

from .arrays import FloatArray, Mask

TOLERANCE = 1e-10
MOST_STEPS, MOST_HALVINGS = 40, 8


def undistorted(pixels: FloatArray, matrix: FloatArray, distortion: FloatArray) -> FloatArray:
    """Undistort: pixels (N, 2) -> coordinates (N, 2) at z = 1.

    ``distortion`` (5,) or (8,): k1 k2 p1 p2 k3 and k4 k5 k6. A pixel that no ray falls on keeps OpenCV's last try.
    """
    wanted = np.asarray((pixels - matrix[:2, 2]) / matrix[[0, 1], [0, 1]])
    if not distortion.any():
        return wanted
    found = _by_opencv(pixels, matrix, distortion)
    lens = np.zeros(8)
    lens[: distortion.size] = distortion
    off = np.flatnonzero(~_is_solution(found, wanted, lens))
    if len(off):
        better = _by_newton(wanted[off], lens)
        solved = _is_solution(better, wanted[off], lens)
        found[off[solved]] = better[solved]
    return found


def _by_opencv(pixels: FloatArray, matrix: FloatArray, distortion: FloatArray) -> FloatArray:
    points = np.ascontiguousarray(pixels).reshape(-1, 1, 2)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-10)
    if hasattr(cv2, "undistortPointsIter"):  # OpenCV 4; from 5 on undistortPoints takes the criteria
        rays = cv2.undistortPointsIter(points, matrix, distortion, np.eye(3), np.eye(3), criteria)
    else:
        rays = cv2.undistortPoints(points, matrix, distortion, R=np.eye(3), P=np.eye(3), criteria=criteria)
    return np.array(rays, dtype=np.float64).reshape(-1, 2)


def _is_solution(found: FloatArray, wanted: FloatArray, lens: FloatArray) -> Mask:
    """(N,)"""
    seen, jacobian = _distorted(found, lens)
    return np.asarray((np.abs(seen - wanted) < TOLERANCE).all(axis=1) & _is_unfolded(jacobian))


def _is_unfolded(jacobian: FloatArray) -> Mask:
    """(N,) beyond where a model folds over, rays from farther out fall on pixels of those from further in."""
    a, b, c = jacobian
    return np.asarray((a > 0) & (a * c > b * b))


def _by_newton(wanted: FloatArray, lens: FloatArray) -> FloatArray:
    found = np.zeros_like(wanted)
    for _ in range(MOST_STEPS):
        seen, (a, b, c) = _distorted(found, lens)
        rest = wanted - seen
        if (np.abs(rest) < TOLERANCE).all():
            break
        step = np.column_stack([c * rest[:, 0] - b * rest[:, 1], a * rest[:, 1] - b * rest[:, 0]])
        found = _stepped(found, step / (a * c - b * b)[:, None], wanted, lens)
    return found


def _stepped(found: FloatArray, step: FloatArray, wanted: FloatArray, lens: FloatArray) -> FloatArray:
    """As much of the step (N, 2) as comes nearer and does not pass the fold, none where there is no such part."""
    rest = np.abs(wanted - _distorted(found, lens)[0]).max(axis=1)
    share = np.ones((len(found), 1))
    for _ in range(MOST_HALVINGS):
        seen, jacobian = _distorted(found + share * step, lens)
        better = _is_unfolded(jacobian) & (np.abs(wanted - seen).max(axis=1) < rest)
        share[~better] /= 2
    return np.asarray(found + np.where(better[:, None], share, 0) * step)


def _distorted(points: FloatArray, lens: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coordinates (N, 2) at z = 1 -> distorted ones, and the Jacobian (3, N): x by x, x by y (and y by x), y by y."""
    k1, k2, p1, p2, k3, k4, k5, k6 = lens
    x, y = points.T
    with np.errstate(all="ignore"):
        square = x * x + y * y
        over = 1 + square * (k1 + square * (k2 + square * k3))
        under = 1 + square * (k4 + square * (k5 + square * k6))
        radial = over / under
        growth = k1 + square * (2 * k2 + 3 * square * k3) - radial * (k4 + square * (2 * k5 + 3 * square * k6))
        growth = 2 * growth / under
        seen = np.column_stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x),
                y * radial + p1 * (square + 2 * y * y) + 2 * p2 * x * y,
            ]
        )
        mixed = x * y * growth + 2 * p1 * x + 2 * p2 * y
        jacobian = [radial + x * x * growth + 2 * p1 * y + 6 * p2 * x, mixed]
        return seen, np.stack([*jacobian, radial + y * y * growth + 6 * p1 * y + 2 * p2 * x])
