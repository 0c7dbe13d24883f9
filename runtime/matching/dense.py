"""Dense matching by a two-view network, of whose warp a few thousand matches are sampled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from roma_device.calibration.arrays import Image
from roma_device.calibration.size import Size
from roma_device.runtime.card import ModelCard
from roma_device.runtime.matching_network import MatchingNetwork, NetworkOptions
from roma_device.runtime.types import Matches

from .point_pairs import PointPairs
from .sampling import SamplingOptions, sample_matches
from .subpixel import refined_subpixel

SHARED_PX = 64
"""Side of the areas, in px of the network's input, in which the errors of its matches are alike: with cells of 8 px the
covariance of a pose is too small by a factor of 2 to 8 (bench/pose_covariance.py), beyond 64 px it hardly changes."""


class DenseMatcher:
    """Opens the network anew where images change their size."""

    def __init__(self, card: ModelCard, options: NetworkOptions, sampling: SamplingOptions | None = None) -> None:
        self.name = card.name
        self._card, self._options = card, options
        self.min_certainty = max(card.min_confidence, SamplingOptions().min_certainty)
        self._sampling = sampling or SamplingOptions(min_certainty=self.min_certainty)
        self._network: MatchingNetwork | None = None

    def match(self, a: Image, b: Image) -> PointPairs:
        """Drawn from the matches of all pixels; exact to the patches around them where both images have one size."""
        matches = self.match_all(a, b)
        scale = a.shape[1] / self._network_for(Size.of(a)).plan.content.width
        pairs = sample_matches(matches, Size.of(b), self._sampling, SHARED_PX * scale)
        return refined_subpixel(pairs, a, b, scale) if a.shape == b.shape else pairs

    def match_all(self, a: Image, b: Image) -> Matches:
        """Where each pixel of a lies in b; the network sees the whole of both images, b squeezed to the shape of a."""
        return _in_pixels_of_b(self._network_for(Size.of(a)).match(a, b), Size.of(a), Size.of(b))

    def close(self) -> None:
        if self._network is not None:
            self._network.close()
            self._network = None

    def _network_for(self, size: Size) -> MatchingNetwork:
        if self._network is None or self._network.size != size:
            self.close()
            options = replace(self._options, input_width=min(size.width, self._options.input_width))
            self._network = MatchingNetwork(self._card, size, options)
        return self._network


def _in_pixels_of_b(matches: Matches, size_a: Size, size_b: Size) -> Matches:
    """The decoder takes both images for one size: pixel centres at integers, as in CameraModel.scaled."""
    if size_a == size_b:
        return matches
    scale = np.array(size_b, np.float32) / np.array(size_a, np.float32)
    return Matches(matches.certainty, two_view_warp=(matches.warp + np.float32(0.5)) * scale - np.float32(0.5))
