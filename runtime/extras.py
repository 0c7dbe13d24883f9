"""Packages that are needed by one feature alone, by the extra that names them in setup.cfg."""

from __future__ import annotations

PACKAGES: dict[str, tuple[str, ...]] = {
    "onnx": ("onnxruntime",),
    "openvino": ("openvino",),
    "mcap": ("mcap",),
    "live": ("foxglove-sdk",),
    "rosbag2": ("rosbags",),
    "zenoh": ("eclipse-zenoh", "rosbags"),
    "mqtt": ("paho-mqtt",),
    "batch": ("distributed",),
}


def install_line(extra: str) -> str:
    """The command that makes an extra work, however this program was installed: roma-device is on no index."""
    return f"pip install {' '.join(PACKAGES[extra])}"
