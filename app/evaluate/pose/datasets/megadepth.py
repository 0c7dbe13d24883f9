"""Indices of MegaDepth-1500 in LoFTR's layout: an .npz file for each scene and range of overlap.

Its arrays: image_paths (from the data set's root), intrinsics (N, 3, 3), poses (N, 4, 4) camera from world, pair_infos
((i, j), overlap, ...). The root is the folder of the images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.pose.datasets import PoseImage, PosePair, checked_matrix, checked_pose
from roma_device.calibration.pose import Pose

from .archive import read_array


def load_megadepth(path: Path, images: Path) -> list[PosePair]:
    """Raises EvaluationError naming the file and what is wrong in it."""
    paths, matrices = read_array(path, "image_paths"), read_array(path, "intrinsics")
    poses, infos = read_array(path, "poses"), read_array(path, "pair_infos")
    pairs = []
    for number, info in enumerate(infos):
        where = f"{path}: pair number {number}"
        try:
            i, j = (int(index) for index in info[0])
            a, b = (_image(paths[k], matrices[k], images, where) for k in (i, j))
            b_from_a = _pose(poses[j]) @ _pose(poses[i]).inverse()
        except (IndexError, TypeError, ValueError) as error:
            raise EvaluationError(f"{where}: {error}") from None
        pose = checked_pose(b_from_a.rotation, b_from_a.translation_m, where)
        pairs.append(PosePair(path, f"{path.stem}_{number}", path.stem, a, b, pose))
    return pairs


def _image(name: Any, matrix: Any, images: Path, where: str) -> PoseImage:
    if not isinstance(name, str):
        raise EvaluationError(f"{where}: the image has no path")
    return PoseImage(images / name, checked_matrix(np.asarray(matrix, np.float64), where))


def _pose(matrix: Any) -> Pose:
    values = np.asarray(matrix, np.float64).reshape(4, 4)
    return Pose.from_rounded(values[:3, :3], values[:3, 3])
