"""``calibration import`` and every option that takes a calibration, with files of other programs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roma_device.app.calibrate.store_command import import_files, stored_versions
from roma_device.app.cameras import open_camera
from roma_device.app.run.from_settings import stored_calibration
from roma_device.app.settings.settings import Settings
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import load_calibration

OPENCV = """\
%YAML:1.0
---
image_width: 640
image_height: 480
M1: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 520.5, 0., 321.5, 0., 519.25, 243.75, 0., 0., 1. ]
D1: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ -0.1, 0.02, 0.001, 0., 0. ]
M2: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 518., 0., 318., 0., 518.5, 239., 0., 0., 1. ]
D2: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ -0.11, 0.021, 0.001, 0., 0. ]
R: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 1., 0., 0., 0., 1., 0., 0., 0., 1. ]
T: !!opencv-matrix
   rows: 3
   cols: 1
   dt: d
   data: [ {}, 0.0003, -0.0002 ]
"""


@pytest.mark.parametrize(
    ("x", "unit", "swap"), [(-60, "mm", False), (91, "mm", True), (-6, "cm", False), (4, "inch", True)]
)
def test_the_unit_and_the_order_can_be_said(tmp_path: Path, x: float, unit: str, swap: bool) -> None:
    (tmp_path / "stereo.yml").write_text(OPENCV.format(float(x)))
    output = tmp_path / "own.yaml"
    assert str(output) in import_files([tmp_path / "stereo.yml"], None, None, output, swap=swap, unit=unit)
    rig = load_calibration(output)
    factor = {"mm": 1e-3, "cm": 1e-2, "inch": 0.0254}[unit]
    assert rig.baseline_m == pytest.approx(abs(x) * factor, rel=1e-4)
    assert (rig.left.fx == 518.0) is swap


def test_an_absurd_rig_is_neither_written_nor_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    (tmp_path / "stereo.yml").write_text(OPENCV.format(-60.0))
    for output in (tmp_path / "own.yaml", None):
        with pytest.raises(CalibrationError, match=r"60 m.*--unit mm") as caught:
            import_files([tmp_path / "stereo.yml"], None, None, output)
        assert caught.value.exit_code == os.EX_DATAERR
    assert not (tmp_path / "own.yaml").exists()
    assert not stored_versions().rows


def test_a_run_takes_the_file_of_another_program(tmp_path: Path) -> None:
    (tmp_path / "stereo.yml").write_text(OPENCV.format(-0.06))
    settings = Settings().overridden(calibration=tmp_path / "stereo.yml")
    with open_camera("simulated:room?frames=1") as camera:
        rig = stored_calibration(settings, camera)
    assert rig is not None and rig.baseline_m == pytest.approx(0.06, rel=1e-4)
