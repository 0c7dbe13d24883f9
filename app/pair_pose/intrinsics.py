"""Camera intrinsics that ``--intrinsics`` names, as numbers or from calibration files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from roma_device.calibration.arrays import Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError, usage
from roma_device.calibration.plausibility import camera_findings
from roma_device.calibration.rig import StereoCalibration

UNKNOWN, RIG = "unknown", "rig"
_NUMBERS = re.compile(r"(?P<numbers>[^@]+)(@(?P<width>\d+)x(?P<height>\d+))?")
CENTRE_SHARE = 0.3, 0.7
"""Where in the image a principal point may lie, as a share of its size, if nobody says for which size it is."""


@dataclass(frozen=True, slots=True, eq=False)
class PairCameras:
    """Both cameras of a pair."""

    a: CameraModel
    b: CameraModel


def pair_cameras(texts: tuple[str, ...], sizes: tuple[Size, Size], rig: StereoCalibration | None) -> PairCameras | None:
    """The cameras of images of ``sizes``; None for "unknown". Raises CalibrationError.

    One text for both images, or one for each: "rig" (the calibration's cameras), a calibration file of a rig (its
    left camera), or FX,FY,CX,CY[@WIDTHxHEIGHT] in px.
    """
    if not 1 <= len(texts) <= 2:
        raise usage("--intrinsics is given once for both images, or twice, for the first and the second")
    if UNKNOWN in texts:
        return None
    if RIG in texts:
        return _rig_cameras(rig, sizes)
    a, b = (_camera(text, size) for text, size in zip((texts[0], texts[-1]), sizes, strict=True))
    return PairCameras(a, b)


def _rig_cameras(rig: StereoCalibration | None, sizes: tuple[Size, Size]) -> PairCameras:
    if rig is None:
        raise usage("--intrinsics rig takes the cameras of a rig: give its calibration with --calibration FILE")
    what = "the calibration"
    return PairCameras(rig.left.fitted_to(sizes[0], what), rig.right.fitted_to(sizes[1], what))


def _camera(text: str, size: Size) -> CameraModel:
    match = _NUMBERS.fullmatch(text)
    words = match["numbers"].split(",") if match else []
    if match is None or len(words) != 4:
        return _from_file(Path(text), size)
    try:
        fx, fy, cx, cy = map(float, words)
    except ValueError:
        raise usage(f"--intrinsics {text!r}: FX,FY,CX,CY must be four numbers in px") from None
    own = Size(int(match["width"]), int(match["height"])) if match["width"] else None
    try:
        camera = CameraModel.pinhole(own or size, fx, fy, cx, cy)
    except CalibrationError as error:
        raise usage(f"--intrinsics {text}: {error}") from None
    if own is None:
        _check_centre(text, camera)
    _check_usual(text, camera)
    return camera.fitted_to(size, f"--intrinsics {text}")


def _check_centre(text: str, camera: CameraModel) -> None:
    low, high = CENTRE_SHARE
    shares = [(camera.cx + 0.5) / camera.size[0], (camera.cy + 0.5) / camera.size[1]]
    if not all(low <= share <= high for share in shares):
        width, height = camera.size
        raise CalibrationError(
            f"--intrinsics {text}: the principal point {camera.cx:g},{camera.cy:g} is far from the centre of the "
            f"{width}x{height} px image: for which size are they? Add it, as in {text}@1920x1080",
            exit_code=os.EX_USAGE,
        )


def _check_usual(text: str, camera: CameraModel) -> None:
    for finding in camera_findings(camera):
        if finding.is_absurd:
            raise usage(f"--intrinsics {text}: {finding.words}")
        logger.warning(f"--intrinsics {text}: {finding.words}")


def _from_file(path: Path, size: Size) -> CameraModel:
    from roma_device.calibration.formats.exchange import import_calibration

    if not path.exists():
        raise CalibrationError(
            f"--intrinsics {path}: no such file, and not FX,FY,CX,CY[@WIDTHxHEIGHT], rig or unknown",
            exit_code=os.EX_NOINPUT,
        )
    return import_calibration([path]).left.fitted_to(size, str(path))
