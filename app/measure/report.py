"""Report on depth quality: as text, as JSON and as a page of its own."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from typing import Any

from roma_device.runtime.depth_quality import DepthQuality

HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Depth quality</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body { font: 16px/1.4 system-ui, sans-serif; margin: 1rem; max-width: 46rem; } table { border-collapse: collapse; }
td, th { padding: .2rem 1rem .2rem 0; text-align: left; font-variant-numeric: tabular-nums; }
</style></head><body><h1>Depth quality</h1>"""


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What was measured, of what, and against which tape."""

    quality: DepthQuality
    camera: str
    model: str
    preset: str
    tape_m: float | None  # true distance along the optical axis

    @property
    def distance_error_m(self) -> float | None:
        if self.tape_m is None or self.quality.distance_m is None:
            return None
        return self.quality.distance_m - self.tape_m

    def as_json(self) -> dict[str, Any]:
        """Plain values; metres and pixels as the names say, None where there is too little to tell."""
        told = {"camera": self.camera, "model": self.model, "preset": self.preset}
        error = {"tape_m": self.tape_m, "distance_error_m": self.distance_error_m}
        return told | asdict(self.quality) | error

    def rows(self) -> list[tuple[str, str]]:
        """Name and value of each figure."""
        quality = self.quality
        rows = [
            ("frames", f"{quality.frames}"),
            ("fill of the region", f"{100 * quality.fill:.2f} %"),
            ("distance of the plane", _number(quality.distance_m, 1, 4, "m")),
            ("plane fit RMS", _both(quality.plane_rms_m, quality.plane_rms_px)),
            ("not on the plane", _number(quality.plane_outliers, 100, 2, "%")),
            ("tilt of the plane", _number(quality.tilt_deg, 1, 2, "deg")),
            ("temporal noise", _both(quality.noise_m, quality.noise_px)),
            ("depth edge, 10 to 90 %", _number(quality.edge_px, 1, 1, "px")),
        ]
        if self.tape_m is not None:
            share = None if self.distance_error_m is None else self.distance_error_m / self.tape_m
            error = f"{_number(self.distance_error_m, 1000, 1, 'mm')}, {_number(share, 100, 2, '%')}"
            rows.append(("distance less tape", error))
        return rows

    def noise_rows(self) -> list[tuple[str, str, str]]:
        return [
            (f"{one.from_m:g} to {one.to_m:g} m", f"{one.disparity_px:.3f} px", f"{1000 * one.depth_m:.1f} mm")
            for one in self.quality.by_distance
        ]

    def as_text(self) -> str:
        lines = [f"{name:<26}{value}" for name, value in self.rows()]
        if self.quality.by_distance:
            lines.append("temporal noise of the whole image, by distance:")
            lines += [f"  {where:<24}{pixels:<12}{metres}" for where, pixels, metres in self.noise_rows()]
        return "\n".join(lines)

    def as_page(self) -> str:
        """One HTML file without others."""
        told = html.escape(f"{self.camera}, model {self.model}, preset {self.preset}")
        figures = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in self.rows())
        noise = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in self.noise_rows())
        table = f"<h2>Temporal noise by distance</h2><table>{noise}</table>" if noise else ""
        return f"{HEAD}<p>{told}</p><table>{figures}</table>{table}</body></html>\n"


def _both(value_m: float | None, value_px: float | None) -> str:
    return f"{_number(value_m, 1000, 2, 'mm')}, {_number(value_px, 1, 3, 'px')}"


def _number(value: float | None, scale: float, digits: int, unit: str) -> str:
    return "unknown" if value is None else f"{scale * value:.{digits}f} {unit}"
