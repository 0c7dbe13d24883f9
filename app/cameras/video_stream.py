"""One video as OpenCV reads it, from a file or the network, and the names of one or two."""

from __future__ import annotations

import math
import os
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from roma_device.calibration.arrays import Image

from . import CameraError
from .file_pairs import split_pair

URL = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
URL_COMMA = re.compile(r",(?=[a-z][a-z0-9+.-]*://)", re.IGNORECASE)

FILE_STALL_S = 30.0
USUAL_FPS = 30.0
MISSING_SHARE = 0.05
"""Containers often only estimate their number of frames: this share may be missing at the end, or two frames."""

QUIET_FFMPEG = ("OPENCV_FFMPEG_LOGLEVEL", "-8")
"""FFmpeg's own messages come from deep inside; ours say what matters. What the user has set stays."""


class Stream:
    """One video that OpenCV reads."""

    def __init__(self, name: str, stall_s: float = FILE_STALL_S) -> None:
        """``stall_s``: what comes over the network may take so long for a picture."""
        os.environ.setdefault(*QUIET_FFMPEG)
        self.name = name
        is_url = URL.match(name) is not None
        if not is_url and not Path(name).is_file():
            raise CameraError(f"video {name or 'without a name'} does not exist", exit_code=os.EX_NOINPUT)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
        values = [each for limit in limits for each in (limit, round(1000 * stall_s))]
        self._capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, values) if is_url else cv2.VideoCapture(name)
        if not self._capture.isOpened():
            code = os.EX_UNAVAILABLE if is_url else os.EX_DATAERR
            raise CameraError(f"{name} cannot be opened as a video", exit_code=code)
        frames = self._property(cv2.CAP_PROP_FRAME_COUNT)
        self.expected_frames = round(frames) if 0 < frames < 2**31 else 0  # 0: unknown
        self.least_frames = max(1, self.expected_frames - max(2, round(MISSING_SHARE * self.expected_frames)))
        self.size = round(self._property(cv2.CAP_PROP_FRAME_WIDTH)), round(self._property(cv2.CAP_PROP_FRAME_HEIGHT))
        fps = self._property(cv2.CAP_PROP_FPS)
        self._period_ns = round(1e9 / (fps if 1 <= fps <= 1000 else USUAL_FPS))

    def close(self) -> None:
        self._capture.release()

    def read(self) -> Image | None:
        """The next image, None where there is none."""
        good, image = self._capture.read()
        return image if good and image is not None else None

    def timestamp_after(self, last_ns: int) -> int:
        """Time of the image read last in its stream, or one period after ``last_ns`` if that is not later."""
        position_ns = round(1e6 * self._property(cv2.CAP_PROP_POS_MSEC))
        return position_ns if position_ns > last_ns else last_ns + self._period_ns

    def _property(self, name: int) -> float:
        value: Any = self._capture.get(name)
        return float(value) if math.isfinite(value) else 0.0


def is_endless(url: str) -> bool:
    """Whether ``url`` leads to a live stream and not to a file; raises CameraError where it cannot be opened."""
    if not url.lower().startswith(("http://", "https://", "file://", "ftp://")):
        return True
    with closing(Stream(url)) as stream:
        return stream.expected_frames == 0


def split_names(argument: str) -> tuple[str, ...]:
    """One name, or two; raises CameraError for more."""
    if URL.match(argument):
        names = tuple(URL_COMMA.split(argument))
    elif Path(argument).is_file():
        names = (argument,)
    else:
        names = split_pair(argument) or (argument,)
    if len(names) > 2:
        raise CameraError(f"{argument} names {len(names)} videos: two are the most", exit_code=os.EX_USAGE)
    return names


def check_sizes(streams: list[Stream]) -> None:
    first, last = streams[0], streams[-1]
    if first.size != last.size:
        sizes = [f"{stream.name} is {stream.size[0]}x{stream.size[1]}" for stream in streams]
        raise broken(f"left and right differ in size: {sizes[0]}, {sizes[1]}")
    if len(streams) == 1 and first.size[0] % 2:
        raise broken(f"{first.name} is {first.size[0]} px wide: an odd width has no left and right half")


def sides(images: list[Image]) -> tuple[Image, Image]:
    if len(images) == 2:
        return images[0], images[1]
    half = images[0].shape[1] // 2
    return np.ascontiguousarray(images[0][:, :half]), np.ascontiguousarray(images[0][:, half : 2 * half])


def broken(message: str) -> CameraError:
    """Of a video that is damaged, or not one of a pair."""
    return CameraError(message, exit_code=os.EX_DATAERR)
