"""Report of a calibration check: epipolar error by roll and pitch, depth error by yaw, and the verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from roma_device.calibration.health.report import Angle, DepthHealth, RowHealth

State = Literal["good", "warning", "bad"]
STATES: tuple[State, ...] = ("good", "warning", "bad")
EXIT_CODES = {"good": 0, "warning": 1, "bad": 2}

DEFAULT_TOLERANCE_PX = 0.5
"""Rows that left and right may differ by where no model says what it tolerates."""

WARN_DEG = 0.03
WARN_DISPARITY_PX, BAD_DISPARITY_PX = 0.3, 1.0


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was found."""

    state: State
    text: str


@dataclass(frozen=True, slots=True)
class HealthReport:
    """All that a check found."""

    rows: RowHealth | None
    depths: list[DepthHealth]
    tolerance_px: float  # at camera resolution
    remarks: list[Remark] = field(default_factory=list)

    @property
    def state(self) -> State:
        return STATES[max((STATES.index(remark.state) for remark in self.remarks), default=0)]

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.state]

    def as_json(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "remarks": [asdict(remark) for remark in self.remarks],
            "rows": None if self.rows is None else asdict(self.rows),
            "depths": [asdict(depth) for depth in self.depths],
            "tolerance_px": self.tolerance_px,
        }

    def as_text(self) -> str:
        lines = [f"Calibration: {self.state}", *(f"  - {remark.text}" for remark in self.remarks)]
        if self.rows is not None:
            rows = self.rows
            lines += [
                f"Rows:  left and right differ by {rows.median_px:.3f} px (median of {rows.matches} points); "
                f"the model tolerates {self.tolerance_px:.2f} px",
                f"       roll {_angle(rows.roll)}, pitch {_angle(rows.pitch)}, shift {rows.shift_mm:+.2f} mm",
            ]
        for depth in self.depths:
            lines.append(
                f"Depth: {depth.error_percent:+.2f} % at {depth.distance_m:.2f} m by the {depth.source} "
                f"({depth.disparity_px:+.2f} px of disparity); as yaw {_angle(depth.yaw)}"
            )
        return "\n".join(lines)


def judge_health(rows: RowHealth | None, depths: list[DepthHealth], tolerance_px: float) -> HealthReport:
    """The report with its remarks."""
    report = HealthReport(rows, depths, tolerance_px)
    if rows is not None:
        report.remarks.extend(_row_remarks(rows, tolerance_px))
    report.remarks.extend(remark for depth in depths for remark in _depth_remarks(depth))
    if not depths:
        text = "yaw was not checked, and it ruins depth most: use --board with the board in view, or --distance-m"
        report.remarks.append(Remark("good", text))
    return report


def _row_remarks(rows: RowHealth, tolerance_px: float) -> list[Remark]:
    remarks = []
    worst_px = max(rows.median_px, rows.explained_px)
    if worst_px > tolerance_px:
        state: State = "bad" if worst_px > 2 * tolerance_px else "warning"
        what = f"rows differ by up to {worst_px:.2f} px, the model tolerates {tolerance_px:.2f} px: calibrate again"
        remarks.append(Remark(state, what))
    for name, angle in (("roll", rows.roll), ("pitch", rows.pitch)):
        if angle.is_significant and abs(angle.degrees) > WARN_DEG:
            text = f"the right camera has turned in {name} by {_angle(angle)} since the calibration"
            remarks.append(Remark("warning", text))
    return remarks


def _depth_remarks(depth: DepthHealth) -> list[Remark]:
    if abs(depth.disparity_px) <= WARN_DISPARITY_PX or not depth.yaw.is_significant:
        return []
    state: State = "bad" if abs(depth.disparity_px) > BAD_DISPARITY_PX else "warning"
    text = (
        f"depth is {depth.error_percent:+.1f} % wrong at {depth.distance_m:.2f} m, and more beyond: "
        f"the right camera has turned in yaw by {_angle(depth.yaw)}, or the baseline is another"
    )
    return [Remark(state, text)]


def _angle(angle: Angle) -> str:
    return f"{angle.degrees:+.3f} ± {angle.margin:.3f} deg"
