"""Verdict on a calibration: good, usable or redo, with reasons and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from roma_device.calibration.camera import CameraModel
from roma_device.calibration.guided.coverage import Look, covered_share, distance_counts, grid_counts, tilt_counts
from roma_device.calibration.pose import Pose
from roma_device.calibration.solver.solution import BaseSolution
from roma_device.calibration.solver.solve import StereoSolution

Grade = Literal["good", "usable", "redo"]
GRADES: tuple[Grade, ...] = ("good", "usable", "redo")

LIMITS: dict[str, tuple[float, float]] = {
    "epipolar_px": (0.35, 1.0),
    "rms_px": (0.5, 1.5),
    "depth_px": (0.5, 1.5),
    "depth_percent": (8.0, 20.0),
    "scale_percent": (0.5, 2.0),
    "dropped_share": (0.25, 0.5),
    "held_out_px": (0.6, 1.8),
    "direction_px": (0.5, 1.5),
}
"""Figure -> up to where it is good, up to where it is usable.

epipolar_px is what makers of stereo cameras advise; depth_px is the uncertainty of depth at 5 m as one of
disparity, beside which a good matcher is 0.25 px off; depth_percent is the same in percent, since with a short baseline
few pixels are much. held_out_px and direction_px are of single cameras: corners in
images left out, and how far directions are uncertain.
"""

GOOD_PAIRS, GOOD_COVERAGE = 12, 0.5


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for the verdict, or a warning that goes with it."""

    grade: Grade
    what: str
    todo: str = ""

    def __str__(self) -> str:
        return f"{self.what}{': ' if self.todo else ''}{self.todo}"


def worst(findings: Sequence[Reason]) -> Grade:
    """The worst grade among the reasons."""
    return GRADES[max((GRADES.index(reason.grade) for reason in findings), default=0)]


def verdict_as_json(findings: Sequence[Reason], solution: BaseSolution) -> dict[str, Any]:
    """How a report for programs begins: the verdict with its reasons, and what it is about."""
    return {
        "verdict": worst(findings),
        "findings": [{"grade": reason.grade, "what": reason.what, "todo": reason.todo} for reason in findings],
        "board": solution.board.spec,
        "lens": solution.model,
        "tried_px": {name: round(value, 4) for name, value in solution.tried.items()},
    }


def judge_figures(figures: dict[str, float]) -> list[Reason]:
    """Reasons from the figures that are beyond their limit for good."""
    texts = {
        "epipolar_px": ("rows of pairs left out differ by {:.2f} px", "keep board and rig still while a pair is taken"),
        "rms_px": ("corners are {:.2f} px off", "is the board flat and the image sharp? try --lens auto"),
        "depth_px": (
            "depth is uncertain by as much as {:.1f} px of disparity",
            "take more pairs, tilted, near and far",
        ),
        "depth_percent": (
            "depth at 5 m is uncertain by as much as {:.0f} %",
            "take more pairs, tilted, near and far; with a baseline this short, depth is for nearer things",
        ),
        "scale_percent": ("the board measures {:.1f} % wrong in pairs left out", "take more pairs at more distances"),
        "dropped_share": ("{:.0%} of the views did not fit the rest", "hold board and camera still"),
        "held_out_px": ("corners of images left out are {:.2f} px off", "take more images, into the corners as well"),
        "direction_px": ("directions are uncertain by as much as {:.2f} px", "take more images, tilted, near and far"),
    }
    findings = []
    for name, value in figures.items():
        good, usable = LIMITS[name]
        if not value <= good:  # NaN is not good
            what, todo = texts[name]
            findings.append(Reason("usable" if value <= usable else "redo", what.format(value), todo))
    return findings


def judge_views(solution: BaseSolution, looks: Sequence[Look]) -> list[Reason]:
    """Reasons from coverage, tilt and distance of the views."""
    findings = []
    if len(solution.views) < GOOD_PAIRS:
        findings.append(Reason("usable", f"{len(solution.views)} views are few", "take 20"))
    for side, name in enumerate(solution.views[0].SIDES):
        share = covered_share(grid_counts([view.sides()[side] for view in solution.views], solution.size))
        if share < GOOD_COVERAGE:
            what = f"the board was seen in {share:.0%} of the {name or 'whole'} image"
            findings.append(Reason("usable", what, "hold it into the corners as well: the lens is a guess there"))
    tilts = tilt_counts(looks)
    if len(looks) - tilts["straight"] < max(4, 0.25 * len(looks)):
        what = "the board was hardly tilted: focal length and distance cannot be told apart"
        findings.append(Reason("redo" if tilts["straight"] == len(looks) else "usable", what, "tilt it to all sides"))
    distances = distance_counts(looks)
    if max(distances.values()) == len(looks) and len(looks) >= GOOD_PAIRS:
        findings.append(Reason("usable", "all views are from one distance", "come nearer and go farther"))
    return findings


def judge_rig(solution: StereoSolution, pose: Pose, stated_baseline_m: float | None) -> list[Reason]:
    """Reasons from extrinsics and lenses that are not as one would expect."""
    findings = []
    baseline_m = float((pose.translation_m**2).sum() ** 0.5)
    if stated_baseline_m is not None and abs(baseline_m / stated_baseline_m - 1) > 0.02:
        ratio = stated_baseline_m / baseline_m
        what = f"the baseline comes out as {baseline_m * 1000:.1f} mm, stated are {stated_baseline_m * 1000:.1f} mm"
        findings.append(Reason("redo", what, f"is the board printed at {ratio:.3f} times the stated size? measure it"))
    angle_deg = float((pose.rotation_vector**2).sum() ** 0.5) * 57.29578
    if angle_deg > 15:
        what = f"the cameras differ in direction by {angle_deg:.0f} degrees"
        findings.append(Reason("usable", what, "is one image turned or mirrored? stereo needs them nearly parallel"))
    for name, camera in zip(("left", "right"), solution.cameras, strict=True):
        findings += judge_lens(f"{name} ", camera)
    return findings


def judge_lens(name: str, camera: CameraModel) -> list[Reason]:
    """Reasons from intrinsics that are not as one would expect; ``name`` is "left " or the like, or ""."""
    findings = []
    aside = max(abs(camera.cx / camera.size[0] - 0.5), abs(camera.cy / camera.size[1] - 0.5))
    if aside > 0.12:
        what = f"the {name}lens's axis lies {aside:.0%} off the middle of its image"
        findings.append(Reason("usable", what, "is the image cropped or mirrored?"))
    if abs(camera.fx / camera.fy - 1) > 0.03:
        what = f"fx and fy of the {name}camera differ by {abs(camera.fx / camera.fy - 1):.1%}"
        findings.append(Reason("usable", what, "is the image stretched, or the board?"))
    return findings
