"""What a recording holds, and whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from roma_device.app.cameras import CameraError

from .stored import StoredRecording


@dataclass(slots=True)
class RecordingInfo:
    """Figures of all pairs of a recording, read with their checksums."""

    recording: StoredRecording
    pairs: int = 0
    first_ns: int = 0
    last_ns: int = 0
    missing: int = 0  # pairs that the sequence numbers of the left camera tell of
    longest_gap_s: float = 0.0
    backward: int = 0  # stamps that do not rise
    largest_skew_ms: float = 0.0
    sizes: list[str] = field(default_factory=list)
    damage: str = ""
    _sequence: int | None = None

    @classmethod
    def read(cls, recording: StoredRecording) -> RecordingInfo:
        """Reads every pair; damage ends it and is told in ``damage``."""
        info = cls(recording)
        try:
            for frame in recording.frames():
                info._add(frame.timestamp_ns, frame.left.sequence, frame.skew_ns, _size(frame.left.image.shape))
        except CameraError as error:
            info.damage = str(error)
        return info

    def _add(self, stamp_ns: int, sequence: int, skew_ns: int, size: str) -> None:
        if self.pairs:
            self.longest_gap_s = max(self.longest_gap_s, (stamp_ns - self.last_ns) / 1e9)
            self.backward += stamp_ns <= self.last_ns
        else:
            self.first_ns = stamp_ns
        if self._sequence is not None:
            self.missing += max(0, sequence - self._sequence - 1)
        if size not in self.sizes:
            self.sizes.append(size)
        self.largest_skew_ms = max(self.largest_skew_ms, abs(skew_ns) / 1e6)
        self._sequence, self.last_ns, self.pairs = sequence, stamp_ns, self.pairs + 1

    @property
    def duration_s(self) -> float:
        return (self.last_ns - self.first_ns) / 1e9

    @property
    def is_whole(self) -> bool:
        return not self.damage and not self.backward

    def as_json(self) -> dict[str, Any]:
        calibration, session = self.recording.calibration, self.recording.session
        return {
            "recording": str(self.recording.folder),
            "made_at": session.get("made_at"),
            "software": session.get("software"),
            "pairs": self.pairs,
            "duration_s": round(self.duration_s, 6),
            "fps": round((self.pairs - 1) / self.duration_s, 3) if self.duration_s > 0 else None,
            "sizes": self.sizes,
            "bytes": self.recording.bytes,
            "missing_pairs": self.missing,
            "longest_gap_s": round(self.longest_gap_s, 6),
            "stamps_that_do_not_rise": self.backward,
            "largest_skew_ms": round(self.largest_skew_ms, 3),
            "baseline_m": None if calibration is None else round(calibration.baseline_m, 6),
            "whole": self.is_whole,
            "damage": self.damage or None,
        }

    def as_text(self) -> str:
        facts = self.as_json()
        rate = f", {facts['fps']:.1f} fps" if facts["fps"] else ""
        lines = [
            f"{facts['recording']}: {self.pairs} pairs, {self.duration_s:.2f} s{rate}, {', '.join(self.sizes)}",
            f"  made {facts['made_at']} by {facts['software']}, {facts['bytes'] / 1e6:.1f} MB",
            f"  {self.missing} pairs missing by their numbers, longest gap {1000 * self.longest_gap_s:.1f} ms, "
            f"largest skew {self.largest_skew_ms:.2f} ms",
            "  no calibration" if facts["baseline_m"] is None else f"  baseline {1000 * facts['baseline_m']:.2f} mm",
        ]
        if self.backward:
            lines.append(f"  {self.backward} stamps do not rise")
        if self.damage:
            lines.append(f"  {self.damage}; what stands before it can be saved: recording cut")
        return "\n".join(lines)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} {'colour' if len(shape) == 3 else 'grey'}"
