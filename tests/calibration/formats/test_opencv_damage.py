"""Files of OpenCV whose matrices are not what they say: one sentence, not OpenCV's own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_device.app.simulation.worlds.rigs import virtual_rig
from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import export_calibration, load_calibration


@pytest.mark.parametrize(("name", "old", "new"), [("R", "rows: 3", "rows: 4"), ("M1", "cols: 3", "cols: 2")])
def test_a_matrix_of_another_size_is_one_sentence(name: str, old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    export_calibration(path, virtual_rig(Size(64, 48)), "opencv")
    before, mark, after = path.read_text().partition(f"{name}: !!opencv-matrix")
    assert mark and old in after
    path.write_text(before + mark + after.replace(old, new, 1))
    with pytest.raises(CalibrationError, match="rows, columns and data do not fit") as caught:
        load_calibration(path)
    assert "\n" not in str(caught.value) and "persistence" not in str(caught.value)


def test_a_rotation_of_four_numbers_is_none(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    export_calibration(path, virtual_rig(Size(64, 48)), "opencv")
    before, mark, after = path.read_text().partition("R: !!opencv-matrix")
    end = after.index("]") + 1
    four = "\n   rows: 2\n   cols: 2\n   dt: d\n   data: [ 1., 0., 0., 1. ]"
    path.write_text(before + mark + four + after[end:])
    with pytest.raises(CalibrationError, match="R holds 4 numbers"):
        load_calibration(path)
