"""Cameras, NPU, temperatures."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from roma_device.app.cameras import CameraError
from roma_device.app.cameras.v4l2.discover import FoundCamera, find_cameras
from roma_device.app.cameras.v4l2.spec import V4l2Spec

from .finding import MIB, Finding, Patient, read_text

NPU_NODES = ("ax_*", "axlog", "npu", "axcl_host")
WARM_C, HOT_C = 85.0, 100.0
USABLE_SHARE = 0.8
"""Of a USB bus for pictures: the rest is taken by its protocol and by reservations."""


def check_cameras(patient: Patient) -> Iterator[Finding]:
    found = find_cameras(patient.root)
    wanted = _wanted(patient)
    for camera in found:
        text = f"{camera.path} {camera.name}".strip()
        if camera.problem:
            yield Finding("fail", "camera", camera.problem, "see above; `roma-device cameras` lists all")
        elif not camera.modes:
            cure = "take a camera with YUYV, UYVY, NV12, GREY or MJPG"
            yield Finding("warn", "camera", f"{text} has only {', '.join(camera.other_formats)}", cure)
        else:
            stable = f", stable name {camera.stable_path}" if camera.stable_path else ", no stable name"
            yield Finding("ok", "camera", f"{text} on {camera.bus}{stable}")
    if not found:
        yield Finding(
            "fail" if wanted else "warn", "camera", "there is no camera", "plug one in; is its driver loaded (dmesg)?"
        )
    for path in wanted.paths if wanted else ():
        if not (patient.root / path.lstrip("/")).exists():
            cure = "plug it in, or name another one in the settings (camera:)"
            yield Finding("fail", "camera", f"{path}, which the settings name, is not there", cure)


def _wanted(patient: Patient) -> V4l2Spec | None:
    kind, _, argument = (patient.settings.camera or "").partition(":")
    try:
        return V4l2Spec.parse(argument) if kind == "v4l2" else None
    except CameraError:
        return None


def check_usb(patient: Patient) -> Iterator[Finding]:
    """Whether the cameras that share a bus fit into it, without compression, at 30 frames per second."""
    spec = _wanted(patient) or V4l2Spec(())
    width, height = spec.size or (640, 480)
    needed_mbit = width * height * 2 * 8 * spec.fps / 1e6
    buses: defaultdict[str, list[str]] = defaultdict(list)
    speeds: dict[str, float] = {}
    for camera in find_cameras(patient.root):
        if bus := _usb_bus(patient.root, camera):
            buses[bus[0]].append(camera.path)
            speeds[bus[0]] = bus[1]
    for number, paths in buses.items():
        room = USABLE_SHARE * speeds[number]
        text = f"bus {number} has {speeds[number]:g} Mbit/s for {', '.join(paths)}"
        if needed_mbit * len(paths) > room:
            need = f"{needed_mbit * len(paths):.0f} Mbit/s uncompressed at {width}x{height}, {spec.fps:g} fps"
            cure = "take format=MJPG, a lower rate, or plug the cameras into different controllers"
            yield Finding("warn", "usb", f"{text}, but they need {need}", cure)
        else:
            yield Finding("ok", "usb", text)


def _usb_bus(root: Path, camera: FoundCamera) -> tuple[str, float] | None:
    """Number of the bus and its speed in Mbit/s, of the nearest device above that has both."""
    device = (root / "sys/class/video4linux" / Path(camera.path).name / "device").resolve()
    for place in (device, *device.parents):
        bus, speed = read_text(place / "busnum"), read_text(place / "speed")
        if bus and speed:
            return bus, float(speed)
    return None


def check_npu(patient: Patient) -> Iterator[Finding]:
    nodes = sorted(node for pattern in NPU_NODES for node in (patient.root / "dev").glob(pattern))
    if not nodes:
        yield Finding("ok", "npu", "none on this machine")
        return
    closed = [str(node) for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if closed:
        cure = "`roma-device service install` gives them to the group roma-device; add your user to it"
        yield Finding("fail", "npu", f"no permission to use {', '.join(closed)}", cure)
    else:
        yield Finding("ok", "npu", f"{len(nodes)} device nodes, chip {_chip(patient.root)}")
    yield from _check_cmm(patient.root)


def _chip(root: Path) -> str:
    told = (read_text(root / "proc/ax_proc" / name) for name in ("chip_type", "version"))
    return ", ".join(text.splitlines()[0] for text in told if text) or "unknown"


def _check_cmm(root: Path) -> Iterator[Finding]:
    """The memory that CPU and NPU share; what a crashed program held may stay taken."""
    text = read_text(root / "proc/ax_proc/mem_cmm_info") or ""
    numbers = {key: int(value) for key, value in re.findall(r"(total size|remain)\s*=\s*(\d+)KB", text)}
    if len(numbers) < 2:
        return
    free_mib, total_mib = numbers["remain"] * 1024 // MIB, numbers["total size"] * 1024 // MIB
    words = f"{free_mib} of {total_mib} MiB free"
    if free_mib < 64:
        yield Finding("warn", "cmm", words, "end other programs that use the NPU or cameras, or reboot")
    else:
        yield Finding("ok", "cmm", words)


def check_temperatures(patient: Patient) -> Iterator[Finding]:
    readings = [
        (read_text(zone / "type") or zone.name, float(text) / 1000)
        for zone in sorted((patient.root / "sys/class/thermal").glob("thermal_zone*"))
        if (text := read_text(zone / "temp")) and text.lstrip("-").isdecimal()
    ]
    if not readings:
        return
    name, hottest = max(readings, key=lambda reading: reading[1])
    text = f"hottest: {name} {hottest:.0f} degrees Celsius"
    cure = "cool the board: the chip lowers its clock when it is hot"
    yield Finding("fail" if hottest >= HOT_C else "warn" if hottest >= WARM_C else "ok", "temperature", text, cure)
