"""Coverage of a set of views: cells of the image with corners, and tilts and distances of the board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray, Size
from roma_device.calibration.boards.board import Board, Detection

COLUMNS, ROWS = 8, 6
TYPICAL_FOCAL = 0.8
"""Focal length in image widths, where the lens is not known yet: good enough to tell tilted from straight."""

TILTED = 0.25
"""Sine of the angle from which on a board counts as tilted: 15 degrees."""

NEAR_SPAN, FAR_SPAN = 0.38, 0.26
"""Share of the image width that a board fills when it counts as near, or as far."""


@dataclass(frozen=True, slots=True)
class Look:
    """Apparent pose of a board in an image (place, size, tilt), as far as one can tell without knowing the lens."""

    x: float  # middle of the board, as a share of the image width and height
    y: float
    span: float  # geometric mean of its sides over the image width
    lean_x: float  # sine of its tilt: positive with the right side away
    lean_y: float  # positive with the lower side away

    def difference(self, other: Look) -> float:
        """Greatest of the differences in place, size and tilt; below about 0.1 the views say the same."""
        return max(
            abs(self.x - other.x),
            abs(self.y - other.y),
            0.7 * abs(float(np.log(self.span / other.span))),
            0.5 * abs(self.lean_x - other.lean_x),
            0.5 * abs(self.lean_y - other.lean_y),
        )


def look_at_board(board: Board, detection: Detection, size: Size) -> Look | None:
    """Apparent pose from the corners seen, in an image of ``size``; None where they lie on one line."""
    points = board.points_m[detection.ids][:, :2]
    if len(points) < 4 or min(np.ptp(points, axis=0)) == 0:
        return None
    plane = cv2.findHomography(points, detection.pixels, cv2.RANSAC, 0.02 * size[0])[0]
    if plane is None:
        return None
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    box = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]).reshape(-1, 1, 2)
    corners = cv2.perspectiveTransform(box, plane).reshape(4, 2)
    upper, righter, lower, lefter = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    if min(upper, righter, lower, lefter) <= 0 or not np.isfinite(corners).all():
        return None
    focal_px = TYPICAL_FOCAL * size[0]
    middle = detection.pixels.mean(axis=0) / size
    lean_x = np.log(lefter / righter) * focal_px / ((upper + lower) / 2)
    lean_y = np.log(upper / lower) * focal_px / ((lefter + righter) / 2)
    span = float(np.sqrt((upper + lower) * (lefter + righter)) / 2 / size[0])
    return Look(float(middle[0]), float(middle[1]), span, *np.clip([lean_x, lean_y], -1, 1).tolist())


def grid_counts(detections: Sequence[Detection], size: Size) -> IntArray:
    """Coverage counts (ROWS, COLUMNS): in how many views a corner lies in each cell of the image."""
    counts = np.zeros((ROWS, COLUMNS), np.intp)
    for detection in detections:
        cells = (detection.pixels / size * (COLUMNS, ROWS)).astype(int)
        seen = np.zeros((ROWS, COLUMNS), bool)
        seen[np.clip(cells[:, 1], 0, ROWS - 1), np.clip(cells[:, 0], 0, COLUMNS - 1)] = True
        counts += seen
    return counts


def covered_share(counts: IntArray) -> float:
    """Coverage: share of the cells that a corner was seen in."""
    return float((counts > 0).mean())


def tilt_counts(looks: Sequence[Look]) -> dict[str, int]:
    """How many views lean to each side: left, right, top or bottom away, or straight."""
    return {
        "right away": sum(look.lean_x > TILTED for look in looks),
        "left away": sum(look.lean_x < -TILTED for look in looks),
        "bottom away": sum(look.lean_y > TILTED for look in looks),
        "top away": sum(look.lean_y < -TILTED for look in looks),
        "straight": sum(max(abs(look.lean_x), abs(look.lean_y)) <= TILTED for look in looks),
    }


def distance_counts(looks: Sequence[Look]) -> dict[str, int]:
    """How many views are near, far, or between."""
    near, far = sum(look.span >= NEAR_SPAN for look in looks), sum(look.span <= FAR_SPAN for look in looks)
    return {"near": near, "middle": len(looks) - near - far, "far": far}


def spread_choice(looks: Sequence[Look | None], most: int) -> list[int]:
    """Indices of at most ``most`` views that differ most from each other, in order (farthest point sampling)."""
    known = [index for index, look in enumerate(looks) if look is not None]
    if len(known) <= most:
        return known
    features = np.array(
        [[look.x, look.y, np.log(look.span), look.lean_x, look.lean_y] for look in looks if look is not None]
    )
    chosen = [0]
    distance = _distance(features, 0)
    while len(chosen) < most:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, _distance(features, chosen[-1]))
    return sorted(known[index] for index in chosen)


def _distance(features: FloatArray, index: int) -> FloatArray:
    return np.asarray(np.linalg.norm(features - features[index], axis=1))
