"""Camera model: intrinsics and lens distortion, projection and its inverse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, Size
from .errors import CalibrationError
from .undistort import undistorted

DistortionModel = Literal["plumb_bob", "rational_polynomial", "equidistant"]

COEFFICIENTS: dict[DistortionModel, int] = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}
"""Number of distortion coefficients per model, in OpenCV's and ROS's order."""


def pinhole_matrix(fx: float, fy: float, cx: float, cy: float) -> FloatArray:
    """The camera matrix K (3, 3) without skew."""
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


MOST_SKEW_PX = 0.05
"""What rounding leaves of none: it moves a pixel by less, and is taken for 0."""

LARGEST = 1e9
"""What no number of a camera or a rig reaches, in px or m: powers of greater ones are no numbers any more."""


def _without_skew(matrix: FloatArray) -> FloatArray:
    """``matrix`` as the rows fx 0 cx, 0 fy cy, 0 0 1; raises CalibrationError where it is not that."""
    (fx, skew_px, cx), (below, fy, cy), last = matrix.tolist()
    if not np.allclose([below, *last], [0, 0, 0, 1], rtol=0, atol=1e-6):
        shown = " ".join(f"{value:g}" for value in last)
        why = ": is it transposed?" if not (below or skew_px or cx or cy) else ""
        message = f"the rows of a camera matrix are fx 0 cx, 0 fy cy and 0 0 1; here the last is {shown}"
        raise CalibrationError(message + (f", and {below:g} stands below fx" if below else "") + why)
    if abs(skew_px) > MOST_SKEW_PX:
        raise CalibrationError(
            f"the camera matrix has a skew of {skew_px:g} px, which is not computed with here: calibrate without one"
        )
    return pinhole_matrix(fx, fy, cx, cy)


@dataclass(frozen=True, slots=True, eq=False)
class CameraModel:
    """Pinhole camera with distortion; pixel centres lie at integers (OpenCV's convention).

    ``equidistant`` is OpenCV's fisheye model, the others are its standard one.

    Raises CalibrationError where a value is not finite or beyond LARGEST, the matrix is none of fx, fy, cx and cy, a
    focal length is not positive, or the number of coefficients does not fit the model.
    """

    size: Size
    matrix: FloatArray  # (3, 3): fx, fy, cx, cy in px
    distortion: FloatArray  # (N,), N as in COEFFICIENTS
    model: DistortionModel = "plumb_bob"

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", np.asarray(self.matrix, dtype=np.float64).reshape(3, 3))
        object.__setattr__(self, "distortion", np.asarray(self.distortion, dtype=np.float64).ravel())
        if self.model not in COEFFICIENTS:
            known = ", ".join(COEFFICIENTS)
            raise CalibrationError(f"unknown distortion model {self.model!r}; known: {known}")
        if min(self.size) <= 0:
            raise CalibrationError(f"image size {self.size[0]}x{self.size[1]} is not positive")
        if not (np.isfinite(self.matrix).all() and np.isfinite(self.distortion).all()):
            raise CalibrationError("camera matrix or distortion holds a value that is not finite")
        if (largest := max(np.abs(self.matrix).max(), np.abs(self.distortion).max(initial=0), *self.size)) > LARGEST:
            raise CalibrationError(f"camera matrix, distortion or image size holds {largest:.4g}, which no camera has")
        object.__setattr__(self, "matrix", _without_skew(self.matrix))
        if self.fx <= 0 or self.fy <= 0:
            raise CalibrationError(f"focal lengths fx {self.fx:g} and fy {self.fy:g} px must be positive")
        if self.distortion.size != COEFFICIENTS[self.model]:
            wanted, found = COEFFICIENTS[self.model], self.distortion.size
            raise CalibrationError(f"{self.model} takes {wanted} distortion coefficients, not {found}")

    @classmethod
    def pinhole(cls, size: Size, fx: float, fy: float, cx: float, cy: float) -> CameraModel:
        """An ideal camera without distortion."""
        return cls(size, pinhole_matrix(fx, fy, cx, cy), np.zeros(5))

    def as_json(self) -> dict[str, Any]:
        """Plain values for json.dumps."""
        size, matrix, distortion = list(self.size), self.matrix.tolist(), self.distortion.tolist()
        return {"size": size, "matrix": matrix, "model": self.model, "distortion": distortion}

    @property
    def fx(self) -> float:
        return float(self.matrix[0, 0])

    @property
    def fy(self) -> float:
        return float(self.matrix[1, 1])

    @property
    def cx(self) -> float:
        return float(self.matrix[0, 2])

    @property
    def cy(self) -> float:
        return float(self.matrix[1, 2])

    def scaled(self, size: Size) -> CameraModel:
        """The same camera after its image is resized to ``size``.

        The one place where intrinsics are resized: pixel centres at integers make it
        ``c' = (c + 0.5) * s - 0.5``.
        """
        sx, sy = size[0] / self.size[0], size[1] / self.size[1]
        scale = np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1]])
        return replace(self, size=size, matrix=scale @ self.matrix)

    def fitted_to(self, size: Size, source: str) -> CameraModel:
        """The camera for an image of ``size``, scaled where only the resolution differs.

        ``source`` names the calibration in the message. Raises CalibrationError for an image of another shape.
        """
        width, height = self.size
        if width * size[1] != height * size[0] and abs(width * size[1] / (height * size[0]) - 1) > 1 / min(size):
            raise CalibrationError(
                f"{source} is for images of {width}x{height} px, but the image has {size[0]}x{size[1]}: "
                "the shapes differ, so it cannot be scaled"
            )
        return self if self.size == size else self.scaled(size)

    def project(self, points_m: npt.ArrayLike) -> FloatArray:
        """Project points (N, 3) in the optical frame, metres -> pixels (N, 2), distorted."""
        points = np.ascontiguousarray(points_m, dtype=np.float64).reshape(-1, 1, 3)
        zero = np.zeros(3)
        if self.model == "equidistant":
            pixels = cv2.fisheye.projectPoints(points, zero, zero, self.matrix, self.distortion)[0]
        else:
            pixels = cv2.projectPoints(points, zero, zero, self.matrix, self.distortion)[0]
        return np.asarray(pixels, dtype=np.float64).reshape(-1, 2)

    def unproject(self, pixels: npt.ArrayLike) -> FloatArray:
        """Unproject distorted pixels (N, 2) -> rays (N, 3) in the optical frame with z = 1."""
        points = np.ascontiguousarray(pixels, dtype=np.float64).reshape(-1, 2)
        if self.model == "equidistant":
            rays = np.asarray(cv2.fisheye.undistortPoints(points[:, None], self.matrix, self.distortion), np.float64)
        else:
            rays = undistorted(points, self.matrix, self.distortion)
        return np.column_stack([rays.reshape(-1, 2), np.ones(len(points))])
