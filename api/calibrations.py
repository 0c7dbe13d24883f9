"""Calibrations: read, written, solved and applied."""

from __future__ import annotations

import operator
import os
from pathlib import Path
from typing import Any, get_args

from roma_device.calibration.arrays import Image, Size
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import READ, WRITTEN, export_calibration, import_calibration
from roma_device.calibration.rectify import Rectification, RectifiedRig, View
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.rectified_images import RectifiedImages

from .log import stay_silent
from .options import as_path
from .pairs import check_image
from .words import in_keywords

stay_silent()

LENSES = ("auto", "plumb_bob", "rational", "fisheye")


@in_keywords
def load_calibration(
    *paths: str | Path, format: str | None = None, size: tuple[int, int] | None = None
) -> StereoCalibration:
    """A rig's calibration from one file, two (left and right) or a folder with both.

    Formats (own, ros, opencv, kalibr, kitti, euroc, middlebury, orbslam, zed, oak) are known by their content, or
    named. ``size`` (width, height) in px is for files that do not tell it. Raises CalibrationError.
    """
    if not paths:
        raise _usage("load_calibration needs a file, two, or a folder")
    if format is not None:
        _check_format(format, READ)
    return import_calibration([as_path(path, "a calibration") for path in paths], format, _size(size))


@in_keywords
def save_calibration(calibration: StereoCalibration, path: str | Path, format: str = "own") -> list[Path]:
    """Write ``path`` (own, opencv, kalibr; for ros a folder), replacing what is there; returns what was written.

    Raises CalibrationError.
    """
    _check_format(format, WRITTEN)
    _check_calibration(calibration)
    return export_calibration(as_path(path, "path"), calibration, format)


@in_keywords
def calibrate(
    folder: str | Path, board: str, *, swap: bool = False, baseline_m: float | None = None, lens: str = "auto"
) -> StereoCalibration:
    """Solve a rig's calibration from the pairs of images of a board in ``folder``.

    ``board`` as in ``roma-device calibrate``, such as "chessboard:9x6:25mm"; ``lens`` is auto, plumb_bob, rational or
    fisheye; ``swap`` exchanges left and right; ``baseline_m`` is the distance of the cameras in metres as measured
    otherwise, to be compared with. How good it is stands in ``.quality`` and ``.origin["verdict"]``. Raises RomaError
    where the images cannot be read or the views do not determine the rig.
    """
    from roma_device.app.calibrate.observations import pair_observations
    from roma_device.calibration.boards.spec import parse_board
    from roma_device.calibration.quality.report import finished_calibration, make_report
    from roma_device.calibration.solver.solve import solve_rig

    if lens not in LENSES:
        raise _usage(f"unknown lens {lens!r}; known: {', '.join(LENSES)}")
    if not isinstance(board, str):
        raise _usage(f"board must be a text such as chessboard:9x6:25mm, not {board!r}")
    target = parse_board(board)
    seen = pair_observations(str(as_path(folder, "folder")), target, swap)
    return finished_calibration(make_report(solve_rig(seen.views, target, seen.size, lens), baseline_m))


class Rectifier:
    """Rectifies raw pairs of one size by a calibration; the maps are made once."""

    @in_keywords
    def __init__(
        self, calibration: StereoCalibration, size: tuple[int, int] | None = None, view: View = "native"
    ) -> None:
        """``size`` (width, height) of the images in px where it is not the calibration's; ``view`` as of StereoDepth.

        Raises CalibrationError.
        """
        _check_calibration(calibration)
        if view not in get_args(View):
            raise _usage(f"unknown view {view!r}; known: {', '.join(get_args(View))}")
        wanted = _size(size)
        self._rectification = Rectification.from_calibration(
            calibration if wanted is None else calibration.fitted_to(wanted), view
        )

    @property
    def rig(self) -> RectifiedRig:
        """Geometry of the rectified pair: ``focal_px``, ``baseline_m``, ``cx``, ``cy``, ``size``."""
        return self._rectification.rig

    @in_keywords
    def __call__(self, left: Image, right: Image) -> tuple[Image, Image]:
        """Left and right rectified, (H, W) or (H, W, 3) uint8 as they came; raises RomaError for another size."""
        for name, image in (("the left image", left), ("the right image", right)):
            check_image(name, image)
            if Size.of(image) != self.rig.size:
                raise _usage(f"{name} has {Size.of(image)} px, this Rectifier is for {self.rig.size}: give size=")
        images = RectifiedImages(left, right, self._rectification)
        return images.left, images.right


def _size(given: Any) -> Size | None:
    if given is None:
        return None
    try:
        width, height = (operator.index(length) for length in given)
    except (TypeError, ValueError):
        raise _usage(f"size must be (width, height) in px, not {given!r}") from None
    return Size(width, height)


def _check_format(name: Any, known: tuple[str, ...]) -> None:
    if name not in known:
        raise _usage(f"unknown format {name!r}; known: {', '.join(known)}")


def _check_calibration(given: Any) -> None:
    if not isinstance(given, StereoCalibration):
        raise _usage(f"a StereoCalibration is needed, as load_calibration gives it, not {given!r}")


def _usage(message: str) -> CalibrationError:
    return CalibrationError(message, exit_code=os.EX_USAGE)
