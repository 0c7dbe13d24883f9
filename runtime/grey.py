"""Grey images from whatever a camera gives."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import Image


def grey(image: Image, buffer: Image | None = None) -> Image:
    """(H, W[, 3]) BGR or grey -> (H, W) grey; colour is converted into ``buffer`` where that has the size."""
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY, dst=buffer), np.uint8)
