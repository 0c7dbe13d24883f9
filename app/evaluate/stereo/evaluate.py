"""Evaluation of stereo matchers beside their baselines, on the same pixels."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from roma_device.app.evaluate.errors import EvaluationError
from roma_device.calibration.arrays import FloatImage, Image
from roma_device.calibration.size import Size

from .index import LoadedPair, StereoPair
from .metrics import PROTOCOL_WIDTH_PX, at_width, measure
from .report import MatcherScores, PairScore, StereoReport


class StereoMatcher(Protocol):
    """Anything that finds disparities in a rectified pair."""

    @property
    def name(self) -> str: ...

    def prepare(self, size: Size) -> None:
        """Open what images of ``size`` need, so that matching alone is timed."""

    def match(self, left: Image, right: Image) -> tuple[FloatImage, FloatImage | None]:
        """Grey images (H, W) -> disparity (H, W) in px, not finite where missing; certainty (H, W) if any."""


def evaluate_stereo(
    pairs: Iterable[StereoPair],
    matcher: StereoMatcher,
    baselines: Sequence[StereoMatcher] = (),
    width_px: int = PROTOCOL_WIDTH_PX,
) -> StereoReport:
    """Run ``matcher`` and ``baselines`` on each pair at ``width_px``; raises EvaluationError."""
    matchers = (matcher, *baselines)
    rows = [_scores(pair, matchers, width_px) for pair in pairs]
    if not rows:
        raise EvaluationError("there is no pair to evaluate", exit_code=os.EX_NOINPUT)
    columns = zip(*rows, strict=True)
    ours, *others = (MatcherScores(method.name, scores) for method, scores in zip(matchers, columns, strict=True))
    return StereoReport(width_px, ours, tuple(others))


def _scores(pair: StereoPair, matchers: Sequence[StereoMatcher], width_px: int) -> list[PairScore]:
    loaded = at_width(pair.load(), width_px)
    return [_score(pair.id, loaded, matcher) for matcher in matchers]


def _score(pair_id: str, pair: LoadedPair, matcher: StereoMatcher) -> PairScore:
    height, width = pair.left.shape
    matcher.prepare(Size(width, height))
    started = time.process_time()
    disparity_px, certainty = matcher.match(pair.left, pair.right)
    cpu_ms = (time.process_time() - started) * 1000
    try:
        everywhere = measure(disparity_px, pair.disparity_px, certainty)
        visible = pair.nonocc
        nonocc = None if visible is None else measure(disparity_px, pair.disparity_px, certainty, visible)
    except ValueError as error:
        message = f"matcher {matcher.name} on pair {pair_id!r}: {error}"
        raise EvaluationError(message, exit_code=os.EX_SOFTWARE) from None
    return PairScore(pair_id, everywhere, nonocc, cpu_ms)
