"""Dense matching by a two-view network: matches sampled from its warp, and refined to subpixels by their patches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from roma_device.calibration.arrays import Image, Size
from roma_device.calibration.lucas_kanade import follow_there_and_back
from roma_device.runtime.card import ModelCard
from roma_device.runtime.matching_network import MatchingNetwork, NetworkOptions
from roma_device.runtime.odometry.sparse_stereo import PATCH_PX
from roma_device.runtime.types import Matches

from .alignment import Alignment
from .hypotheses import Aligned, best_aligned
from .point_pairs import PointPairs
from .sampling import SamplingOptions, sample_matches

MOST_PX = 2.0
"""A patch that comes to lie farther from where the network had it, in px of the network's input, is another one."""

LEAST_TEXTURE = 4e-3
"""Smaller eigenvalue of the patch's gradient matrix, as OpenCV scales it: with less, noise would move the patch."""


def refined_subpixel(pairs: PointPairs, a: Image, b: Image, scale: float = 1.0) -> PointPairs:
    """Refine to subpixels: ``pairs`` with the point in ``b`` where the patch around the point in ``a`` fits best.

    ``a`` and ``b``: grey (H, W) of one size. ``scale``: px of the images per px of the network's input. A point whose
    patch has little texture, does not lead back or goes astray stays where the network has it. Of a trained network
    hardly any patch that leads back goes astray (1 to 3 %), of one that guesses more than half: see ``confirmed``.
    """
    levels = max(0, round(float(np.log2(scale)))) if scale > 1 else 0
    places, found = follow_there_and_back(a, b, pairs.a, pairs.b, levels, PATCH_PX, LEAST_TEXTURE)
    near = np.linalg.norm(places - pairs.b, axis=1) < MOST_PX * max(scale, 1.0)
    followed = int(found.sum())
    confirmed = float((found & near).sum() / followed) if followed >= LEAST_FOLLOWED else None
    return replace(pairs, b=np.where((found & near)[:, None], places, pairs.b), confirmed=confirmed)


LEAST_FOLLOWED = 50
"""So many patches must have been followed to say what share of the matches they confirm."""

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
        """Drawn from the matches of all pixels, and exact to the patches around them.

        Where few pixels are certain, the second image is turned, or one of both made smaller, and what makes the most
        of them certain is taken: up to nine runs of the network in place of one.
        """
        size_a, size_b = Size.of(a), Size.of(b)
        network = self._network_for(size_a)

        def look(alignment: Alignment) -> Aligned:
            matches = network.match(*((a, b) if alignment.is_plain else alignment.draw(a, b)))
            inside = matches if alignment.is_plain else alignment.certain_inside(matches, size_b)
            share = float((inside.certainty >= self.min_certainty).mean()) / alignment.share_of_a
            return Aligned(alignment, inside, share)

        found = best_aligned(look, size_a, size_b, self.min_certainty)
        scale = a.shape[1] / network.plan.content.width
        pairs = sample_matches(found.matches, size_a, self._sampling, SHARED_PX * scale)
        return found.alignment.pairs(refined_subpixel(pairs, *found.alignment.draw(a, b), scale))

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
