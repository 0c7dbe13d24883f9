"""Stereo network as a matcher that is evaluated."""

from __future__ import annotations

from dataclasses import replace

from roma_device.calibration.arrays import FloatImage, Image
from roma_device.calibration.size import Size
from roma_device.runtime.card import ModelCard
from roma_device.runtime.matching_network import MatchingNetwork, NetworkOptions


class NetworkMatcher:
    """Scores the dense disparity, before any of it is invalidated."""

    def __init__(self, card: ModelCard, options: NetworkOptions) -> None:
        self.name = card.name
        self._card, self._options = card, options
        self._network: MatchingNetwork | None = None

    def prepare(self, size: Size) -> None:
        """Open the network for images of ``size`` and let the engine warm up."""
        if self._network is None or self._network.size != size:
            self.close()
            self._network = MatchingNetwork(self._card, size, replace(self._options, input_width=size[0]))
            self._network.infer()

    def match(self, left: Image, right: Image) -> tuple[FloatImage, FloatImage | None]:
        """Disparity and certainty, both (H, W), of a rectified pair of the prepared size."""
        assert self._network is not None, "prepare comes first"
        matches = self._network.match(left, right)
        assert matches.disparity_px is not None
        return matches.disparity_px, matches.certainty

    def close(self) -> None:
        if self._network is not None:
            self._network.close()
            self._network = None
