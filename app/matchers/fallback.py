"""Fallback matcher for those who name none: a network, or SIFT where no engine here can run it."""

from __future__ import annotations

from loguru import logger

from roma_device.calibration.arrays import Image
from roma_device.runtime.engine import EngineError
from roma_device.runtime.matching.point_pairs import PointPairs

from .pair_matcher import PairMatcher


class FallbackMatcher:
    """The first matcher; the second where the first one's engine cannot even begin."""

    def __init__(self, first: PairMatcher, second: PairMatcher) -> None:
        self._chosen, self._second = first, second
        self._is_settled = False

    @property
    def name(self) -> str:
        return self._chosen.name

    def match(self, a: Image, b: Image) -> PointPairs:
        """Raises EngineError where an engine that has worked fails."""
        try:
            pairs = self._chosen.match(a, b)
        except EngineError as error:
            if self._is_settled:
                raise
            logger.warning("{} instead of {}: {}", self._second.name, self.name, error)
            self._chosen.close()
            self._chosen = self._second
            pairs = self._chosen.match(a, b)
        self._is_settled = True
        return pairs

    def close(self) -> None:
        self._chosen.close()
        self._second.close()
