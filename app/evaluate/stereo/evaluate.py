"""Evaluation of stereo matchers on the same pixels: the network, and OpenCV's semi-global matching as the baseline."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.on_workers import in_order
from roma_device.app.model_store import find_model
from roma_device.app.run.from_settings import network_options
from roma_device.app.settings.settings import Settings
from roma_device.calibration.arrays import FloatImage, Image, Mask, Size
from roma_device.runtime.card import ModelCard
from roma_device.runtime.matching_network import MatchingNetwork, NetworkOptions

from .index import LoadedPair, StereoPair, load_index
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
    return _report([method.name for method in matchers], rows, width_px)


def _report(names: Sequence[str], rows: Sequence[Sequence[PairScore]], width_px: int) -> StereoReport:
    """Of rows with a score for each of ``names``."""
    if not rows:
        raise EvaluationError("there is no pair to evaluate", exit_code=os.EX_NOINPUT)
    columns = zip(*rows, strict=True)
    ours, *others = (MatcherScores(name, scores) for name, scores in zip(names, columns, strict=True))
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


DISPARITIES_PX = 192
_STEPS_PER_PX = 16


class SgbmMatcher:
    """Three-way SGBM with a disparity in every pixel; gives no certainty.

    Both images are widened on the left by the search range, which costs time and gives the left
    edge a disparity at all: OpenCV leaves that many columns empty otherwise. Not thread-safe.
    """

    name = "sgbm"

    def __init__(self) -> None:
        self._matcher = cv2.StereoSGBM.create(
            minDisparity=0,
            numDisparities=DISPARITIES_PX,
            blockSize=5,
            P1=200,
            P2=800,
            disp12MaxDiff=1,
            preFilterCap=63,
            uniquenessRatio=10,
            speckleWindowSize=100,
            speckleRange=2,
            mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
        )

    def prepare(self, size: Size) -> None:
        """Nothing: the matcher takes any size."""

    def match(self, left: Image, right: Image) -> tuple[FloatImage, None]:
        """Images (H, W) grey or (H, W, 3) BGR -> disparity (H, W) in px, finite everywhere."""
        steps = self._matcher.compute(_widened(left), _widened(right))[:, DISPARITIES_PX:]
        disparity_px = steps.astype(np.float32) / _STEPS_PER_PX
        return fill_holes(disparity_px, disparity_px >= 0), None


def _widened(image: Image) -> Image:
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.copyMakeBorder(grey, 0, 0, DISPARITIES_PX, 0, cv2.BORDER_REPLICATE))


def fill_holes(disparity_px: FloatImage, valid: Mask) -> FloatImage:
    """Give each invalid pixel the smaller of the nearest valid disparities on its left and right.

    Holes are mostly hidden background beside a nearer object, so the smaller one is the better
    guess. A row without any valid pixel becomes 0. All arrays are (H, W).
    """
    known = np.where(valid, disparity_px, np.float32(np.inf))
    from_right = _nearest_on_left(known[:, ::-1], valid[:, ::-1])[:, ::-1]
    filled = np.minimum(_nearest_on_left(known, valid), from_right)
    return np.where(np.isfinite(filled), filled, 0).astype(np.float32)


def _nearest_on_left(values: FloatImage, valid: Mask) -> FloatImage:
    """Each pixel's own value where valid, else the last valid one before it in the row, else inf."""
    column = np.where(valid, np.arange(valid.shape[1]), 0)
    return np.take_along_axis(values, np.maximum.accumulate(column, axis=1), axis=1)


def evaluate_from_settings(
    settings: Settings, index: Path, compare: tuple[str, ...], on: str | None = None
) -> StereoReport:
    """Scores of the model and of the baselines named in ``compare``; ``on``: where, None for this process."""
    pairs, card = load_index(index), find_model(settings.model)
    if on is not None:
        for_one = settings.model_copy(update={"threads": settings.threads or 1})
        tasks = [_PairTask(for_one, pair, compare) for pair in pairs]
        names = (card.name, *(SgbmMatcher.name for _ in compare))
        return _report(names, in_order(on, settings.model, _score_pair, tasks), PROTOCOL_WIDTH_PX)
    with closing(NetworkMatcher(card, network_options(settings))) as matcher:
        return evaluate_stereo(pairs, matcher, [SgbmMatcher() for _ in compare])


@dataclass(frozen=True, slots=True)
class _PairTask:
    """One pair, for a worker."""

    settings: Settings
    pair: StereoPair
    compare: tuple[str, ...]


_open_matchers: dict[str, tuple[StereoMatcher, ...]] = {}
"""Of a worker, by its settings: it keeps its network from one pair to the next."""


def _score_pair(task: _PairTask) -> list[PairScore]:
    """On a worker."""
    key = f"{task.settings.model_dump_json()} {task.compare}"
    if key not in _open_matchers:
        _open_matchers.clear()
        network = NetworkMatcher(find_model(task.settings.model), network_options(task.settings))
        _open_matchers[key] = (network, *(SgbmMatcher() for _ in task.compare))
    return _scores(task.pair, _open_matchers[key], PROTOCOL_WIDTH_PX)
