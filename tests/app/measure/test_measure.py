"""Depth quality: made planes, noise and edges are measured as they are; a run over the simulated rig; sentences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from roma_device.app.commands.measure import measure
from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import RomaError
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.depth_quality import DepthQuality, measure_quality

RIG = RectifiedRig(Size(160, 120), 200.0, 0.1, 79.5, 59.5)
MIDDLE = np.zeros((120, 160), bool)
MIDDLE[30:90, 40:120] = True


def quality(disparity_px: np.ndarray, noise_px: float, frames: int = 20) -> DepthQuality:
    noise = np.random.default_rng(0).normal(0, noise_px, (frames, *disparity_px.shape))
    maps = (disparity_px + noise).astype(np.float32)
    return measure_quality(maps, np.ones(maps.shape, bool), RIG, MIDDLE)


def wall(distance_m: float, tilt: float = 0.0) -> np.ndarray:
    u = (np.arange(160) - RIG.cx) / 200.0
    return np.repeat((20 / distance_m * (1 + tilt * u))[None], 120, axis=0)


@pytest.mark.parametrize("noise_px", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_noise_is_measured_within_ten_percent(noise_px: float, tilt: float) -> None:
    found = quality(wall(1.5, tilt), noise_px)
    assert found.noise_px == pytest.approx(noise_px, rel=0.1)
    assert found.noise_m == pytest.approx(noise_px * 1.5**2 / 20, rel=0.1)
    assert found.by_distance[0].disparity_px == pytest.approx(noise_px, rel=0.1)


@pytest.mark.parametrize("roughness_px", [0.05, 0.2])
def test_plane_error_is_measured_within_ten_percent(roughness_px: float) -> None:
    """Of what stays the same in all frames."""
    rough = np.random.default_rng(1).normal(0, roughness_px, (120, 160))
    found = quality(wall(2.0, 0.2) + rough, 0.01)
    assert found.plane_rms_px == pytest.approx(roughness_px, rel=0.1)
    assert found.plane_rms_m == pytest.approx(roughness_px * 4 / 20, rel=0.1)
    assert found.distance_m == pytest.approx(2.0, rel=0.01)
    assert found.tilt_deg == pytest.approx(np.degrees(np.arctan(0.2)), abs=0.3)


def test_what_stands_before_the_plane_is_no_part_of_it() -> None:
    disparity_px = wall(2.0)
    disparity_px[40:50, 50:70] = 18
    found = quality(disparity_px, 0.05)
    assert found.distance_m == pytest.approx(2.0, rel=0.01)
    assert found.plane_outliers == pytest.approx(200 / 4800, abs=0.01)


@pytest.mark.parametrize("width_px", [1, 4, 8])
def test_the_width_of_a_depth_edge(width_px: int) -> None:
    disparity_px = np.repeat(np.interp(np.arange(160), [80, 80 + width_px], [5.0, 25.0])[None], 120, axis=0)
    assert quality(disparity_px, 0.01).edge_px == pytest.approx(0.8 * width_px, abs=0.35)


def test_holes_count_and_too_little_is_unknown() -> None:
    known = np.ones((3, 120, 160), bool)
    known[:, :, :80] = False
    found = measure_quality(np.full(known.shape, 10, np.float32), known, RIG, MIDDLE)
    assert found.fill == pytest.approx(0.5)
    nothing = measure_quality(np.full(known.shape, 10, np.float32), ~np.ones_like(known), RIG, MIDDLE)
    assert nothing.fill == 0 and nothing.distance_m is None and nothing.noise_px is None and nothing.by_distance == ()


def test_the_command_measures_the_simulated_rig(tmp_path: Path) -> None:
    page = tmp_path / "quality.html"
    camera = ["--camera", "simulated:room?size=192x128&fps=100000000", "--frames", "3"]
    result = CliRunner().invoke(
        measure, [*camera, "--tape-m", "4", "--page", str(page), "--json"], standalone_mode=False
    )
    assert result.exception is None, result.output
    record = json.loads(result.stdout)
    assert record["frames"] == 3 and 0 <= record["fill"] <= 1 and record["tape_m"] == 4
    assert "Depth quality" in page.read_text()


def test_what_is_no_region_is_one_sentence() -> None:
    with pytest.raises(RomaError, match=r"--region 1,2: write LEFT,TOP,RIGHT,BOTTOM"):
        CliRunner().invoke(measure, ["--region", "1,2"], standalone_mode=False, catch_exceptions=False)
