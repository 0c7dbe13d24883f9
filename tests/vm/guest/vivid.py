"""The kernel's virtual cameras: taken away, given back, and made to fail by their own controls."""

from __future__ import annotations

from pathlib import Path

from board import sh, wait_for

from roma_device.app.cameras.v4l2 import abi as abi
from roma_device.app.cameras.v4l2.device import V4l2Device

VIVID = "n_devs=2 num_inputs=1,1 input_types=0,0 num_outputs=0,0 node_types=0x1,0x1 multiplanar=1,1"
DRIVER = Path("/sys/bus/platform/drivers/vivid")


def load_cameras() -> None:
    sh(f"modprobe vivid {VIVID}")
    sh("udevadm settle")
    wait_for("cameras", lambda: Path("/dev/video1").exists(), 20)


def unbind(yes: bool) -> None:
    """Take the cameras away, nodes and all, or give them back."""
    place = DRIVER / ("unbind" if yes else "bind")
    place.write_text("vivid.0")
    if not yes:
        sh("udevadm settle")


def press(name: str, value: int = 1, path: str = "/dev/video0") -> None:
    """Set one of vivid's controls, which inject errors, by its name."""
    device = V4l2Device(path)
    try:
        device.set_control(control_number(device, name), value)
    finally:
        device.close()


def control_number(device: V4l2Device, name: str) -> int:
    number, kernel = 0, device._kernel
    while True:
        query = abi.QueryCtrl(id=number | abi.CTRL_FLAG_NEXT_CTRL)
        try:
            kernel.ioctl(device.descriptor, abi.QUERYCTRL, query)
        except OSError:
            raise AssertionError(f"vivid has no control {name!r}") from None
        if query.name.decode() == name:
            return int(query.id)
        number = query.id
