"""Health of a frame as a diagnostic message."""

from __future__ import annotations

from roma_device.runtime.types import Result

from .types import DiagnosticArray, DiagnosticStatus, Header, KeyValue

OK, WARN, ERROR = 0, 1, 2


def diagnostics(header: Header, result: Result) -> DiagnosticArray:
    """One status; a frame of which hardly anything is known, or whose pose is lost, is a warning."""
    known = float(result.known.mean())
    lost = result.pose is not None and result.pose.state == "lost"
    level, message = OK, "depth is known for most of the image"
    if known < 0.1 and result.matches.disparity_px is not None:
        level, message = WARN, "depth is known for less than a tenth of the image"
    if lost and result.pose is not None:
        level, message = WARN, f"the pose is lost: {', '.join(result.pose.reasons)}"
    figures = {
        "index": str(result.index),
        "known": f"{known:.4f}",
        "dropped": str(result.dropped),
        "total_ms": f"{result.times.total_ms:.3f}",
        "pose": "not asked for" if result.pose is None else result.pose.state,
    }
    values = [KeyValue(key, value) for key, value in figures.items()]
    return DiagnosticArray(header, [DiagnosticStatus(level, "roma-device: stereo", message, "roma-device", values)])
