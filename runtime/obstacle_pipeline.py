"""Obstacle pipeline: ground and obstacles beside depth."""

from __future__ import annotations

from dataclasses import replace

from .matching_network import timed
from .obstacles.find import ObstacleFinder
from .obstacles.options import ObstacleOptions
from .pipeline import Pipeline
from .types import Result
from .wrapped_pipeline import WrappedPipeline


class ObstaclePipeline(WrappedPipeline):
    """Adds the obstacle map to the results of ``inner``; results come in the order of the frames."""

    def __init__(self, inner: Pipeline, options: ObstacleOptions) -> None:
        """Closes ``inner``. Raises CalibrationError where the rig's geometry is not known."""
        super().__init__(inner, "obstacles in metres need")
        self._finder = ObstacleFinder(self.rig, options)

    def collect(self) -> Result:
        result = self._inner.collect()
        if result.matches.disparity_px is None:
            return result
        with timed(result.times, "obstacles"):
            matches = result.matches
            obstacles = self._finder.find(result.matches.disparity_px, result.known, matches.certainty, result.images)
        return replace(result, obstacles=obstacles)
