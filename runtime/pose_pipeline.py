"""A pipeline that also tells where the rig is, beside the network's depth or without any network."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import replace
from typing import Literal

import numpy as np

from roma_device.calibration.arrays import FloatImage, Image
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.rectify import Rectification

from .odometry.stereo_odometry import OdometryOptions, StereoOdometry
from .odometry.trackers import Tracker
from .pipeline import Pipeline, PipelineOptions, remapped
from .tensors.preprocess import grey
from .types import Matches, Result, StageTimes, StereoFrame


class PosePipeline:
    """Adds the pose to the results of ``inner``; results come in the order of the frames."""

    def __init__(
        self,
        inner: Pipeline,
        rectification: Rectification,
        options: OdometryOptions,
        depth: Literal["rows", "model"],
        tracker: Tracker,
    ) -> None:
        """Closes ``inner`` and ``tracker``. Raises CalibrationError where the rig's geometry is not known."""
        self.rig, self.capacity, self._inner = inner.rig, inner.capacity, inner
        if not self.rig.is_metric:
            raise CalibrationError(
                "a pose in metres needs the rig's geometry: give --calibration FILE, or --focal-px and --baseline-m",
                exit_code=os.EX_USAGE,
            )
        self._odometry, self._tracker = StereoOdometry(self.rig, options, tracker), tracker
        self._maps = rectification.maps(self.rig.size)
        self._depth = depth

    @property
    def pending(self) -> int:
        return self._inner.pending

    def set_limits(self, options: PipelineOptions) -> None:
        self._inner.set_limits(options)

    def submit(self, frame: StereoFrame, index: int = 0, dropped: int = 0) -> None:
        self._inner.submit(frame, index, dropped)

    def collect(self) -> Result:
        result = self._inner.collect()
        start_ns = time.perf_counter_ns()
        left, right = self._rectified(result.frame)
        pose = self._odometry.process(left, right, result.frame.timestamp_ns, self._dense_px(result))
        result.times.stages_ms["odometry"] = (time.perf_counter_ns() - start_ns) / 1e6
        return replace(result, pose=pose)

    def _rectified(self, frame: StereoFrame) -> tuple[Image, Image]:
        left, right = grey(frame.left.image), grey(frame.right.image)
        if self._maps is None:
            return left, right
        return remapped(left, self._maps[0]), remapped(right, self._maps[1])

    def _dense_px(self, result: Result) -> FloatImage | None:
        if self._depth == "rows" or result.matches.disparity_px is None:
            return None
        return np.where(result.valid, result.matches.disparity_px, np.nan).astype(np.float32)

    def close(self) -> None:
        self._inner.close()
        self._tracker.close()


class NoNetwork:
    """A pipeline whose results know nothing of depth: no certainty anywhere."""

    capacity = 1

    def __init__(self, rectification: Rectification, needs_image: bool) -> None:
        self.rig = rectification.rig
        maps = rectification.maps(self.rig.size)
        self._left_maps = None if maps is None else maps[0]
        self._needs_image = needs_image
        self._submitted: deque[Result] = deque()
        width, height = self.rig.size
        self._nothing = np.zeros((height, width), np.float32)

    @property
    def pending(self) -> int:
        return len(self._submitted)

    def set_limits(self, options: PipelineOptions) -> None:
        """There is no depth to limit."""

    def submit(self, frame: StereoFrame, index: int = 0, dropped: int = 0) -> None:
        matches, valid, times = Matches(self._nothing), self._nothing > 0, StageTimes()
        left = remapped(frame.left.image, self._left_maps) if self._needs_image else None
        self._submitted.append(Result(frame, index, matches, valid, self.rig, None, left, times, dropped))

    def collect(self) -> Result:
        return self._submitted.popleft()

    def close(self) -> None:
        """Nothing is open."""
