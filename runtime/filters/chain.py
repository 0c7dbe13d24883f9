"""The filters of a run, in order."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, Mask, Size
from roma_device.runtime.depth import valid_matches
from roma_device.runtime.tensors.decode import linear, resize_disparity
from roma_device.runtime.types import Matches

from .options import FilterSettings
from .spatial import block_median, fill_holes, region_mask, without_edges, without_speckles
from .surroundings import Surroundings
from .temporal import ExponentialMean, Hysteresis

LONGEST_GAP_NS = 500_000_000
"""After a longer pause, or where time runs backward, nothing of the frame before counts."""

SAME_SCENE = 0.5
"""Where less than this share of what is known in both maps stays, it is another scene."""


class DepthFilters:
    """Filters of disparity on a grid of ``size``; they remember the frame before where the settings ask for it."""

    def __init__(self, settings: FilterSettings, size: Size) -> None:
        self.settings, self.size = settings, size
        self._mean = ExponentialMean(settings.temporal, settings.temporal_reset_px) if settings.temporal else None
        self._hysteresis = Hysteresis(settings.hysteresis, settings.temporal_reset_px) if settings.hysteresis else None
        self._region = None if settings.region is None else region_mask(settings.region, size)
        self._last: tuple[int, FloatImage, Mask] | None = None

    def __call__(self, matches: Matches, min_confidence: float, timestamp_ns: int) -> tuple[Matches, Mask]:
        """Filtered matches of a stereo network at ``size``, and which of them count (H, W); the certainty stays."""
        assert matches.disparity_px is not None
        disparity_px = matches.disparity_px
        self._forget_another_scene(timestamp_ns, disparity_px, matches.certainty >= min_confidence)
        around: Surroundings | None = None
        threshold: float | FloatImage = min_confidence
        if self.settings.doubt or self.settings.lenience:
            around = Surroundings(disparity_px, matches.certainty, self.settings.doubt)
            threshold = around.threshold(min_confidence, self.settings.lenience)
        if self._hysteresis is None:
            valid = valid_matches(matches, threshold, self._region)
        else:
            valid = valid_matches(matches, 0, self._region)
            valid &= self._hysteresis(disparity_px, matches.certainty, threshold)
        if around is not None:
            valid = around.without_doubtful(valid)
        disparity_px, valid = self._clean(disparity_px, valid)
        return replace(matches, disparity_px=disparity_px), valid

    def _clean(self, disparity_px: FloatImage, valid: Mask) -> tuple[FloatImage, Mask]:
        settings = self.settings
        if settings.speckle_px:
            valid = without_speckles(disparity_px, valid, settings.speckle_px, settings.speckle_step_px)
        if settings.edge_px:
            valid = without_edges(disparity_px, valid, settings.edge_px, settings.edge_step)
        if self._mean is not None:
            disparity_px = self._mean(disparity_px, valid)
        if settings.decimate > 1:
            disparity_px, valid = block_median(disparity_px, valid, settings.decimate)
        if settings.fill_px:
            disparity_px, valid = fill_holes(disparity_px, valid, settings.fill_px)
            valid = valid if self._region is None else valid & self._region
        return disparity_px, valid

    def _forget_another_scene(self, timestamp_ns: int, disparity_px: FloatImage, known: Mask) -> None:
        if not self.settings.remembers:
            return
        if self._last is not None:
            before_ns, before_px, was_known = self._last
            both = known & was_known
            same = both & (np.abs(disparity_px - before_px) < self.settings.temporal_reset_px)
            has_changed = np.count_nonzero(same) < SAME_SCENE * np.count_nonzero(both)
            if has_changed or not 0 < timestamp_ns - before_ns < LONGEST_GAP_NS:
                for memory in (self._mean, self._hysteresis):
                    if memory is not None:
                        memory.forget()
        self._last = timestamp_ns, disparity_px, known


def filter_grid(network: Size, camera: Size) -> Size:
    """Where filters run: on the network's input or on the camera's image, whichever is smaller."""
    return network if network.width * network.height < camera.width * camera.height else camera


def enlarge(matches: Matches, valid: Mask, size: Size) -> tuple[Matches, Mask]:
    """Filtered matches and their mask at ``size``."""
    assert matches.disparity_px is not None
    if Size.of(valid) == size:
        return matches, valid
    mask = cv2.resize(valid.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
    disparity_px = resize_disparity(matches.disparity_px, size)
    larger = replace(matches, certainty=linear(matches.certainty, size), disparity_px=disparity_px)
    return larger, np.asarray(mask, np.bool_)
