"""Doubt: what the first graph was unsure of, the last one must not be sure of.

A later graph compares places that are a few pixels apart and cannot know that a pattern repeats farther away: beside
the wrong bar of a grating it sees two images that agree. The first one, which compares the whole row, does know.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatImage

SURE = 0.7
"""Certainty of the first graph from which on it leaves that of the last as it is; below, it scales it down."""


class FirstDoubt:
    """The certainty of the last graph, lowered by what the first one gave; nothing is allocated from the second use on.

    ``certainty`` (1, 1, h, w), float32, is as large as that of the last graph. It is a copy, for the program does not
    write where the NPU writes.
    """

    def __init__(self, last: Mapping[str, AnyArray]) -> None:
        """``last``: the outputs of the last graph."""
        self._last: FloatImage = last["certainty"]
        self.certainty: FloatImage = np.zeros(self._last.shape, np.float32)
        self._first: FloatImage = np.empty((0, 0), np.float32)

    def remember(self, outputs: Mapping[str, AnyArray]) -> None:
        """Keep the ``certainty`` (1, 1, h, w) of the first graph, whose buffer may be written again."""
        certainty = outputs["certainty"][0, 0]
        if self._first.shape != certainty.shape:
            self._first = np.empty(certainty.shape, np.float32)
        np.copyto(self._first, certainty)

    def apply(self) -> None:
        """Fill ``certainty`` from what the last graph has given now."""
        share = self.certainty[0, 0]
        cv2.resize(self._first, share.shape[::-1], dst=share, interpolation=cv2.INTER_LINEAR)
        np.divide(share, SURE, out=share)
        np.minimum(share, 1, out=share)
        np.multiply(share, self._last[0, 0], out=share)
