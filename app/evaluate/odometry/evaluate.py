"""Evaluation of visual odometry against ground-truth poses: of files, or run over the sequences of an index."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from loguru import logger

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.on_workers import in_order
from roma_device.app.run.from_settings import open_tracker
from roma_device.calibration.storage.files import read_json
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.odometry.stereo_odometry import OdometryOptions, StereoOdometry
from roma_device.runtime.odometry.trackers import TRACKERS, Tracker

from .conventions import doubts
from .datasets import Clip, open_clip
from .read import Trajectory, read_trajectory
from .report import OdometryReport, OdometryScore, score_trajectory

NO_POSES = "no true poses in a known layout (karlsruhe, kitti)"


def evaluate_files(trajectory: Path, reference: Path) -> OdometryReport:
    """One trajectory against its reference, with a warning where another reading fits better; EvaluationError."""
    estimate, truth = read_trajectory(trajectory), read_trajectory(reference)
    score = score_trajectory(trajectory.name, estimate, truth)
    for doubt in doubts(estimate, truth, score):
        logger.warning("{}", doubt)
    return OdometryReport((score,), {})


def evaluate_index(
    index: Path, options: OdometryOptions | None = None, tracker: Tracker | None = None
) -> OdometryReport:
    """Run over every clip of an index that has true poses; raises EvaluationError where none has."""
    clips = read_clip_index(index)
    return _report(index, clips, [_score_clip(name, folder, options, tracker) for name, folder in clips])


def evaluate_index_on(on: str, index: Path, options: OdometryOptions, tracker: str) -> OdometryReport:
    """The same on workers; ``tracker`` is a name, of those of ``run`` or of a two-view bundle."""
    clips = read_clip_index(index)
    tasks = [_ClipTask(name, folder, options, tracker) for name, folder in clips]
    return _report(index, clips, in_order(on, None if tracker in TRACKERS else tracker, _score_clip_of, tasks))


def _report(index: Path, clips: Sequence[tuple[str, Path]], found: Sequence[OdometryScore | None]) -> OdometryReport:
    """Of a score for each clip, None for one without true poses."""
    scores = tuple(score for score in found if score is not None)
    if not scores:
        raise EvaluationError(f"{index}: no clip has true poses in a known layout", exit_code=os.EX_NOINPUT)
    skipped = {name: NO_POSES for (name, _), score in zip(clips, found, strict=True) if score is None}
    return OdometryReport(scores, skipped)


def _score_clip(
    name: str, folder: Path, options: OdometryOptions | None, tracker: Tracker | None
) -> OdometryScore | None:
    """None where the clip has no true poses."""
    clip = open_clip(folder)
    return None if clip is None else score_trajectory(name, run_clip(clip, options, tracker), clip.reference)


@dataclass(frozen=True, slots=True)
class _ClipTask:
    """One clip, for a worker."""

    name: str
    folder: Path
    options: OdometryOptions
    tracker: str


def _score_clip_of(task: _ClipTask) -> OdometryScore | None:
    """On a worker."""
    with closing(open_tracker(task.tracker, NetworkOptions())) as tracker:
        return _score_clip(task.name, task.folder, task.options, tracker)


def run_clip(clip: Clip, options: OdometryOptions | None = None, tracker: Tracker | None = None) -> Trajectory:
    """The way that odometry finds; raises EvaluationError where it breaks into segments or finds too little."""
    odometry = StereoOdometry(clip.rig, options, tracker)
    start_ns = clip.times_ns[0]
    first_s = 0.0 if clip.reference.times_s is None else float(clip.reference.times_s[0])
    poses, times_s = [], []
    for left, right, time_ns in clip.frames():
        estimate = odometry.process(left, right, time_ns)
        if estimate.segment > 1:
            raise EvaluationError(f"{clip.pairs[0][0].parent}: odometry was lost: the trajectory has a gap")
        if estimate.odom_from_camera is not None:
            poses.append(estimate.odom_from_camera)
            times_s.append(first_s + (time_ns - start_ns) / 1e9)
    if len(poses) < 3:
        raise EvaluationError(f"{clip.pairs[0][0].parent}: odometry found {len(poses)} poses")
    return Trajectory("odometry", tuple(poses), np.array(times_s))


def read_clip_index(path: Path) -> list[tuple[str, Path]]:
    """(id, folder) of each entry of ``{"clips": [{"id": …, "dir": …}]}``; raises EvaluationError."""
    raw = read_json(path, "index", EvaluationError)
    entries = raw.get("clips") if isinstance(raw, dict) else None
    if not isinstance(entries, list) or not entries:
        raise EvaluationError(f"{path}: 'clips' must be a list of at least one clip")
    clips = []
    for number, entry in enumerate(entries):
        if not (isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("id", "dir"))):
            raise EvaluationError(f"{path}: clip number {number}: 'id' and 'dir' must be texts")
        folder = path.parent / entry["dir"]
        if not folder.is_dir():
            raise EvaluationError(f"{path}: clip {entry['id']!r}: {folder} is no folder", exit_code=os.EX_NOINPUT)
        clips.append((entry["id"], folder))
    return clips
