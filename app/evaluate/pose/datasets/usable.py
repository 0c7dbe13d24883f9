"""What can be told of listed pairs before an evaluation begins: images missing, matrices of another size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from loguru import logger

from roma_device.app.evaluate import reading
from roma_device.app.evaluate.bad_lines import good_entries
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.storage.image_file import image_size

from . import PoseImage, PosePair, unusual_about

HEAD_BYTES = 1 << 16
"""Of an image file; its size stands in these, unless a JPEG has a large picture of itself before."""


def usable_pairs(path: Path, pairs: list[PosePair]) -> list[PosePair]:
    """The pairs of the list ``path`` whose images can be opened and have a possible camera.

    Single others are left out with a warning; raises EvaluationError where they are many. What is unusual about a
    camera, as the principal point of a matrix for another size, is warned of once for the list.
    """
    unusual: list[str] = []

    def checked(_: int, pair: PosePair) -> PosePair:
        where = f"{pair.index}: pair {pair.id!r}"
        for key, image in (("a", pair.a), ("b", pair.b)):
            with reading(f"{where}: {key}", image.path):
                unusual.extend(f"{where}: K_{key}: {words}" for words in _unusual(image))
        return pair

    good = good_entries(path, pairs, checked)
    if unusual:
        logger.warning("{}{}", unusual[0], f" (and {len(unusual) - 1} more)" if unusual[1:] else "")
    return good


def _unusual(image: PoseImage) -> list[str]:
    """Raises OSError, and CalibrationError for a matrix that cannot be that of the image."""
    with image.path.open("rb") as file:
        size = image.size or image_size(file.read(HEAD_BYTES))
    return [] if size is None else unusual_about(CameraModel(size, image.matrix, np.zeros(5)))
