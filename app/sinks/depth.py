"""Depth in millimetres as 16 bit PNG."""

from __future__ import annotations

import numpy as np

from roma_device.runtime.depth_encoding import encode_depth_mm
from roma_device.runtime.types import Result

from .file_sink import FileSink, encode_png


class DepthSink(FileSink):
    """``NNNNNN_depth.png``: 16UC1 millimetres along the optical axis, 0 where unknown or beyond 65.535 m."""

    suffix = "_depth.png"

    def encode(self, result: Result) -> bytes | None:
        if result.depth is None:
            self.explain_once("No depth is saved: metric depth needs the rig's focal length and baseline.")
            return None
        return encode_png(encode_depth_mm(np.where(result.known, result.depth.depth_m, np.nan)))
