"""Watches the rig's calibration while the program runs: a few matches every now and then, and their trend."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from loguru import logger

from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.health.report import RowHealth, row_health
from roma_device.calibration.health.row_matches import RowMatches, match_rows
from roma_device.runtime.types import Result

WINDOW = 5
"""Looks that are put together for one figure."""

MOST_HISTORY = 512
WARN_EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class HealthSample:
    """One figure of the history."""

    time_s: float  # monotonic
    rows: RowHealth


class CalibrationWatch:
    """Looks at every n-th result; warns, at a limited rate, where rows differ by more than the model tolerates."""

    def __init__(self, tolerance_share: float, every: int) -> None:
        """``tolerance_share`` is in image widths, 0 where it is not known; ``every`` 0: never look."""
        self._tolerance_share, self._every = tolerance_share, every
        self._size: Size | None = None
        self._looks: deque[RowMatches] = deque(maxlen=WINDOW)
        self._warned_s = -WARN_EVERY_S
        self.history: deque[HealthSample] = deque(maxlen=MOST_HISTORY)

    def observe(self, result: Result) -> None:
        """Take a result into account; cheap unless it is its turn."""
        if self._every == 0 or result.index % self._every or result.matches.disparity_px is None:
            return
        if result.rig is None:
            return
        if self._size != result.frame.size:
            self._size = result.frame.size
            self._looks.clear()
        self._looks.append(match_rows(*result.images.grey, result.matches.disparity_px))
        try:
            rows = row_health(RowMatches.joined(list(self._looks)), result.rig)
        except CalibrationError:  # too little texture in view: nothing is known, and nothing wrong
            return
        self.history.append(HealthSample(time.monotonic(), rows))
        self._warn(rows, result.frame.size[0])

    def hush(self) -> None:
        """Somebody has told what is wrong with the images: no warning for as long as after one of our own."""
        self._warned_s = time.monotonic()

    def _warn(self, rows: RowHealth, width: int) -> None:
        tolerance_px = self._tolerance_share * width
        now_s = time.monotonic()
        if not 0 < tolerance_px < max(rows.median_px, rows.explained_px) or now_s - self._warned_s < WARN_EVERY_S:
            return
        self._warned_s = now_s
        logger.warning(
            "rows of left and right differ by {:.2f} px, the model tolerates {:.2f} px "
            "(roll {:+.2f}, pitch {:+.2f} deg): calibrate again, or see roma-device calibrate check",
            max(rows.median_px, rows.explained_px),
            tolerance_px,
            rows.roll.degrees,
            rows.pitch.degrees,
        )

    @property
    def vertical_px(self) -> float | None:
        """Median vertical residual of the newest look, at camera resolution; None where nothing was seen yet."""
        return self.history[-1].rows.median_px if self.history else None

    def as_json(self) -> dict[str, Any] | None:
        """The newest figures and their trend, None where nothing was seen yet."""
        if not self.history:
            return None
        rows = self.history[-1].rows
        return {
            "vertical_px": round(rows.median_px, 3),
            "roll_deg": round(rows.roll.degrees, 4),
            "pitch_deg": round(rows.pitch.degrees, 4),
            "shift_mm": round(rows.shift_mm, 3),
            "points": rows.matches,
            "trend_px_per_hour": self._trend(),
        }

    def _trend(self) -> float | None:
        """Slope of the vertical residual, None before six minutes have been seen."""
        times = np.array([one.time_s for one in self.history])
        if len(times) < WINDOW or np.ptp(times) < 360:
            return None
        values = np.array([one.rows.median_px for one in self.history])
        return round(float(np.polyfit((times - times[0]) / 3600, values, 1)[0]), 4)
