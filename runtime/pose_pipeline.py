"""Pose pipeline: visual odometry beside the network's depth, or without any network."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace

import numpy as np

from roma_device.calibration.arrays import FloatImage
from roma_device.calibration.rectify import Rectification

from .engine import Engine
from .filters.options import DepthOptions
from .odometry.stereo_odometry import OdometryOptions, StereoOdometry
from .odometry.trackers import Tracker
from .pipeline import Pipeline
from .rectified_images import RectifiedImages
from .types import Matches, Result, StageTimes, StereoFrame
from .wrapped_pipeline import WrappedPipeline


class PosePipeline(WrappedPipeline):
    """Adds the pose to the results of ``inner``; results come in the order of the frames."""

    def __init__(self, inner: Pipeline, options: OdometryOptions, tracker: Tracker) -> None:
        """Closes ``inner`` and ``tracker``. Raises CalibrationError where the rig's geometry is not known."""
        super().__init__(inner, "a pose in metres needs")
        self._odometry, self._tracker, self._options = StereoOdometry(self.rig, options, tracker), tracker, options

    def collect(self) -> Result:
        result = self._inner.collect()
        start_ns = time.perf_counter_ns()
        left, right = result.images.grey
        pose = self._odometry.process(left, right, result.frame.timestamp_ns, self._dense_px(result))
        result.times.stages_ms["odometry"] = (time.perf_counter_ns() - start_ns) / 1e6
        return replace(result, pose=pose)

    def _dense_px(self, result: Result) -> FloatImage | None:
        if self._options.depth == "rows" or result.matches.disparity_px is None:
            return None
        return np.where(result.valid, result.matches.disparity_px, np.nan).astype(np.float32)

    def close(self) -> None:
        super().close()
        self._tracker.close()


class NoNetwork:
    """A pipeline whose results know nothing of depth: no certainty anywhere."""

    capacity = 1
    engine: Engine | None = None

    def __init__(self, rectification: Rectification) -> None:
        self.rig, self._rectification = rectification.rig, rectification
        self._submitted: deque[Result] = deque()
        width, height = self.rig.size
        self._nothing = np.zeros((height, width), np.float32)

    @property
    def pending(self) -> int:
        return len(self._submitted)

    def set_limits(self, limits: DepthOptions) -> None:
        """There is no depth to limit."""

    def submit(self, frame: StereoFrame, index: int = 0, dropped: int = 0) -> None:
        matches, valid, times = Matches(self._nothing), self._nothing > 0, StageTimes()
        images = RectifiedImages(frame.left.image, frame.right.image, self._rectification)
        self._submitted.append(Result(frame, index, matches, valid, self.rig, None, images, times, dropped))

    def collect(self) -> Result:
        return self._submitted.popleft()

    def close(self) -> None:
        """Nothing is open."""
