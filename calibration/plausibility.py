"""Plausibility of a stereo calibration: absurd numbers are refused, unusual ones warned of, both with the value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from loguru import logger

from .arrays import FloatArray
from .camera import CameraModel
from .errors import CalibrationError
from .rig import StereoCalibration

USUAL_BASELINE_M = 0.01, 3.0
POSSIBLE_BASELINE_M = 0.001, 10.0
WIDE_BASELINE_M = 1.0  # more is a rig on a vehicle, or inches and centimetres taken for metres
USUAL_TANGENTIAL, POSSIBLE_TANGENTIAL = 0.02, 0.1  # p1 and p2; those of a real lens are below 0.01
POSSIBLE_COEFFICIENT = 1e4  # of a distortion; those of badly determined rational models reach hundreds
USUAL_ASPECT, POSSIBLE_ASPECT = 1.2, 2.1  # fx / fy, or the other way round
USUAL_FOCALS, POSSIBLE_FOCALS = 1.25, 2.5  # of one camera to the other
USUAL_FOCAL_SHARE, POSSIBLE_FOCAL_SHARE = (0.2, 6.0), (0.05, 60.0)  # focal length in image widths
USUAL_CENTRE = 0.3, 0.7  # principal point, as a share of the image; a quarter is that of a matrix for half the size
USUAL_SLOPE_DEG = 20.0  # of the baseline to the left camera's rows
FOLD_SHARE = 0.6  # of the way to the corner: a lens that folds over before is none
POSSIBLE_FOCAL_PX = 20.0, 1e6

UNITS_M = {"m": 1.0, "mm": 1e-3, "cm": 1e-2, "inch": 0.0254}
SAID_UNIT = "unit"
"""Key of a calibration's origin: the user has said the unit, so the baseline is what it is."""


class Finding(NamedTuple):
    is_absurd: bool
    words: str


def checked(calibration: StereoCalibration, where: object, *, warn: bool = True) -> StereoCalibration:
    """``calibration`` itself, with a warning for what is unusual; ``where`` is its file or name.

    Raises CalibrationError for what no rig is.
    """
    findings = list(rig_findings(calibration))
    for finding in findings:
        if finding.is_absurd:
            raise CalibrationError(f"{where}: {finding.words}")
    for finding in findings if warn else ():
        logger.warning("{}: {}", where, finding.words)
    return calibration


def rig_findings(calibration: StereoCalibration) -> Iterator[Finding]:
    """Everything that is absurd or unusual about a rig."""
    yield from direction_findings(calibration.right_from_left.translation_m)
    if SAID_UNIT not in calibration.origin:
        yield from baseline_findings(calibration.baseline_m)
        yield from _wide_findings(calibration.baseline_m)
    for side, camera in (("left", calibration.left), ("right", calibration.right)):
        for finding in camera_findings(camera):
            yield Finding(finding.is_absurd, f"{side} camera: {finding.words}")
    left, right = calibration.left.fx, calibration.right.fx
    ratio = max(left, right) / min(left, right)
    if ratio > USUAL_FOCALS:
        words = f"the focal lengths {left:.5g} and {right:.5g} px of the two cameras differ by a factor of {ratio:.2f}"
        yield Finding(ratio > POSSIBLE_FOCALS, words)


def baseline_findings(baseline_m: float) -> Iterator[Finding]:
    """Whether a baseline is one, and which unit it looks like where it is not."""
    low, high = USUAL_BASELINE_M
    if low <= baseline_m <= high:
        return
    likely = [unit for unit in ("mm", "cm", "inch") if low * 2 <= baseline_m * UNITS_M[unit] <= high / 6]
    back = [f"1/{1 / factor:g}" for factor in (1e-3,) if baseline_m < low and low <= baseline_m / factor <= high]
    words = f"the baseline is {baseline_m:.5g} m, which is {'more' if baseline_m > high else 'less'} than usual"
    if likely:
        readings = " or ".join(f"{baseline_m * UNITS_M[unit] * 1000:.5g} mm if it is in {unit}" for unit in likely)
        words += f"; is it in another unit ({readings})? Say so at import with --unit {likely[0]}"
    elif back:
        words += f"; it looks like metres taken for millimetres ({baseline_m * 1000:.5g} m): import with --unit m"
    else:
        words += f" ({low:g} to {high:g} m); if it is right, import with --unit m"
    yield Finding(not POSSIBLE_BASELINE_M[0] <= baseline_m <= POSSIBLE_BASELINE_M[1], words)


def _wide_findings(baseline_m: float) -> Iterator[Finding]:
    """Whether a baseline of a file could be one in inches or centimetres."""
    if WIDE_BASELINE_M < baseline_m <= USUAL_BASELINE_M[1]:
        readings = " or ".join(f"{baseline_m * UNITS_M[unit] * 1000:.5g} mm in {unit}" for unit in ("inch", "cm"))
        yield Finding(
            False,
            f"the baseline is {baseline_m:.5g} m, which is wide; is it in another unit ({readings})? Say so at import "
            "with --unit inch, or --unit m if it is right",
        )


def direction_findings(translation_m: FloatArray) -> Iterator[Finding]:
    """Whether the cameras stand side by side."""
    x, y, z = (float(value) for value in np.abs(translation_m))
    shown = ", ".join(f"{1000 * value:.4g}" for value in translation_m)
    if y > x and y >= z:
        yield Finding(True, vertical_words(translation_m))
    elif z > x:
        words = f"one camera is behind the other (from left to right {shown} mm): such a rig cannot be rectified"
        yield Finding(True, words)
    elif np.rad2deg(np.arctan2(np.hypot(y, z), x)) > USUAL_SLOPE_DEG:
        yield Finding(False, f"the baseline (from left to right {shown} mm) is far from parallel to the image rows")


