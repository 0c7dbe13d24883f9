"""Certainty of each match as 8 bit PNG."""

from __future__ import annotations

import numpy as np

from roma_device.runtime.types import Result

from .file_sink import FileSink, encode_png


class ConfidenceSink(FileSink):
    """``NNNNNN_confidence.png``: 0 (surely wrong) to 255 (surely right), for every pixel."""

    suffix = "_confidence.png"

    def encode(self, result: Result) -> bytes | None:
        certainty = np.nan_to_num(result.matches.certainty, nan=0.0)
        return encode_png(np.rint(np.clip(certainty, 0, 1) * 255).astype(np.uint8))
