"""Tolerance to vertical misalignment (epipolar error): how much of it a model takes, measured, noted in its card."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from roma_device.app.model_store import find_model
from roma_device.app.run.from_settings import network_options
from roma_device.app.settings.settings import Settings
from roma_device.calibration.arrays import Image, Size
from roma_device.calibration.storage.files import write_atomic
from roma_device.runtime.card import CARD_NAME

from .evaluate import NetworkMatcher, StereoMatcher, evaluate_stereo
from .index import StereoPair, load_index
from .metrics import PROTOCOL_WIDTH_PX

TOLERATED_RISE = 0.1
"""A tenth more bad pixels than without a shift is what a user would not notice."""


@dataclass(frozen=True, slots=True)
class ToleranceRow:
    """Means over all pairs and both directions of one shift."""

    shift_px: float
    bad2: float
    epe: float


@dataclass(frozen=True, slots=True)
class ToleranceReport:
    """Accuracy against vertical misalignment."""

    matcher: str
    width_px: int
    rows: tuple[ToleranceRow, ...]  # by growing shift, the first is 0

    @property
    def tolerated_px(self) -> float:
        """Shift at which bad-2 has grown by TOLERATED_RISE, between the measured ones by a straight line."""
        limit = (1 + TOLERATED_RISE) * self.rows[0].bad2
        for before, after in zip(self.rows[:-1], self.rows[1:], strict=True):
            if after.bad2 > limit:
                share = (limit - before.bad2) / (after.bad2 - before.bad2)
                return round(before.shift_px + share * (after.shift_px - before.shift_px), 2)
        return self.rows[-1].shift_px

    def as_json(self) -> dict[str, Any]:
        rows = [{"shift_px": row.shift_px, "bad2": round(row.bad2, 6), "epe": round(row.epe, 6)} for row in self.rows]
        return {"matcher": self.matcher, "width_px": self.width_px, "rows": rows, "tolerated_px": self.tolerated_px}

    def as_text(self) -> str:
        lines = [f"{self.matcher}: pairs at {self.width_px} px width, right image shifted up and down", ""]
        lines += ["shift px   bad-2 %      EPE px"]
        lines += [f"{row.shift_px:8.2f} {100 * row.bad2:9.2f} {row.epe:11.3f}" for row in self.rows]
        rise = f"{TOLERATED_RISE:.0%}"
        return "\n".join([*lines, "", f"tolerated_vertical_px: {self.tolerated_px:g} ({rise} more bad pixels)"])


class _Shifted:
    """A matcher that sees the right image moved down."""

    def __init__(self, matcher: StereoMatcher, shift_px: float) -> None:
        self._matcher, self._shift_px, self.name = matcher, shift_px, matcher.name

    def prepare(self, size: Size) -> None:
        self._matcher.prepare(size)

    def match(self, left: Image, right: Image) -> Any:
        return self._matcher.match(left, shifted_rows(right, self._shift_px))


def shifted_rows(image: Image, shift_px: float) -> Image:
    """An image (H, W) moved down by a fraction of a pixel or more; its edge rows are repeated."""
    if shift_px == 0:
        return image
    move = np.array([[1, 0, 0], [0, 1, shift_px]], np.float64)
    size = image.shape[1], image.shape[0]
    return np.asarray(
        cv2.warpAffine(image, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def measure_tolerance(
    pairs: Sequence[StereoPair], matcher: StereoMatcher, shifts_px: Sequence[float]
) -> ToleranceReport:
    """Evaluate ``matcher`` with right images shifted by each of ``shifts_px`` (> 0), up and down, and not at all."""
    rows = []
    for shift_px in (0.0, *sorted(shifts_px)):
        reports = [evaluate_stereo(pairs, _Shifted(matcher, way * shift_px)) for way in ((1, -1) if shift_px else (1,))]
        means = [report.ours.mean.everywhere for report in reports]
        bad2, epe = (float(np.mean([getattr(mean, name) for mean in means])) for name in ("bad2", "epe"))
        rows.append(ToleranceRow(shift_px, bad2, epe))
    return ToleranceReport(matcher.name, PROTOCOL_WIDTH_PX, tuple(rows))


def write_to_card(bundle: Path, tolerated_px: float) -> None:
    """Note the figure in the bundle's card, in place of an earlier one."""
    path = bundle / CARD_NAME
    text = re.sub(r"^tolerated_vertical_px:.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    line = f"tolerated_vertical_px: {tolerated_px:g}\n"
    at = text.find("trained_on:")
    write_atomic(path, (text[:at] + line + text[at:] if at >= 0 else text + line).encode("utf-8"))


def tolerance_from_settings(
    settings: Settings, index: Path, shifts_px: Sequence[float], write_card: bool
) -> ToleranceReport:
    """Accuracy of the model against vertical misalignment, noted in its card where asked for."""
    pairs, card = load_index(index), find_model(settings.model)
    with closing(NetworkMatcher(card, network_options(settings))) as matcher:
        report = measure_tolerance(pairs, matcher, shifts_px)
    if write_card:
        write_to_card(next(iter(card.files.values())).path.parent, report.tolerated_px)
    return report
