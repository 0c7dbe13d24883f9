"""Calibrations: read, written, solved and applied."""

from __future__ import annotations

from pathlib import Path

from roma_device.calibration.arrays import Image
from roma_device.calibration.formats.exchange import export_calibration, import_calibration
from roma_device.calibration.rectify import Rectification, RectifiedRig, View
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.size import Size
from roma_device.runtime.rectified_images import RectifiedImages

from .log import stay_silent

stay_silent()


def load_calibration(
    *paths: str | Path, format: str | None = None, size: tuple[int, int] | None = None
) -> StereoCalibration:
    """A rig's calibration from one file, two (left and right) or a folder with both.

    Formats (own, ros, opencv, kalibr, kitti, euroc, middlebury) are known by their content, or named. ``size``
    (width, height) is for files that do not tell it. Raises CalibrationError.
    """
    return import_calibration([Path(path) for path in paths], format, None if size is None else Size(*size))


def save_calibration(calibration: StereoCalibration, path: str | Path, format: str = "own") -> list[Path]:
    """Write ``path`` (own, opencv, kalibr; for ros a folder), replacing what is there; returns what was written."""
    return export_calibration(Path(path), calibration, format)


def calibrate(
    folder: str | Path, board: str, *, swap: bool = False, baseline_m: float | None = None, lens: str = "auto"
) -> StereoCalibration:
    """Solve a rig's calibration from the pairs of images of a board in ``folder``.

    ``board`` as in ``roma-device calibrate``, such as "chessboard:9x6:25mm"; ``baseline_m`` is the distance of the
    cameras as measured otherwise, to be compared with. How good it is stands in ``.quality``. Raises CalibrationError
    where the views do not determine the rig.
    """
    from roma_device.app.calibrate.observations import pair_observations
    from roma_device.calibration.boards.spec import parse_board
    from roma_device.calibration.quality.report import finished_calibration, make_report
    from roma_device.calibration.solver.solve_stereo import solve_rig

    target = parse_board(board)
    seen = pair_observations(str(folder), target, swap)
    return finished_calibration(make_report(solve_rig(seen.views, target, seen.size, lens), baseline_m))


class Rectifier:
    """Rectifies raw pairs of one size by a calibration; the maps are made once."""

    def __init__(
        self, calibration: StereoCalibration, size: tuple[int, int] | None = None, view: View = "native"
    ) -> None:
        """``size`` (width, height) of the images where it is not the calibration's; raises CalibrationError."""
        fitted = calibration if size is None else calibration.fitted_to(Size(*size))
        self._rectification = Rectification.from_calibration(fitted, view)

    @property
    def rig(self) -> RectifiedRig:
        """Geometry of the rectified pair."""
        return self._rectification.rig

    def __call__(self, left: Image, right: Image) -> tuple[Image, Image]:
        """Left and right rectified, (H, W) or (H, W, 3) as they came."""
        images = RectifiedImages(left, right, self._rectification)
        return images.left, images.right
