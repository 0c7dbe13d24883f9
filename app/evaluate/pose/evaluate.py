"""Evaluation of relative poses: pose AUC of ours, and of SIFT and ORB with OpenCV's MAGSAC on the same images."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from roma_device.app.evaluate.on_workers import in_order
from roma_device.app.matchers import DEFAULT_MATCHER, MATCHERS, PairMatcher, open_matcher
from roma_device.app.settings.settings import Settings
from roma_device.calibration.arrays import Image, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.runtime.matching.features import FeatureMatcher
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose
from roma_device.runtime.relative_pose.rays import RayPairs
from roma_device.runtime.tensors.preprocess import resize_filter

from .datasets import PosePair, load_pairs
from .datasets.usable import usable_pairs
from .report import PoseReport, PoseScore, PoseScores, pose_error_deg
from .variation_report import VariationReport
from .variations import AS_THEY_ARE, Variation, View, variations

BASELINES = ("sift", "orb")
BASELINE_THRESHOLD_PX = 1.0

Method = Callable[[View, View], tuple[Pose | None, str, float]]
"""Two views -> the pose, its state, and CPU time in ms from matches to pose."""


@dataclass(frozen=True, slots=True)
class PoseEvaluation:
    """What is to be evaluated, and how."""

    pairs: Path
    matcher: str | None = None  # None: the default
    format_name: str | None = None
    images: Path | None = None
    size: int = 640  # longer side in px; 0: as the files are
    engine: str | None = None
    threads: int | None = None
    precision: str | None = None  # of a model on a host engine
    no_baseline: bool = False
    vary: tuple[str, ...] = ()  # kinds of VARIATIONS
    on: str | None = None  # where pairs are scored; None: in this process

    @property
    def model(self) -> str | None:
        """The bundle that matches; None where none does."""
        name = self.matcher or DEFAULT_MATCHER
        return None if name in MATCHERS else name


def run_evaluation(choice: PoseEvaluation) -> PoseReport:
    """The pairs as they are; raises EvaluationError, MatcherError, ModelError and SettingsError."""
    return _evaluated(choice, [AS_THEY_ARE])[0]


def run_variations(choice: PoseEvaluation) -> VariationReport:
    """The pairs as they are, and all of ``choice.vary``; raises the same."""
    kinds = variations(choice.vary)
    return VariationReport(tuple(zip(kinds, _evaluated(choice, kinds), strict=True)))


def _evaluated(choice: PoseEvaluation, changes: Sequence[Variation]) -> list[PoseReport]:
    """A report for each change; pair by pair, so that an image is read once."""
    pairs = usable_pairs(choice.pairs, load_pairs(choice.pairs, choice.format_name, choice.images))
    if choice.on is not None:
        for_one = replace(choice, threads=choice.threads or 1)
        tasks = [_PairTask(for_one, tuple(changes), pair) for pair in pairs]
        scored = in_order(choice.on, choice.model, _score_pair, tasks)
        used, rows = scored[0][0], [row for _, row in scored]
    else:
        matcher, methods = _open(choice)
        with closing(matcher):
            rows = [_scores(pair, choice.size, changes, methods) for pair in pairs]
        used = matcher.name
    names = ["ours", *(() if choice.no_baseline else BASELINES)]
    reports = []
    for of_change in zip(*rows, strict=True):
        ours, *others = map(PoseScores, names, zip(*of_change, strict=True))
        reports.append(PoseReport(used, choice.size, ours, tuple(others)))
    return reports


def _open(choice: PoseEvaluation) -> tuple[PairMatcher, list[Method]]:
    """Our matcher, and the methods that are compared, ours first."""
    settings = Settings().overridden(engine=choice.engine, threads=choice.threads, precision=choice.precision)
    width = choice.size or 10**6
    options = NetworkOptions(settings.engine, settings.threads, width, precision=settings.precision)
    baselines = {name: open_matcher(name, options) for name in (() if choice.no_baseline else BASELINES)}
    named = None if choice.matcher is None else baselines.get(choice.matcher)  # shares its features
    matcher = named or open_matcher(choice.matcher, options)
    return matcher, [_ours(matcher), *(_plain(baseline) for baseline in baselines.values())]


@dataclass(frozen=True, slots=True, eq=False)
class _PairTask:
    """One pair, for a worker."""

    choice: PoseEvaluation
    changes: tuple[Variation, ...]
    pair: PosePair


_opened = lru_cache(maxsize=1)(_open)
"""Of a worker: it keeps its network from one pair to the next."""


def _score_pair(task: _PairTask) -> tuple[str, list[list[PoseScore]]]:
    """On a worker: the matcher's name, which may be the one that it fell back to, and the scores."""
    matcher, methods = _opened(task.choice)
    scores = _scores(task.pair, task.choice.size, task.changes, methods)
    return matcher.name, scores


