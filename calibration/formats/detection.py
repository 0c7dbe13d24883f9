"""Detection of a calibration file's format by what stands in it, and of the two cameras' files in a folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.storage.files import read_text

READ = ("own", "ros", "opencv", "kalibr", "kitti", "euroc", "middlebury", "orbslam", "zed", "oak")

PAIRED = {
    "ros": ("left.yaml", "right.yaml"),
    "euroc": ("cam0/sensor.yaml", "cam1/sensor.yaml"),
}
"""Formats with one file for each camera, and the names that these have in a folder."""

_MARKS = {
    "own": r"roma-device-calibration",
    "zed": r"^[ \t]*\[LEFT_CAM_",
    "oak": r"\"cameraData\"",
    "orbslam": r"^(Camera1?\.(fx|type)|LEFT\.K|Stereo\.)",
    "euroc": r"^[ \t]*T_BS[ \t]*:",
    "kalibr": r"\bdistortion_coeffs\b",
    "ros": r"\bprojection_matrix\b|^[\"']?[kK][\"']?[ \t]*:",
    "middlebury": r"^[ \t]*cam0[ \t]*=",
    "opencv": r"\A\s*%YAML|opencv-matrix|opencv_storage",
    "kitti": r"^(P0|P2|P_rect_?\d*|K_0\d|calib_time)\s*:",
}
"""In this order: a container such as OpenCV's header comes after the dialects that stand in it. Each is found in one
pass, whatever stands in the file: nothing that may repeat begins with what may repeat, line ends among it."""


def format_of(path: Path) -> str:
    """The name of a file's format; raises CalibrationError where none fits."""
    text = read_text(path, "calibration")
    for name, mark in _MARKS.items():
        if re.search(mark, text, re.MULTILINE):
            return name
    known = ", ".join(READ)
    raise CalibrationError(
        lambda option: f"{path} is in no known format; known are {known}: name it with {option('format')}"
    )


def files_of(paths: list[Path]) -> list[Path]:
    """``paths`` themselves, or the two cameras' files in the folder that stands for both; raises CalibrationError."""
    if len(paths) != 1 or not paths[0].is_dir():
        return paths
    folder = paths[0]
    for root in (folder, folder / "mav0"):
        for names in PAIRED.values():
            pair = [root / name for name in names]
            if all(path.is_file() for path in pair):
                return pair
    if len(pair := _by_side(folder)) == 2:
        return pair
    wanted = " nor ".join(" and ".join(names) for names in PAIRED.values())
    raise CalibrationError(f"{folder} holds neither {wanted}", exit_code=os.EX_NOINPUT)


def _by_side(folder: Path) -> list[Path]:
    """The one text file whose name says left and the one whose name says right."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in (".yaml", ".yml", ".txt", ".json")]
    sides = [[path for path in files if re.search(side, path.stem, re.IGNORECASE)] for side in ("left", "right")]
    return [side[0] for side in sides if len(side) == 1]
