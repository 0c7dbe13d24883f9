"""Plausibility: absurd numbers are refused, unusual ones warned of, both with the value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from roma_device.app.settings.settings import Settings, SettingsError
from roma_device.calibration.arrays import Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.plausibility import checked, rig_findings
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration

CAMERA = CameraModel.pinhole(Size(640, 480), 500, 500, 320, 240)


def rig(baseline_m: float = 0.1, **changed: object) -> StereoCalibration:
    camera = replace(CAMERA, **changed)  # type: ignore[arg-type]
    return StereoCalibration(camera, camera, Pose(np.eye(3), np.array([-baseline_m, 0.0, 0.0])))


def matrix(fx: float = 500, fy: float = 500, cx: float = 320, cy: float = 240) -> np.ndarray:
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def test_a_usual_rig_has_no_findings() -> None:
    assert list(rig_findings(rig())) == []


@pytest.mark.parametrize(
    ("calibration", "value"),
    [
        (rig(60), "60 m.*60 mm if it is in mm"),
        (rig(12), "12 m.*120 mm if it is in cm"),
        (rig(0.00006), "6e-05 m"),
        (rig(matrix=matrix(cx=960)), "960,240"),
        (rig(matrix=matrix(fx=2000)), "fx 2000 and fy 500"),
        (rig(matrix=matrix(4, 4)), "fx is 4 px"),
        (rig(distortion=np.array([0.1, 0.0, 0.3, -0.2, 0])), "0.3 and -0.2 .*fisheye"),
        (rig(distortion=np.array([-2.0, 0, 0, 0, 0])), "-2 .*folds over"),
    ],
)
def test_absurd_numbers_are_refused_with_their_value(calibration: StereoCalibration, value: str) -> None:
    with pytest.raises(CalibrationError, match=value):
        checked(calibration, "rig.yaml")


@pytest.mark.parametrize(
    ("calibration", "value"),
    [
        (rig(6), "6 m.*60 mm if it is in cm"),
        (rig(0.005), "0.005 m"),
        (rig(2.4), "2.4 m.*60.96 mm in inch.*--unit inch"),
        (rig(distortion=np.array([0.1, 0.0, 0.03, 0.001, 0])), "0.03 and 0.001 .*fisheye"),
        (rig(matrix=matrix(cx=100)), "100,240"),
        (rig(matrix=matrix(fx=700)), "fx 700 and fy 500"),
        (rig(distortion=np.array([-0.6, 0, 0, 0, 0])), "folds over"),
    ],
)
def test_unusual_numbers_are_named(calibration: StereoCalibration, value: str) -> None:
    import re

    findings = list(rig_findings(calibration))
    assert findings and not any(finding.is_absurd for finding in findings)
    assert re.search(value, findings[0].words)


@pytest.mark.parametrize(("key", "value"), [("baseline_m", 60), ("baseline_m", 120.5), ("focal_px", 4.0)])
def test_numbers_by_hand_are_judged_as_well(key: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"{value:g}"):
        Settings().overridden(**{key: value})
