"""Obstacle pipeline: ground and obstacles beside depth."""

from __future__ import annotations

import os
from dataclasses import replace

from roma_device.calibration.errors import CalibrationError

from .engine import Engine
from .filters.options import DepthOptions
from .matching_network import timed
from .obstacles.find import ObstacleFinder
from .obstacles.options import ObstacleOptions
from .pipeline import Pipeline
from .types import Result, StereoFrame


class ObstaclePipeline:
    """Adds the obstacle map to the results of ``inner``; results come in the order of the frames."""

    def __init__(self, inner: Pipeline, options: ObstacleOptions) -> None:
        """Closes ``inner``. Raises CalibrationError where the rig's geometry is not known."""
        self.rig, self.capacity, self._inner = inner.rig, inner.capacity, inner
        if not self.rig.is_metric:
            raise CalibrationError(
                lambda option: (
                    "obstacles in metres need the rig's geometry: give "
                    f"{option('calibration', 'FILE')}, or {option('focal-px')} and {option('baseline-m')}"
                ),
                exit_code=os.EX_USAGE,
            )
        self._finder = ObstacleFinder(self.rig, options)

    @property
    def engine(self) -> Engine | None:
        return self._inner.engine

    @property
    def pending(self) -> int:
        return self._inner.pending

    def set_limits(self, limits: DepthOptions) -> None:
        self._inner.set_limits(limits)

    def submit(self, frame: StereoFrame, index: int = 0, dropped: int = 0) -> None:
        self._inner.submit(frame, index, dropped)

    def collect(self) -> Result:
        result = self._inner.collect()
        if result.matches.disparity_px is None:
            return result
        with timed(result.times, "obstacles"):
            obstacles = self._finder.find(result.matches.disparity_px, result.known, result.matches.certainty)
        return replace(result, obstacles=obstacles)

    def close(self) -> None:
        self._inner.close()
