"""One rig as files of every format and dialect, written by hand: 60 mm, f 500 px at 640x480, in the unit asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

SIZE = "image_width: 640\nimage_height: 480\n"
PLAIN = (-0.1, 0.02, 0.001, -0.0005)
FISHEYE = (0.175653, -0.031772, 0.000362, -0.000719)
Shift = tuple[float, float, float]
"""Translation from the left to the right frame, in the file's unit."""


def _list(values: tuple[float, ...]) -> str:
    return "[" + ", ".join(f"{value:.9g}" for value in values) + "]"


def _matrix(rows: int, values: tuple[float, ...], tag: str = "") -> str:
    return f"{tag}\n  rows: {rows}\n  cols: {len(values) // rows}\n  dt: d\n  data: {_list(values)}\n"


K = (500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0)
EYE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def _projection(shift: Shift) -> tuple[float, ...]:
    x, y, z = shift
    return (500.0, 0.0, 320.0, 500 * x + 320 * z, 0.0, 500.0, 240.0, 500 * y + 240 * z, 0.0, 0.0, 1.0, z)


def ros(folder: Path, shift: Shift, model: str = "plumb_bob", lens: tuple[float, ...] = PLAIN) -> list[Path]:
    for side, offset in (("left", (0.0, 0.0, 0.0)), ("right", shift)):
        text = f"{SIZE}camera_name: {side}\ncamera_matrix:{_matrix(3, K)}distortion_model: {model}\n"
        text += f"distortion_coefficients:{_matrix(1, lens)}rectification_matrix:{_matrix(3, EYE)}"
        (folder / f"{side}.yaml").write_text(f"{text}projection_matrix:{_matrix(3, _projection(offset))}")
    return [folder / "left.yaml", folder / "right.yaml"]


def ros_echo(folder: Path, shift: Shift, model: str = "plumb_bob", lens: tuple[float, ...] = PLAIN) -> list[Path]:
    for side, offset in (("left", (0.0, 0.0, 0.0)), ("right", shift)):
        text = f"header:\n  stamp:\n    sec: 1\n    nanosec: 2\n  frame_id: {side}\nheight: 480\nwidth: 640\n"
        text += f"distortion_model: {model}\n"
        for key, values in (("d", lens), ("k", K), ("r", EYE), ("p", _projection(offset))):
            text += f"{key}:\n" + "".join(f"- {value:.9g}\n" for value in values)
        (folder / f"{side}.yaml").write_text(f"{text}binning_x: 0\nroi:\n  x_offset: 0\n  do_rectify: false\n---\n")
    return [folder / "left.yaml", folder / "right.yaml"]


def kalibr(folder: Path, shift: Shift, model: str = "radtan", lens: tuple[float, ...] = PLAIN) -> list[Path]:
    camera = f"  camera_model: pinhole\n  distortion_coeffs: {_list(lens)}\n  distortion_model: {model}\n"
    camera += "  intrinsics: [500.0, 500.0, 320.0, 240.0]\n  resolution: [640, 480]\n"
    x, y, z = shift
    pose = f"  T_cn_cnm1:\n  - [1, 0, 0, {x}]\n  - [0, 1, 0, {y}]\n  - [0, 0, 1, {z}]\n  - [0, 0, 0, 1]\n"
    (folder / "chain.yaml").write_text(f"cam0:\n{camera}cam1:\n{pose}{camera}")
    return [folder / "chain.yaml"]


def euroc(folder: Path, shift: Shift, model: str = "radial-tangential", lens: tuple[float, ...] = PLAIN) -> list[Path]:
    files = []
    for number, (x, y, z) in enumerate(((0.0, 0.0, 0.0), tuple(-value for value in shift))):
        pose = (1.0, 0.0, 0.0, x, 0.0, 1.0, 0.0, y, 0.0, 0.0, 1.0, z, 0.0, 0.0, 0.0, 1.0)
        text = f"sensor_type: camera\nT_BS:{_matrix(4, pose)}resolution: [640, 480]\ncamera_model: pinhole\n"
        text += f"intrinsics: [500.0, 500.0, 320.0, 240.0]\ndistortion_model: {model}\n"
        files.append(folder / f"cam{number}.yaml")
        files[-1].write_text(f"{text}distortion_coefficients: {_list(lens)}\n")
    return files


def opencv(folder: Path, shift: Shift, model: str = "", lens: tuple[float, ...] = PLAIN) -> list[Path]:
    tag = " !!opencv-matrix"
    text = f"%YAML:1.0\n---\n{SIZE}" + (f"distortion_model: {model}\n" if model else "")
    for name, rows, values in (("M1", 3, K), ("D1", 1, lens), ("M2", 3, K), ("D2", 1, lens), ("R", 3, EYE)):
        text += f"{name}:{_matrix(rows, values, tag)}"
    (folder / "stereo.yml").write_text(f"{text}T:{_matrix(3, shift, tag)}")
    return [folder / "stereo.yml"]


def orbslam(folder: Path, shift: Shift, model: str = "PinHole", lens: tuple[float, ...] = PLAIN) -> list[Path]:
    keys = ("k1", "k2", "k3", "k4") if "annala" in model else ("k1", "k2", "p1", "p2", "k3", "x1", "x2", "x3")
    text = f'%YAML:1.0\n\nFile.version: "1.0"\nCamera.type: "{model}"\nCamera.width: 640\nCamera.height: 480\n'
    for name in ("Camera1", "Camera2"):
        text += f"{name}.fx: 500.0\n{name}.fy: 500.0\n{name}.cx: 320.0\n{name}.cy: 240.0\n"
        text += "".join(f"{name}.{key}: {value}\n" for key, value in zip(keys, lens, strict=False))
    x, y, z = (-value for value in shift)
    pose = (1.0, 0.0, 0.0, x, 0.0, 1.0, 0.0, y, 0.0, 0.0, 1.0, z, 0.0, 0.0, 0.0, 1.0)
    (folder / "slam.yaml").write_text(f"{text}Stereo.T_c1_c2:{_matrix(4, pose, ' !!opencv-matrix')}")
    return [folder / "slam.yaml"]


def kitti(folder: Path, shift: Shift, model: str = "", lens: tuple[float, ...] = PLAIN) -> list[Path]:
    text = "calib_time: 09-Jan-2012 13:57:47\n"
    for number, offset in (("00", (0.0, 0.0, 0.0)), ("01", shift)):
        for key, values in (("S", (640.0, 480.0)), ("K", K), ("D", lens), ("R", EYE), ("T", offset)):
            text += f"{key}_{number}: " + " ".join(f"{value:.6e}" for value in values) + "\n"
    (folder / "calib_cam_to_cam.txt").write_text(text)
    return [folder / "calib_cam_to_cam.txt"]


WRITERS: dict[str, Callable[..., list[Path]]] = {
    writer.__name__: writer for writer in (ros, ros_echo, kalibr, euroc, opencv, orbslam, kitti)
}
FISHEYE_NAMES = {
    "ros": ("fisheye", "kannala_brandt", "equidistant"),
    "ros_echo": ("fisheye", "kannala_brandt", "equidistant"),
    "kalibr": ("equidistant", "equi", "fisheye", "kannala_brandt"),
    "euroc": ("equidistant", "fisheye", "kannala_brandt"),
    "opencv": ("fisheye", "equidistant", "kannala_brandt"),
    "orbslam": ("KannalaBrandt8",),
}
