import numpy as np
import pytest

from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration

CAMERA = CameraModel.pinhole((640, 480), 500, 500, 320, 240)


def pose(translation_m, rotation=None):
    return Pose(np.eye(3) if rotation is None else np.array(rotation, float), np.array(translation_m, float))


def test_baseline_is_the_distance_of_the_cameras():
    rig = StereoCalibration(CAMERA, CAMERA, pose([-0.3, 0.0, 0.4]))
    assert rig.baseline_m == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("right", "right_from_left", "message"),
    [
        (CAMERA, pose([0, 0, 0]), "baseline is zero"),
        (CAMERA, pose([0.1, 0, 0]), "swapped"),
        (CAMERA, pose([np.nan, 0, 0]), "not finite"),
        (CAMERA, pose([-0.1, 0, 0], np.full((3, 3), np.inf)), "not finite"),
        (CAMERA, pose([-0.1, 0, 0], 2 * np.eye(3)), "not a rotation"),
        (CAMERA, pose([-0.1, 0, 0], np.diag([1, 1, -1])), "not a rotation"),
        (CAMERA.scaled((320, 240)), pose([-0.1, 0, 0]), "differ in size"),
    ],
)
def test_impossible_rigs_are_refused(right, right_from_left, message):
    with pytest.raises(CalibrationError, match=message):
        StereoCalibration(CAMERA, right, right_from_left)


def test_scaling_touches_the_images_and_not_the_geometry():
    rig = StereoCalibration(CAMERA, CAMERA, pose([-0.1, 0, 0]), {"rms_px": 0.2}, "2024-01-01", "7")
    half = rig.scaled((320, 240))
    assert half.left.size == half.right.size == (320, 240)
    assert half.right.fx == pytest.approx(250)
    assert half.right_from_left is rig.right_from_left
    assert (half.quality, half.made_at, half.serial) == (rig.quality, rig.made_at, rig.serial)
