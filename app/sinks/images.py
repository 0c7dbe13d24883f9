"""Images of a frame, one sink each: disparity in px as PFM, depth in mm as 16 bit PNG, certainty as 8 bit PNG."""

from __future__ import annotations

import numpy as np

from roma_device.runtime.depth import encode_depth_mm
from roma_device.runtime.types import Result

from .file_sink import FileSink, encode_png
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


class DepthSink(FileSink):
    """``NNNNNN_depth.png``: 16UC1 millimetres along the optical axis, 0 where unknown or beyond 65.535 m."""

    suffix = "_depth.png"

    def encode(self, result: Result) -> bytes | None:
        if result.depth is None:
            self.explain_once("No depth is saved: metric depth needs the rig's focal length and baseline.")
            return None
        return encode_png(encode_depth_mm(np.where(result.known, result.depth.depth_m, np.nan)))


class ConfidenceSink(FileSink):
    """``NNNNNN_confidence.png``: 0 (surely wrong) to 255 (surely right), for every pixel."""

    suffix = "_confidence.png"

    def encode(self, result: Result) -> bytes | None:
        certainty = np.nan_to_num(result.matches.certainty, nan=0.0)
        return encode_png(np.rint(np.clip(certainty, 0, 1) * 255).astype(np.uint8))
