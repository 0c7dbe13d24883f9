"""Files of judged pairs: rectified pairs with exact truth in one compressed archive, whoever rendered them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class JudgedPair:
    """A pair and its truth."""

    left: npt.NDArray[np.uint8]  # (H, W)
    right: npt.NDArray[np.uint8]
    disparity_px: npt.NDArray[np.float32]  # (H, W)
    is_hidden: npt.NDArray[np.bool_]  # (H, W): not seen by the right camera, whatever the reason
    is_clean: bool


def write(pairs: Iterable[JudgedPair], path: Path) -> None:
    """One compressed file; disparities in 1/64 px."""
    every = list(pairs)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        left=np.array([pair.left for pair in every]),
        right=np.array([pair.right for pair in every]),
        disparity=np.array([(64 * pair.disparity_px).round().astype(np.uint16) for pair in every]),
        hidden=np.array([pair.is_hidden for pair in every]),
        clean=np.array([pair.is_clean for pair in every]),
    )


def read(path: Path) -> list[JudgedPair]:
    """What ``write`` wrote; raises OSError."""
    with np.load(path) as file:
        left, right, hidden, clean = (file[name] for name in ("left", "right", "hidden", "clean"))
        disparity_px = file["disparity"].astype(np.float32) / 64
    every = zip(left, right, disparity_px, hidden, clean, strict=True)
    return [JudgedPair(a, b, d, h, bool(c)) for a, b, d, h, c in every]
