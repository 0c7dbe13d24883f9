"""Import and export of calibrations of other programs, with detection of the format."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.plausibility import SAID_UNIT, UNITS_M, checked
from roma_device.calibration.rig import StereoCalibration

from .detection import PAIRED, READ, files_of, format_of
from .euroc import read_euroc
from .kalibr import read_kalibr, save_kalibr
from .kitti import read_kitti
from .middlebury import read_middlebury
from .oak import read_oak
from .opencv import read_opencv, save_opencv
from .orbslam import read_orbslam
from .own import read_own, save_calibration
from .raw_rig import RawRig
from .ros import read_ros, save_ros
from .zed import read_zed

__all__ = [
    "PAIRED",
    "READ",
    "WRITTEN",
    "export_calibration",
    "format_of",
    "import_calibration",
    "is_foreign",
    "load_calibration",
]

WRITTEN = ("own", "ros", "opencv", "kalibr")


def load_calibration(path: Path) -> StereoCalibration:
    """Read what ``save_calibration`` wrote, or a file or folder of another program that holds both cameras.

    Raises CalibrationError with file, line and key, and for a rig that is not plausible; its exit code tells data that
    is wrong from a file that is missing or closed to this user.
    """
    if is_foreign(path):
        try:
            return import_calibration([path])
        except CalibrationError as error:
            error.address(partial(_by_import, path))
            raise
    return checked(read_own(path), path)


def _by_import(path: Path, name: str, value: str | None = None) -> str:
    """An option that only an import has, in the words of who reads a file where it is used."""
    value = value or {"size": "WIDTHxHEIGHT"}.get(name, "")
    return f"`roma-device calibration import {path} --{name} {value} --output rig.yaml`, and take rig.yaml"


def import_calibration(
    paths: list[Path],
    format_name: str | None = None,
    size: Size | None = None,
    *,
    swap: bool = False,
    unit: str | None = None,
    cameras: str | None = None,
) -> StereoCalibration:
    """Read one file, two (left and right), or a folder with both; the format shows by itself.

    ``size`` is for files that do not tell it, or hold several. ``swap``: the first camera is the right one. ``unit``:
    of UNITS_M, in place of the format's own; then the baseline is not doubted. ``cameras``: which pair of a file of
    KITTI's, grey or colour. Raises CalibrationError, for a rig that
    is not plausible as well.
    """
    paths = files_of(paths)
    name = format_name or format_of(paths[0])
    if name in PAIRED and len(paths) != 2:
        raise _usage(f"{paths[0]} is one camera of a pair in {name}'s format: give the file of the right one as well")
    if name not in (*PAIRED, "opencv") and len(paths) != 1:
        raise _usage(f"{name}'s format has both cameras in one file, so {paths[1]} is one too many")
    where = " and ".join(map(str, paths))
    if cameras is not None and name != "kitti":
        raise _usage(f"{paths[0]}: --cameras says which of KITTI's two pairs is meant, and this is {name}'s format")
    rig = _read(name, paths, size, cameras)
    if size is not None and size != rig.first.size:
        raise CalibrationError(
            lambda option: (
                f"{where}: it is for images of {rig.first.size}, not {size}: leave {option('size')} out, or calibrate "
                "at the size of the images"
            ),
            exit_code=os.EX_USAGE,
        )
    with located(where):
        calibration = rig.calibration(swap, 1.0 if unit is None else UNITS_M[unit] / FORMAT_UNIT_M.get(name, 1.0))
    if name == "own" and not swap:
        own = read_own(paths[0])
        calibration = replace(own, right_from_left=calibration.right_from_left)
    if unit is not None:
        calibration = replace(calibration, origin={**calibration.origin, SAID_UNIT: unit})
    return checked(calibration, where)


FORMAT_UNIT_M = {"middlebury": UNITS_M["mm"], "zed": UNITS_M["mm"], "oak": UNITS_M["cm"]}
"""What a format's own lengths are in, where it is not m."""


def _read(name: str, paths: list[Path], size: Size | None, cameras: str | None) -> RawRig:
    if name == "own":
        own = read_own(paths[0])
        return RawRig(own.left, own.right, own.right_from_left)
    if name in PAIRED:
        return {"ros": read_ros, "euroc": read_euroc}[name](paths[0], paths[1])
    if name == "opencv":
        return read_opencv(paths, size)
    if name == "kitti":
        return read_kitti(paths[0], size, cameras)
    if name in ("zed", "orbslam"):
        return {"zed": read_zed, "orbslam": read_orbslam}[name](paths[0], size)
    return {"kalibr": read_kalibr, "middlebury": read_middlebury, "oak": read_oak}[name](paths[0])


def is_foreign(path: Path) -> bool:
    """Whether a file, or a folder with both cameras, is in another program's format."""
    try:
        return format_of(files_of([path])[0]) != "own"
    except CalibrationError:
        return False


def export_calibration(path: Path, calibration: StereoCalibration, format_name: str) -> list[Path]:
    """Write ``path`` (for ros a folder), replacing what is there; returns what was written. CalibrationError."""
    if format_name == "ros":
        return save_ros(path, calibration)
    {"own": save_calibration, "opencv": save_opencv, "kalibr": save_kalibr}[format_name](path, calibration)
    return [path]


def _usage(message: str) -> CalibrationError:
    return CalibrationError(message, exit_code=os.EX_USAGE)
