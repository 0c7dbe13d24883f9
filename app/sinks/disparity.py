"""Disparity in px as PFM."""

from __future__ import annotations

import numpy as np

from roma_device.runtime.types import Result

from .file_sink import FileSink
from .pfm import encode_pfm


class DisparitySink(FileSink):
    """``NNNNNN_disparity.pfm``: float32 px at camera resolution, +inf where unknown."""

    suffix = "_disparity.pfm"

    def encode(self, result: Result) -> bytes | None:
        disparity_px = result.matches.disparity_px
        if disparity_px is None:
            self.explain_once("No disparity is saved: this model matches two views that are not rectified.")
            return None
        return encode_pfm(np.where(result.valid & np.isfinite(disparity_px), disparity_px, np.inf))
