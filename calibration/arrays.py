"""Names of the array types that pass between functions; axes and units stand beside each use."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]
"""(H, W) grey or (H, W, 3) BGR."""

GreyImage = npt.NDArray[np.uint8]
"""(H, W)."""

FloatImage = npt.NDArray[np.float32]
"""(H, W[, C])."""
