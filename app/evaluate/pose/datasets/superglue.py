"""Lists as SuperGlue's evaluation has them: a line for each pair, 38 words.

``image_a image_b exif_a exif_b K_a (9) K_b (9) b_from_a (16)``; exif is by how many quarter turns an image would be
upright; K and the pose are for the stored image.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.bad_lines import BadLines
from roma_device.app.evaluate.pose.datasets import PoseImage, PosePair, checked_matrix, checked_pose
from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.storage.files import decoded, read_bytes

WORDS = 38


def load_superglue(path: Path, images: Path) -> list[PosePair]:
    """Raises EvaluationError naming file and line where many lines are bad; a few are left out with a warning.

    K and the pose are for the stored images, which are never turned here: the number of turns changes nothing.
    """
    try:
        text = decoded(read_bytes(path, "pairs", EvaluationError), path, EvaluationError)
    except EvaluationError as error:
        if error.exit_code != os.EX_DATAERR:
            raise
        raise EvaluationError(f"{path}: is neither JSON, nor .npz, nor a list of pairs in text") from None
    numbered = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1)]
    numbered = [(number, words) for number, words in numbered if words and not words[0].startswith("#")]
    bad, pairs = BadLines(path, len(numbered)), []
    for number, words in numbered:
        where = f"{path}:{number}"
        try:
            pairs.append(_pair(words, where, path, images))
        except EvaluationError as error:
            bad.leave_out(number, str(error).removeprefix(f"{where}: "))
    bad.finish()
    return pairs


def _pair(words: list[str], where: str, path: Path, images: Path) -> PosePair:
    if len(words) != WORDS:
        raise EvaluationError(f"{where}: has {len(words)} words, but a pair with ground truth has {WORDS}")
    values = _numbers(words[4:], where)
    motion = values[18:].reshape(4, 4)
    if not np.array_equal(motion[3], [0, 0, 0, 1]):
        shown = " ".join(f"{value:g}" for value in motion[3])
        raise EvaluationError(f"{where}: the last row of the pose is {shown}, not 0 0 0 1: is it written by columns?")
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
