"""Diagnostic checks of cameras, USB and temperatures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from roma_device.app.cameras import CameraError
from roma_device.app.cameras.v4l2.discover import FoundCamera, find_cameras
from roma_device.app.cameras.v4l2.spec import V4l2Spec
from roma_device.app.doctor import CheckResult, Machine, read_text

WARM_C, HOT_C = 85.0, 100.0
USABLE_SHARE = 0.8
"""Of a USB bus for pictures: the rest is taken by its protocol and by reservations."""


def check_cameras(machine: Machine) -> Iterator[CheckResult]:
    found = find_cameras(machine.root)
    wanted = _wanted(machine)
    for camera in found:
        text = f"{camera.path} {camera.name}".strip()
        if camera.problem:
            yield CheckResult("fail", "camera", camera.problem, "see above; `roma-device cameras` lists all")
        elif not camera.modes:
            fix = "take a camera with YUYV, NV12, GREY, Y10, MJPG or another format that docs/cameras.md names"
            yield CheckResult("warn", "camera", f"{text} has only {', '.join(camera.other_formats)}", fix)
        else:
            stable = f", stable name {camera.stable_path}" if camera.stable_path else ", no stable name"
            yield CheckResult("ok", "camera", f"{text} on {camera.bus}{stable}")
    if not found:
        yield CheckResult(
            "fail" if wanted else "warn", "camera", "there is no camera", "plug one in; is its driver loaded (dmesg)?"
        )
    for path in wanted.paths if wanted else ():
        if not (machine.root / path.lstrip("/")).exists():
            fix = "plug it in, or name another one in the settings (camera:)"
            yield CheckResult("fail", "camera", f"{path}, which the settings name, is not there", fix)


def _wanted(machine: Machine) -> V4l2Spec | None:
    kind, _, argument = (machine.settings.camera or "").partition(":")
    try:
        return V4l2Spec.parse(argument) if kind == "v4l2" else None
    except CameraError:
        return None


def check_usb(machine: Machine) -> Iterator[CheckResult]:
    """Whether the cameras that share a bus fit into it, without compression, at 30 frames per second."""
    spec = _wanted(machine) or V4l2Spec(())
    width, height = spec.size or (640, 480)
    needed_mbit = width * height * 2 * 8 * spec.fps / 1e6
    buses: defaultdict[str, list[str]] = defaultdict(list)
    speeds: dict[str, float] = {}
    for camera in find_cameras(machine.root):
        if bus := _usb_bus(machine.root, camera):
            buses[bus[0]].append(camera.path)
            speeds[bus[0]] = bus[1]
    for number, paths in buses.items():
        room = USABLE_SHARE * speeds[number]
        text = f"bus {number} has {speeds[number]:g} Mbit/s for {', '.join(paths)}"
        if needed_mbit * len(paths) > room:
            need = f"{needed_mbit * len(paths):.0f} Mbit/s uncompressed at {width}x{height}, {spec.fps:g} fps"
            fix = "take format=MJPG, a lower rate, or plug the cameras into different controllers"
            yield CheckResult("warn", "usb", f"{text}, but they need {need}", fix)
        else:
            yield CheckResult("ok", "usb", text)


def _usb_bus(root: Path, camera: FoundCamera) -> tuple[str, float] | None:
    """Number of the bus and its speed in Mbit/s, of the nearest device above that has both."""
    device = (root / "sys/class/video4linux" / Path(camera.path).name / "device").resolve()
    for place in (device, *device.parents):
        bus, speed = read_text(place / "busnum"), read_text(place / "speed")
        if bus and speed:
            return bus, float(speed)
    return None


def check_temperatures(machine: Machine) -> Iterator[CheckResult]:
    readings = [
        (read_text(zone / "type") or zone.name, float(text) / 1000)
        for zone in sorted((machine.root / "sys/class/thermal").glob("thermal_zone*"))
        if (text := read_text(zone / "temp")) and text.lstrip("-").isdecimal()
    ]
    if not readings:
        return
    name, hottest = max(readings, key=lambda reading: reading[1])
    text = f"hottest: {name} {hottest:.0f} degrees Celsius"
    fix = "cool the board: the chip lowers its clock when it is hot"
    yield CheckResult("fail" if hottest >= HOT_C else "warn" if hottest >= WARM_C else "ok", "temperature", text, fix)
