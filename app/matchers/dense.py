"""Dense matching by a two-view network, of whose warp a few thousand matches are sampled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from roma_device.calibration.arrays import Image
from roma_device.calibration.rectify import Rectification, RectifiedRig
from roma_device.calibration.size import Size
from roma_device.runtime.card import ModelCard
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.matching.sampling import SamplingOptions, sample_matches
from roma_device.runtime.matching.subpixel import polished
from roma_device.runtime.pipeline import PipelineOptions, StereoPipeline
from roma_device.runtime.types import Frame, Matches, StereoFrame

SHARED_PX = 64
"""Side of the areas, in px of the network's input, in which the errors of its matches are alike: with cells of 8 px the
covariance of a pose is too small by a factor of 2 to 8 (bench/pose_covariance.py), beyond 64 px it hardly changes."""


class DenseMatcher:
    """Opens the pipeline anew where images change their size."""

    def __init__(self, card: ModelCard, options: PipelineOptions, sampling: SamplingOptions | None = None) -> None:
        self.name = card.name
        self._card, self._options = card, options
        self.min_certainty = max(card.min_confidence, SamplingOptions().min_certainty)
        self._sampling = sampling or SamplingOptions(min_certainty=self.min_certainty)
        self._pipeline: StereoPipeline | None = None

    def match(self, a: Image, b: Image) -> PointPairs:
        """Drawn from the matches of all pixels; exact to the patches around them where both images have one size."""
        matches = self.match_all(a, b)
        scale = a.shape[1] / self._pipeline_for(Size.of(a)).plan.content[0]
        pairs = sample_matches(matches, Size.of(b), self._sampling, SHARED_PX * scale)
        return polished(pairs, a, b, scale) if a.shape == b.shape else pairs

    def match_all(self, a: Image, b: Image) -> Matches:
        """Where each pixel of a lies in b; the network sees the whole of both images, b squeezed to the shape of a."""
        size_a, size_b = Size.of(a), Size.of(b)
        matches = self._pipeline_for(size_a).process(StereoFrame(Frame(a, 0, 0), Frame(b, 0, 0))).matches
        return _in_pixels_of_b(matches, size_a, size_b)

    def close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    def _pipeline_for(self, size: Size) -> StereoPipeline:
        if self._pipeline is None or self._pipeline.rig.size != size:
            self.close()
            rig = RectifiedRig(size, None, None, (size[0] - 1) / 2, (size[1] - 1) / 2)
            options = replace(self._options, input_width=min(size[0], self._options.input_width))
            self._pipeline = StereoPipeline(self._card, Rectification.identity(rig), options)
        return self._pipeline


def _in_pixels_of_b(matches: Matches, size_a: Size, size_b: Size) -> Matches:
    """The decoder takes both images for one size: pixel centres at integers, as in CameraModel.scaled."""
    if size_a == size_b:
        return matches
    scale = np.array(size_b, np.float32) / np.array(size_a, np.float32)
    return Matches(matches.certainty, two_view_warp=(matches.warp + np.float32(0.5)) * scale - np.float32(0.5))
