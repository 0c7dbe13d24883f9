"""Lists as SuperGlue's evaluation has them: a line for each pair, 38 words.

``image_a image_b exif_a exif_b K_a (9) K_b (9) b_from_a (16)``; exif is by how many quarter turns an image must be
turned first; K is for the stored image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.pose.datasets import PoseImage, PosePair, checked_matrix, checked_pose
from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.storage.files import read_bytes

WORDS = 38


def load_superglue(path: Path, images: Path) -> list[PosePair]:
    """Raises EvaluationError naming file and line; images that must be turned first are refused."""
    try:
        lines = read_bytes(path, "pairs", EvaluationError).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise EvaluationError(f"{path}: is neither JSON, nor .npz, nor a list of pairs in text") from None
    numbered = ((number, line.split()) for number, line in enumerate(lines, start=1))
    return [_pair(words, f"{path}:{number}", path, images) for number, words in numbered if words]


def _pair(words: list[str], where: str, path: Path, images: Path) -> PosePair:
    if len(words) != WORDS:
        raise EvaluationError(f"{where}: has {len(words)} words, but a pair with ground truth has {WORDS}")
    if words[2:4] != ["0", "0"]:
        raise EvaluationError(f"{where}: images that must be turned first ({' '.join(words[2:4])}) are not supported")
    values = _numbers(words[4:], where)
    motion = values[18:].reshape(4, 4)
    return PosePair(
        path,
        f"{words[0]} {words[1]}",
        str(Path(words[0]).parent) if Path(words[0]).parent.name else path.stem,
        PoseImage(images / words[0], checked_matrix(values[:9], where)),
        PoseImage(images / words[1], checked_matrix(values[9:18], where)),
        checked_pose(motion[:3, :3], motion[:3, 3], where),
    )


def _numbers(words: list[str], where: str) -> FloatArray:
    try:
        return np.array([float(word) for word in words])
    except ValueError as error:
        raise EvaluationError(f"{where}: {error}") from None
