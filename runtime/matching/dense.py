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


USUAL_LOOKS, DOUBTED_SHARE, MIRRORED_TIMES, MIRRORED_SHARE = 2, 0.3, 2.0, 0.4
"""Where less of the first image is certain (of 9 of 59 real pairs, and of the mirror image of each) and neither turns
nor scales were tried, the mirror image is: if so many times as much is certain there, and as much as of usual pairs,
that may be what was taken. What is symmetrical matches its own mirror image, so well that a motion explains it; seen
from both sides it does so too, which is no fault."""


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
        network, looks = self._network_for(size_a), list[Alignment]()

        def look(alignment: Alignment) -> Aligned:
            looks.append(alignment)
            matches = network.match(*((a, b) if alignment.is_plain else alignment.draw(a, b)))
            inside = matches if alignment.is_plain else alignment.certain_inside(matches, size_b)
            return Aligned(alignment, inside, self._share(inside, alignment))

        found = best_aligned(look, size_a, size_b, self.min_certainty)
        doubt = self._mirrored(a, b, found.share) if len(looks) <= USUAL_LOOKS else None
        scale = a.shape[1] / network.plan.content.width
        pairs = sample_matches(found.matches, size_a, self._sampling, SHARED_PX * scale)
        pairs = found.alignment.pairs(refined_subpixel(pairs, *found.alignment.draw(a, b), scale))
        return replace(pairs, doubt=doubt)

    def _mirrored(self, a: Image, b: Image, share: float) -> str | None:
        """What tells that one may be a mirror image, where ``share`` of a is certain; one more run of the network."""
        if share >= DOUBTED_SHARE:
            return None
        upright = Alignment.squeezed(Size.of(a), Size.of(b))
        first, second = upright.draw(a, b)
        turned_over = self._network_for(Size.of(a)).match(first, np.ascontiguousarray(second[:, ::-1]))
        in_mirror = self._share(turned_over, upright)
        if in_mirror < max(MIRRORED_SHARE, MIRRORED_TIMES * share):
            return None
        shares = f"{100 * share:.0f} % of the pixels match, {100 * in_mirror:.0f} % with the second one turned over"
        return f"an image may be mirrored: {shares}"

    def _share(self, matches: Matches, alignment: Alignment) -> float:
        """Of the first image's pixels that are certain."""
        return float((matches.certainty >= self.min_certainty).mean()) / alignment.share_of_a

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
