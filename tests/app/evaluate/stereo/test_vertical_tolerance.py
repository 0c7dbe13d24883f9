"""Accuracy against vertical misalignment, and its place in the card."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.evaluate.stereo.vertical_tolerance import (
    ToleranceReport,
    ToleranceRow,
    shifted_rows,
    write_to_card,
)
from roma_device.app.model_store import find_model
from roma_device.runtime.card import load_card


def test_rows_are_shifted_by_fractions_and_edges_repeated() -> None:
    ramp = np.repeat(np.arange(40, dtype=np.uint8)[:, None] * 5, 30, axis=1)
    np.testing.assert_array_equal(shifted_rows(ramp, 0), ramp)
    np.testing.assert_array_equal(shifted_rows(ramp, 2)[5:35], ramp[3:33])
    np.testing.assert_allclose(shifted_rows(ramp, -0.4)[5:35].astype(float), ramp[5:35] + 2.0, atol=1)


@pytest.mark.parametrize(
    ("bad2", "tolerated"),
    [((0.10, 0.105, 0.115, 0.2), 0.75), ((0.10, 0.10, 0.10, 0.10), 2.0), ((0.1, 0.3, 0.4, 0.5), 0.03)],
)
def test_the_tolerated_shift_is_where_a_tenth_more_pixels_are_bad(bad2: tuple[float, ...], tolerated: float) -> None:
    shifts = (0.0, 0.5, 1.0, 2.0)
    rows = tuple(ToleranceRow(shift, bad, 1.0) for shift, bad in zip(shifts, bad2, strict=True))
    report = ToleranceReport("stereo", 640, rows)
    assert report.tolerated_px == pytest.approx(tolerated, abs=0.01)
    assert f"tolerated_vertical_px: {report.tolerated_px:g}" in report.as_text()


def test_the_card_takes_the_figure_and_replaces_an_earlier_one(tmp_path: Path) -> None:
    bundle = tmp_path / "stereo"
    shutil.copytree(next(iter(find_model("stereo").files.values())).path.parent, bundle)
    for value in (0.5, 0.75):
        write_to_card(bundle, value)
        assert load_card(bundle).tolerated_vertical_px == value
    assert (bundle / "card.yaml").read_text().count("tolerated_vertical_px") == 1


def test_the_bundled_model_says_what_it_tolerates() -> None:
    assert 0.3 < find_model("stereo").tolerated_vertical_px < 3