def vertical_words(translation_m: FloatArray) -> str:
    """What to tell of a rig with one camera above the other."""
    shown = ", ".join(f"{1000 * value:.4g}" for value in translation_m)
    return (
        f"this is a vertical rig, one camera above the other (from left to right {shown} mm): this program needs them "
        "side by side, so turn both images by 90 degrees and calibrate with the turned ones"
    )


def camera_findings(camera: CameraModel) -> Iterator[Finding]:
    """Everything that is absurd or unusual about one camera."""
    width, height = camera.size
    shares = [(camera.cx + 0.5) / width, (camera.cy + 0.5) / height]
    if not all(USUAL_CENTRE[0] <= share <= USUAL_CENTRE[1] for share in shares):
        outside = not all(0 < share < 1 for share in shares)
        place = "outside" if outside else "far from the middle"
        words = f"the principal point {camera.cx:.5g},{camera.cy:.5g} px is {place} of the {camera.size} image"
        yield Finding(outside, f"{words}: is the matrix for another size?")
    aspect = max(camera.fx, camera.fy) / min(camera.fx, camera.fy)
    if aspect > USUAL_ASPECT:
        yield Finding(aspect > POSSIBLE_ASPECT, f"fx {camera.fx:.5g} and fy {camera.fy:.5g} px differ too much")
    share = camera.fx / width
    if not USUAL_FOCAL_SHARE[0] <= share <= USUAL_FOCAL_SHARE[1]:
        absurd = not POSSIBLE_FOCAL_SHARE[0] <= share <= POSSIBLE_FOCAL_SHARE[1]
        words = f"fx is {camera.fx:.5g} px for an image of {camera.size} px: is it in px, and for this size?"
        yield Finding(absurd, words)
    yield from _lens_findings(camera)
    yield from _fold_findings(camera)


def _lens_findings(camera: CameraModel) -> Iterator[Finding]:
    """Whether coefficients are those of a lens, and those of another model where the tangential ones belong."""
    if (most := float(np.abs(camera.distortion).max(initial=0))) > POSSIBLE_COEFFICIENT:
        yield Finding(True, f"a distortion coefficient is {most:.4g}, which no lens has")
    if camera.model != "equidistant" and (greatest := float(np.abs(camera.distortion[2:4]).max())) > USUAL_TANGENTIAL:
        shown = " and ".join(f"{value:.4g}" for value in camera.distortion[2:4])
        words = (
            f"the tangential distortion {shown} is more than lenses have: are these the coefficients of a fisheye lens "
            "(distortion_model: equidistant), or in another order?"
        )
        yield Finding(greatest > POSSIBLE_TANGENTIAL, words)


def _fold_findings(camera: CameraModel) -> Iterator[Finding]:
    """Whether the distortion turns back inside the image, so that two rays fall on one pixel."""
    reached = fold_radius(camera)
    width, height = camera.size
    corners = np.array([[x, y] for x in (0, width - 1) for y in (0, height - 1)], np.float64)
    corner = float(np.linalg.norm((corners - [camera.cx, camera.cy]) / [camera.fx, camera.fy], axis=1).max())
    if reached < corner:
        coefficients = " ".join(f"{value:.4g}" for value in camera.distortion)
        share = reached / corner
        words = (
            f"the distortion {coefficients} ({camera.model}) folds over {100 * share:.0f} % of the way to the corner: "
            "what lies beyond is not to be trusted"
        )
        yield Finding(share < FOLD_SHARE, words)


def fold_radius(camera: CameraModel) -> float:
    """Greatest distorted radius, in focal lengths, before the radial distortion turns back; inf where it never does."""
    lens = camera.distortion
    if camera.model == "equidistant":
        angle = np.linspace(0, np.pi, 2001)
        square = angle**2
        seen = angle * (1 + square * (lens[0] + square * (lens[1] + square * (lens[2] + square * lens[3]))))
    else:
        k1, k2, _, _, k3, k4, k5, k6 = np.pad(lens, (0, 8 - lens.size))
        radius = np.linspace(0, 6, 4001)
        square = radius**2
        over, under = (1 + square * (a + square * (b + square * c)) for a, b, c in ((k1, k2, k3), (k4, k5, k6)))
        seen = radius * over / np.where(under > 0, under, np.nan)
    turns = np.flatnonzero(~(np.diff(seen) > 0))
    return float(seen[turns[0]]) if len(turns) else float("inf")


def check_numbers(focal_px: float | None, baseline_m: float | None) -> None:
    """The same for a focal length and a baseline given by hand; raises CalibrationError."""
    findings = [] if baseline_m is None else list(baseline_findings(baseline_m))
    if focal_px is not None and not POSSIBLE_FOCAL_PX[0] <= focal_px <= POSSIBLE_FOCAL_PX[1]:
        findings.append(Finding(True, f"the focal length is {focal_px:g} px: is it in mm instead?"))
    for finding in findings:
        words = finding.words.replace(" Say so at import with --unit", " It must be given in m, not in")
        words = words.partition("; if it is right")[0].replace(": import with --unit m", "")
        if finding.is_absurd:
            raise CalibrationError(words)
        logger.warning("{}", words)
