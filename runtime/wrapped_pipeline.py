"""Wrapped pipeline: what adds to the results of another pipeline and leaves all else to it."""

from __future__ import annotations

import os

from roma_device.calibration.errors import CalibrationError

from .engine import Engine
from .filters.options import DepthOptions
from .pipeline import Pipeline
from .types import StereoFrame


class WrappedPipeline:
    """Hands frames on to ``inner``; whoever derives from it says in ``collect`` what is added."""

    def __init__(self, inner: Pipeline, what_needs: str) -> None:
        """Raises CalibrationError where the rig's geometry, is not known: ``what_needs`` begins the sentence."""
        self.rig, self.capacity, self._inner = inner.rig, inner.capacity, inner
        if not self.rig.is_metric:
            raise CalibrationError(
                lambda option: (
                    f"{what_needs} the rig's geometry: give "
                    f"{option('calibration', 'FILE')}, or {option('focal-px')} and {option('baseline-m')}"
                ),
                exit_code=os.EX_USAGE,
            )

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

    def close(self) -> None:
        self._inner.close()
