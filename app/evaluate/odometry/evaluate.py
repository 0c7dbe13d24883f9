"""Evaluation of visual odometry against ground-truth poses: of files, or run over the sequences of an index."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from roma_device.app.evaluate import EvaluationError
from roma_device.calibration.storage.files import read_json
from roma_device.runtime.odometry.stereo_odometry import OdometryOptions, StereoOdometry
from roma_device.runtime.odometry.trackers import Tracker

from .datasets import Clip, open_clip
from .read import Trajectory, read_trajectory
from .report import OdometryReport, score_trajectory


def evaluate_files(trajectory: Path, reference: Path) -> OdometryReport:
    """One trajectory against its reference; raises EvaluationError."""
    score = score_trajectory(trajectory.name, read_trajectory(trajectory), read_trajectory(reference))
    return OdometryReport((score,), {})


def evaluate_index(
    index: Path, options: OdometryOptions | None = None, tracker: Tracker | None = None
) -> OdometryReport:
    """Run over every clip of an index that has true poses; raises EvaluationError where none has."""
    scores, skipped = [], {}
    for name, folder in read_clip_index(index):
        clip = open_clip(folder)
        if clip is None:
            skipped[name] = "no true poses in a known layout (karlsruhe, kitti)"
            continue
        scores.append(score_trajectory(name, run_clip(clip, options, tracker), clip.reference))
    if not scores:
        raise EvaluationError(f"{index}: no clip has true poses in a known layout", exit_code=os.EX_NOINPUT)
    return OdometryReport(tuple(scores), skipped)


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
