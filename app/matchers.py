"""Matchers of image pairs, by name or by a two-view network; the default falls back to SIFT where no engine runs."""

from __future__ import annotations

import os
from typing import Any, Protocol

from loguru import logger

from roma_device.calibration.arrays import Image
from roma_device.calibration.errors import RomaError
from roma_device.runtime import registry
from roma_device.runtime.engine import EngineError
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.matching_network import NetworkOptions

from .model_store import find_model


class MatcherError(RomaError):
    """A matcher that does not exist, or a model that matches something else."""

    exit_code = os.EX_USAGE


class PairMatcher(Protocol):
    """Finds the same points in two images, which may differ in size."""

    @property
    def name(self) -> str: ...

    def match(self, a: Image, b: Image) -> PointPairs:
        """Grey images (H, W) -> points in pixels of each; the same images give the same points."""

    def close(self) -> None:
        """Free what it holds."""


__all__ = ["MATCHERS", "MatcherError", "PairMatcher", "open_matcher"]

MATCHERS: dict[str, str] = {
    "sift": "roma_device.runtime.matching.features:SiftMatcher",
    "orb": "roma_device.runtime.matching.features:OrbMatcher",
}
"""Name -> "module:Class" of those that need no model; imported only when asked for."""

DEFAULT_MATCHER, WITHOUT_ENGINE = "two-view", "sift"
"""Who matches pairs where the user names nobody: the most accurate on real pairs by the table in docs/pose.md; and who
does where no engine runs it, as with OpenCV 4 alone."""


def open_matcher(name: str | None, options: NetworkOptions) -> PairMatcher:
    """A matcher of MATCHERS, or the two-view model that ``name`` (bundle folder or bundled name) is; None: the default.

    Raises MatcherError and ModelError.
    """
    if name is None:
        return _open_default(options)
    if name in MATCHERS:
        factory: Any = registry.load(MATCHERS, name)
        matcher: PairMatcher = factory()
        return matcher
    card = find_model(name)
    if card.task != "two_view":
        raise MatcherError(
            f"model {card.name} matches along the rows of rectified pairs only: a pose needs a two_view model, "
            f"or {' or '.join(MATCHERS)}"
        )
    from roma_device.runtime.matching.dense import DenseMatcher

    return DenseMatcher(card, options)


def _open_default(options: NetworkOptions) -> PairMatcher:
    """An engine that the user names has to run; without one, any matcher is better than none."""
    network = open_matcher(DEFAULT_MATCHER, options)
    if options.engine != "auto":
        return network
    from .matchers import FallbackMatcher

    return FallbackMatcher(network, open_matcher(WITHOUT_ENGINE, options))


class FallbackMatcher:
    """The first matcher; the second where the first one's engine cannot even begin."""

    def __init__(self, first: PairMatcher, second: PairMatcher) -> None:
        self._chosen, self._second = first, second
        self._is_settled = False

    @property
    def name(self) -> str:
        return self._chosen.name

    def match(self, a: Image, b: Image) -> PointPairs:
        """Raises EngineError where an engine that has worked fails."""
        try:
            pairs = self._chosen.match(a, b)
        except EngineError as error:
            if self._is_settled:
                raise
            logger.warning("{} instead of {}: {}", self._second.name, self.name, error)
            self._chosen.close()
            self._chosen = self._second
            pairs = self._chosen.match(a, b)
        self._is_settled = True
        return pairs

    def close(self) -> None:
        self._chosen.close()
        self._second.close()
