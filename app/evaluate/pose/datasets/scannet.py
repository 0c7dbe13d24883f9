"""The index of ScanNet-1500: ``test.npz`` with name (N, 4) = scene, part, frame a, frame b.

Images are ``sceneNNNN_NN/color/FRAME.jpg`` below the folder of the images or its scans_test or scannet_test_1500. The
pose is rel_pose (N, 12) in the index, or follows from ``pose/FRAME.txt`` (world from camera). Intrinsics are those of
``intrinsics.npz`` beside the index, for 640x480 px, or of ``intrinsic/intrinsic_color.txt``, for the stored images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from roma_device.app.evaluate import EvaluationError, reading
from roma_device.app.evaluate.pose.datasets import PoseImage, PosePair, checked_matrix, checked_pose
from roma_device.calibration.arrays import FloatArray, Size
from roma_device.calibration.pose import Pose
from roma_device.calibration.storage.files import read_regular

from .archive import names_in, read_array

INDEX_SIZE = Size(640, 480)
MOST_NUMBER_BYTES = 1 << 16
_BELOW = ("", "scans_test", "scannet_test_1500", "test")


def load_scannet(path: Path, images: Path) -> list[PosePair]:
    """Raises EvaluationError naming the file and what is wrong in it."""
    names = read_array(path, "name")
    poses = read_array(path, "rel_pose") if "rel_pose" in names_in(path) else None
    try:
        rows = [tuple(int(value) for value in row) for row in np.asarray(names).reshape(-1, 4)]
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{path}: name: {error}") from None
    if poses is not None and len(poses) != len(rows):
        raise EvaluationError(f"{path}: rel_pose has {len(poses)} poses for {len(rows)} pairs")
    return [_pair(row, None if poses is None else poses[n], path, images) for n, row in enumerate(rows)]


def _pair(row: tuple[int, ...], pose: Any, path: Path, images: Path) -> PosePair:
    scene = f"scene{row[0]:04d}_{row[1]:02d}"
    folder = next((images / below / scene for below in _BELOW if (images / below / scene).is_dir()), images / scene)
    where = f"{path}: {scene}, frames {row[2]} and {row[3]}"
    matrix, size = _intrinsics(path, folder, scene, where)
    a, b = (PoseImage(folder / "color" / f"{frame}.jpg", matrix, size) for frame in row[2:])
    if pose is not None:
        motion = np.asarray(pose, np.float64).ravel()[:12].reshape(3, 4)
        b_from_a = checked_pose(motion[:, :3], motion[:, 3], where)
    else:
        world_from_a, world_from_b = (_stored_pose(folder / "pose" / f"{frame}.txt", where) for frame in row[2:])
        found = world_from_b.inverse() @ world_from_a
        b_from_a = checked_pose(found.rotation, found.translation_m, where)
    return PosePair(path, f"{scene}_{row[2]}_{row[3]}", path.stem, a, b, b_from_a)


def _intrinsics(path: Path, folder: Path, scene: str, where: str) -> tuple[FloatArray, Size | None]:
    beside = path.parent / "intrinsics.npz"
    if beside.is_file():
        return checked_matrix(read_array(beside, scene), where), INDEX_SIZE
    values = _numbers(folder / "intrinsic" / "intrinsic_color.txt", where)
    return checked_matrix(values.reshape(4, 4)[:3, :3], where), None


def _stored_pose(path: Path, where: str) -> Pose:
    values = _numbers(path, where).reshape(4, 4)
    return Pose.from_rounded(values[:3, :3], values[:3, 3])


def _numbers(path: Path, where: str) -> FloatArray:
    """The 16 numbers of a text file."""
    with reading(where, path):
        text = read_regular(path, MOST_NUMBER_BYTES).decode("utf-8-sig")
    try:
        values = np.array([float(word) for word in text.split()])
    except ValueError as error:
        raise EvaluationError(f"{where}: {path}: {error}") from None
    if values.size != 16:
        raise EvaluationError(f"{where}: {path}: holds {values.size} numbers, not 16")
    return values