def _scores(
    pair: PosePair, size_px: int, changes: Sequence[Variation], methods: Sequence[Method]
) -> list[list[PoseScore]]:
    """Of each change, that of each method."""
    views = pair.load()
    return [_scores_of(pair, change.of(*views, pair.b_from_a), size_px, methods) for change in changes]


def _scores_of(
    pair: PosePair, changed: tuple[View, View, Pose], size_px: int, methods: Sequence[Method]
) -> list[PoseScore]:
    a, b = (resized(image, camera, size_px) for image, camera in changed[:2])
    scores = []
    for method in methods:
        pose, state, cpu_ms = method(a, b)
        scores.append(PoseScore(pair.id, pair.set, pose_error_deg(pose, changed[2]), state, cpu_ms))
    return scores


def resized(image: Image, camera: CameraModel, size_px: int) -> View:
    """The view with its longer side at ``size_px``, as it is for 0."""
    height, width = image.shape
    scale = size_px / max(width, height)
    size = Size(round(width * scale), round(height * scale))
    if not size_px or size == (width, height):
        return image, camera
    small = cv2.resize(image, size, interpolation=resize_filter(width, size[0]))
    return np.asarray(small, np.uint8), camera.scaled(size)


def _ours(matcher: PairMatcher) -> Method:
    def method(a: View, b: View) -> tuple[Pose | None, str, float]:
        pairs = matcher.match(a[0], b[0])
        start = time.process_time()
        found = estimate_relative_pose(pairs, a[1], b[1])
        return found.b_from_a, found.state, (time.process_time() - start) * 1000

    return method


def _plain(matcher: PairMatcher) -> Method:
    """What one gets from OpenCV: ratio test, MAGSAC at 1 px, recoverPose."""

    def method(a: View, b: View) -> tuple[Pose | None, str, float]:
        assert isinstance(matcher, FeatureMatcher)
        pairs = matcher.candidates(a[0], b[0])
        start = time.process_time()
        pose = magsac_pose(pairs, a[1], b[1])
        return pose, "lost" if pose is None else "ok", (time.process_time() - start) * 1000

    return method


def magsac_pose(pairs: PointPairs, camera_a: CameraModel, camera_b: CameraModel) -> Pose | None:
    """OpenCV's findEssentialMat (MAGSAC, defaults, 1 px) and recoverPose; None where they fail.

    Points are in px of one ideal camera: in focal lengths, with the threshold divided by the focal length, OpenCV's
    MAGSAC is worse by a third, since limits inside of it are constants in px.
    """
    if len(pairs) < 5:
        return None
    rays = RayPairs.of(pairs, camera_a, camera_b)
    a, b = rays.plane_points()
    matrix = rays.plane_matrix
    essential, mask = cv2.findEssentialMat(
        a, b, matrix, method=cv2.USAC_MAGSAC, prob=0.999, threshold=BASELINE_THRESHOLD_PX
    )
    if essential is None or np.shape(essential) != (3, 3):
        return None
    _, rotation, direction, _ = cv2.recoverPose(essential, a, b, matrix, mask=mask)
    return Pose(np.asarray(rotation), np.asarray(direction).ravel())
