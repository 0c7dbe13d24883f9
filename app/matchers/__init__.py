"""Feature and dense matchers: point correspondences between two images. One file each, named in MATCHERS."""

from __future__ import annotations

from typing import Any

from roma_device.app.model_store import find_model
from roma_device.runtime import registry
from roma_device.runtime.matching_network import NetworkOptions

from .pair_matcher import MatcherError, PairMatcher

__all__ = ["MATCHERS", "MatcherError", "PairMatcher", "open_matcher"]

MATCHERS: dict[str, str] = {
    "sift": "roma_device.runtime.matching.sift:SiftMatcher",
    "orb": "roma_device.runtime.matching.orb:OrbMatcher",
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
    from .fallback import FallbackMatcher

    return FallbackMatcher(network, open_matcher(WITHOUT_ENGINE, options))
