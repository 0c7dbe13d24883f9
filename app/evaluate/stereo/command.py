"""``roma-device evaluate stereo``: the model and the baselines on an index of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from roma_device.app.model_store import find_model
from roma_device.app.run.build_pipelines import network_options
from roma_device.app.settings.settings import Settings

from .evaluate import evaluate_stereo
from .index import load_index
from .network_matcher import NetworkMatcher
from .report import StereoReport
from .sgbm import SgbmMatcher
from .vertical_tolerance import ToleranceReport, measure_tolerance, write_to_card


def evaluate_from_settings(settings: Settings, index: Path, compare: tuple[str, ...]) -> StereoReport:
    """Scores of the model and of the baselines named in ``compare``."""
    pairs = load_index(index)
    with closing(NetworkMatcher(find_model(settings.model), network_options(settings))) as matcher:
        return evaluate_stereo(pairs, matcher, [SgbmMatcher() for _ in compare])


def tolerance_from_settings(
    settings: Settings, index: Path, shifts_px: Sequence[float], write_card: bool
) -> ToleranceReport:
    """Accuracy of the model against vertical misalignment, noted in its card where asked for."""
    pairs, card = load_index(index), find_model(settings.model)
    with closing(NetworkMatcher(card, network_options(settings))) as matcher:
        report = measure_tolerance(pairs, matcher, shifts_px)
    if write_card:
        write_to_card(next(iter(card.files.values())).path.parent, report.tolerated_px)
    return report
