"""Export as a video side by side, without loss (FFV1), as ``--camera video:FILE`` takes it."""

from __future__ import annotations

import os
from itertools import chain, islice
from pathlib import Path

import cv2
import numpy as np

from roma_device.runtime.types import StereoFrame

from .stored import ExportError, StoredRecording

FOR_THE_RATE = 100
"""Pairs whose stamps give the rate; a video has but one."""


def export_video(recording: StoredRecording, path: Path) -> int:
    """A file whose name should end in .avi or .mkv; raises ExportError."""
    if path.suffix not in (".avi", ".mkv"):
        raise ExportError(f"{path.name}: name the video FILE.avi or FILE.mkv", exit_code=os.EX_USAGE)
    frames = recording.frames()
    first = list(islice(frames, FOR_THE_RATE))
    if not first:
        raise ExportError(f"{recording.folder} holds no pair", exit_code=os.EX_DATAERR)
    width, height = first[0].size
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), _rate_hz(first), (2 * width, height)
    )
    if not writer.isOpened():
        raise ExportError("this OpenCV cannot write FFV1: export as rosbag2 or euroc", exit_code=os.EX_UNAVAILABLE)
    pairs = 0
    try:
        for frame in chain(first, frames):
            if frame.size != first[0].size:
                raise ExportError("the images change their size, a video cannot: cut the recording there")
            both = np.hstack([frame.left.image, frame.right.image])
            writer.write(both if both.ndim == 3 else cv2.cvtColor(both, cv2.COLOR_GRAY2BGR))
            pairs += 1
    finally:
        writer.release()
    return pairs


def _rate_hz(frames: list[StereoFrame]) -> float:
    steps = np.diff([frame.timestamp_ns for frame in frames])
    return float(np.clip(1e9 / np.median(steps), 1, 1000)) if len(steps) else 30.0
