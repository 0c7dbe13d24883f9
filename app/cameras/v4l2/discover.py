"""Enumeration of the V4L2 capture devices of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from roma_device.app.cameras import CameraError
from roma_device.calibration.arrays import Size

from .device import V4l2Device
from .kernel import Kernel
from .pixel_formats import DECODERS


@dataclass(frozen=True, slots=True)
class FoundMode:
    """One format at one size."""

    format: str
    size: Size
    fps: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """One device, or what is wrong with it."""

    path: str  # /dev/videoN, which may be another one after the next start
    stable_path: str  # in /dev/v4l/by-path, the same as long as the plug stays where it is; "" where there is none
    id_path: str  # in /dev/v4l/by-id, goes with the camera; "" where there is none
    name: str = ""
    bus: str = ""
    driver: str = ""
    modes: tuple[FoundMode, ...] = ()
    problem: str = ""
    other_formats: tuple[str, ...] = field(default=())  # that this program cannot decode


def find_cameras(root: Path = Path("/"), kernel: Kernel | None = None) -> list[FoundCamera]:
    """All capture devices in the order of their numbers; those that cannot be opened with their problem."""
    nodes = [node for node in root.glob("dev/video*") if node.name[5:].isdecimal()]
    nodes.sort(key=lambda node: int(node.name[5:]))
    return [found for node in nodes if (found := _look_at(node, root, kernel)) is not None]


def stable_name(node: Path, root: Path, kind: str) -> str:
    """The link to ``node`` in /dev/v4l/``kind``; of several the shortest."""
    links = [link for link in root.glob(f"dev/v4l/{kind}/*") if link.resolve() == node.resolve()]
    return min((str(link) for link in links), key=lambda name: (len(name), name), default="")


def _look_at(node: Path, root: Path, kernel: Kernel | None) -> FoundCamera | None:
    names = str(node), stable_name(node, root, "by-path"), stable_name(node, root, "by-id")
    try:
        device = V4l2Device(str(node), kernel)
    except CameraError as error:
        return None if "captures no video" in str(error) else FoundCamera(*names, problem=str(error))
    try:
        formats = device.formats()
        if not formats:  # metadata nodes of USB cameras call themselves cameras too
            return None
        modes = tuple(mode for name in formats if name in DECODERS for mode in _modes(device, name))
        others = tuple(name for name in formats if name not in DECODERS)
        return FoundCamera(*names, device.name, device.bus, device.driver, modes, other_formats=others)
    finally:
        device.close()


def _modes(device: V4l2Device, format: str) -> Iterator[FoundMode]:
    for size in device.sizes(format):
        yield FoundMode(format, size, tuple(device.rates(format, size)))


def cameras_as_text(cameras: list[FoundCamera]) -> str:
    if not cameras:
        return "no camera: there is no /dev/video* that captures video"
    return "\n".join(line for camera in cameras for line in _lines(camera))


def _lines(camera: FoundCamera) -> Iterator[str]:
    yield f"{camera.path}  {camera.name}"
    for label, value in (("by-path", camera.stable_path), ("by-id", camera.id_path), ("bus", camera.bus)):
        if value:
            yield f"  {label:<8} {value}"
    if camera.problem:
        yield f"  problem  {camera.problem}"
    for format in dict.fromkeys(mode.format for mode in camera.modes):
        sizes = [_size_and_rates(mode) for mode in camera.modes if mode.format == format]
        yield f"  {format:<8} {', '.join(sizes)}"
    if camera.other_formats:
        yield f"  others   {' '.join(camera.other_formats)} (not decoded by this program)"


def _size_and_rates(mode: FoundMode) -> str:
    rate = f"@{max(mode.fps):g}" if mode.fps else ""
    return f"{mode.size[0]}x{mode.size[1]}{rate}"


def cameras_as_json(cameras: list[FoundCamera]) -> list[dict[str, Any]]:
    return [asdict(camera) for camera in cameras]
