"""uint8 image tensors (NCHW, NHWC, NV12), in the layouts that Pulsar2's input processors give a compiled model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import Image
from roma_device.runtime.card import ModelError

NO_COLOUR = 128
"""Value of both colour differences of a grey pixel."""


def write_grey(target: npt.NDArray[Any], image: Image) -> None:
    """Write ``image`` (H, W) into ``target``: NCHW with one channel, NHWC with one or three, or NV12.

    Raises ModelError for another shape.
    """
    height, width = image.shape
    if target.shape == (1, 1, height, width):
        target[0, 0] = image
    elif target.shape in ((1, height, width, 1), (1, height, width, 3)):
        target[0] = image[:, :, np.newaxis]
    elif target.shape == (1, height * 3 // 2, width, 1):
        target[0, :height, :, 0] = image
        target[0, height:] = NO_COLOUR
    else:
        raise ModelError(f"cannot fill an input of shape {target.shape} with images of {width}x{height} px")
