"""The tracker of ``odometry.tracker``: one that needs no model, or a two-view network."""

from __future__ import annotations

import os

from roma_device.app.model_store import find_model
from roma_device.runtime.card import ModelError
from roma_device.runtime.odometry.trackers import TRACKERS, Tracker, make_tracker
from roma_device.runtime.pipeline import PipelineOptions


def open_tracker(name: str, options: PipelineOptions) -> Tracker:
    """A tracker of TRACKERS, or the two-view model that ``name`` (bundle folder or bundled name) is.

    Raises ModelError for a name that is neither.
    """
    if name in TRACKERS:
        return make_tracker(name)
    known = " or ".join(TRACKERS)
    try:
        card = find_model(name)
    except ModelError as error:
        raise ModelError(f"tracker {name!r} is not {known}, and {error}", exit_code=error.exit_code) from None
    if card.task != "two_view":
        message = f"tracker: model {card.name} matches along rows only: give {known}, or a two_view model"
        raise ModelError(message, exit_code=os.EX_USAGE)
    from roma_device.app.matchers.dense import DenseMatcher
    from roma_device.runtime.odometry.trackers.network import NetworkTracker

    matcher = DenseMatcher(card, options)
    return NetworkTracker(matcher.match_all, matcher.min_certainty, matcher.close)
