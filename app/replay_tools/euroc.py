"""Export as EuRoC (ASL): mav0/cam0 and mav0/cam1 with their images, times and sensor files."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from roma_device.app.recording.layout import RecordingError
from roma_device.calibration.arrays import FloatArray, Image
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration

from .stored import ExportError, StoredRecording, wall_stamps


def export_euroc(recording: StoredRecording, path: Path) -> int:
    """Raw images as PNG, named by ns since 1970; both of a pair have the left one's time, as in EuRoC."""
    folders = [path / "mav0" / name for name in ("cam0", "cam1")]
    for folder in folders:
        (folder / "data").mkdir(parents=True)
    lines = ["#timestamp [ns],filename"]
    size = None
    for stamp_ns, frame in wall_stamps(recording):
        for folder, shot in zip(folders, (frame.left, frame.right), strict=True):
            write_png(folder / "data" / f"{stamp_ns}.png", shot.image)
        lines.append(f"{stamp_ns},{stamp_ns}.png")
        size = frame.size
    for folder in folders:
        (folder / "data.csv").write_text("\n".join(lines) + "\n")
    if recording.calibration is not None and size is not None:
        _write_sensors(folders, recording.calibration.fitted_to(size))
    return len(lines) - 1


def write_png(path: Path, image: Image) -> None:
    """(H, W) or (H, W, 3) BGR; raises ExportError and OSError."""
    done, data = cv2.imencode(".png", image, (cv2.IMWRITE_PNG_COMPRESSION, 1))
    if not done:
        raise ExportError(f"OpenCV could not encode {path.name}", exit_code=os.EX_SOFTWARE)
    path.write_bytes(data.tobytes())


def _write_sensors(folders: list[Path], calibration: StereoCalibration) -> None:
    poses = (Pose.identity(), calibration.right_from_left.inverse())
    for folder, camera, pose in zip(folders, (calibration.left, calibration.right), poses, strict=True):
        (folder / "sensor.yaml").write_text(sensor_file(camera, pose))


def sensor_file(camera: CameraModel, body_from_camera: Pose) -> str:
    """The text of sensor.yaml; raises RecordingError for a lens that the format cannot say."""
    coefficients = camera.distortion
    if camera.model != "equidistant" and np.any(coefficients[4:]):
        message = f"EuRoC's lenses have four coefficients, this one ({camera.model}) has more: export as rosbag2"
        raise RecordingError(message, exit_code=os.EX_DATAERR)
    name = "equidistant" if camera.model == "equidistant" else "radial-tangential"
    matrix, pose = camera.matrix, body_from_camera.matrix.reshape(-1)
    intrinsics = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]]
    return "\n".join(
        [
            "sensor_type: camera",
            "comment: of roma-device; the body is the left camera",
            "T_BS:",
            "  cols: 4",
            "  rows: 4",
            f"  data: {_numbers(pose)}",
            f"resolution: [{camera.size[0]}, {camera.size[1]}]",
            "camera_model: pinhole",
            f"intrinsics: {_numbers(np.array(intrinsics))}",
            f"distortion_model: {name}",
            f"distortion_coefficients: {_numbers(coefficients[:4])}",
            "",
        ]
    )


def _numbers(values: FloatArray) -> str:
    return f"[{', '.join(repr(float(value)) for value in values)}]"
