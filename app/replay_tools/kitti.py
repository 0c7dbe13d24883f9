"""Export as a KITTI odometry sequence: rectified images, times and projection matrices."""

from __future__ import annotations

from pathlib import Path

from roma_device.calibration.rectify import Rectification, RectifiedRig
from roma_device.runtime.rectified_images import RectifiedImages

from .euroc import write_png
from .stored import StoredRecording


def export_kitti(recording: StoredRecording, path: Path) -> int:
    """image_0 and image_1 (grey) or image_2 and image_3 (colour), times.txt in s and calib.txt."""
    calibration = recording.needed_calibration("KITTI's images are rectified")
    rectification: Rectification | None = None
    times: list[int] = []
    for frame in recording.frames():
        if rectification is None or rectification.rig.size != frame.size:
            rectification = Rectification.from_calibration(calibration.fitted_to(frame.size))
        images = RectifiedImages(frame.left.image, frame.right.image, rectification)
        names = ("image_2", "image_3") if frame.left.image.ndim == 3 else ("image_0", "image_1")
        for name, image in zip(names, (images.left, images.right), strict=True):
            (path / name).mkdir(parents=True, exist_ok=True)
            write_png(path / name / f"{len(times):06d}.png", image)
        times.append(frame.timestamp_ns)
    path.mkdir(parents=True, exist_ok=True)
    (path / "times.txt").write_text("".join(f"{(stamp - times[0]) / 1e9:.9f}\n" for stamp in times))
    if rectification is not None:
        (path / "calib.txt").write_text(_projections(rectification.rig))
    return len(times)


def _projections(rig: RectifiedRig) -> str:
    """P0 to P3; the colour cameras stand where the grey ones do."""
    focal_px, baseline_m = rig.focal_px or 0.0, rig.baseline_m or 0.0
    lines = []
    for index in range(4):
        shift = -focal_px * baseline_m if index % 2 else 0.0
        numbers = [focal_px, 0.0, rig.cx, shift, 0.0, focal_px, rig.cy, 0.0, 0.0, 0.0, 1.0, 0.0]
        lines.append(f"P{index}: " + " ".join(f"{number:.12e}" for number in numbers))
    return "\n".join(lines) + "\n"
