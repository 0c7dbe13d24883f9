"""Mode negotiation and controls: devices set alike in format, size, rate, exposure and gain."""

from __future__ import annotations

import os

from loguru import logger

from roma_device.app.cameras import CameraError
from roma_device.calibration.arrays import Size

from . import abi
from .device import Mode, V4l2Device
from .pixel_formats import DECODERS, INTERLEAVED
from .spec import V4l2Spec

USUAL_SIZE = (640, 400)


def choose_mode(devices: list[V4l2Device], spec: V4l2Spec) -> Mode:
    """Set all devices to the same format, size and rate; raises CameraError where they cannot agree."""
    format = _common_format(devices, spec)
    size = _wanted_size(devices, spec, format)
    modes = [device.configure(Mode(format, size, spec.fps)) for device in devices]
    for device, mode in zip(devices, modes, strict=True):
        if mode.format != format or (spec.size is not None and mode.size != size):
            offered = ", ".join(f"{width}x{height}" for width, height in device.sizes(format))
            raise CameraError(
                f"{device.path} has no {format} at {size[0]}x{size[1]} px, it would give {mode.format} at "
                f"{mode.size[0]}x{mode.size[1]}; of {format} it offers {offered or 'nothing'}",
                exit_code=os.EX_USAGE,
            )
    if len({(mode.size, mode.stride) for mode in modes}) > 1:
        sizes = " and ".join(f"{mode.size[0]}x{mode.size[1]}" for mode in modes)
        raise CameraError(f"left and right differ in size: {sizes} px; choose one that both offer with size=")
    if modes[0].fps and abs(modes[0].fps - spec.fps) > 0.05 * spec.fps:
        logger.warning(f"the cameras give {modes[0].fps:g} frames per second at this size, not {spec.fps:g}")
    logger.info(f"capturing {modes[0].format} {modes[0].size[0]}x{modes[0].size[1]} at {modes[0].fps:g} fps")
    return modes[0]


def _common_format(devices: list[V4l2Device], spec: V4l2Spec) -> str:
    """The first that is wanted, or known, and that all offer; raises CameraError with the reason where none is."""
    offered = [device.formats() for device in devices]
    known = [name for name in DECODERS if len(devices) == 1 or name not in INTERLEAVED]
    if spec.format is not None and spec.format not in known:
        raise CameraError(f"{spec.format} holds both images: name one device", exit_code=os.EX_USAGE)
    candidates = known if spec.format is None else [spec.format]
    for name in candidates:
        if all(name in formats for formats in offered):
            return name
    raise CameraError(_no_format(devices, offered, candidates, spec.format), exit_code=os.EX_USAGE)


def _no_format(devices: list[V4l2Device], offered: list[list[str]], candidates: list[str], wanted: str | None) -> str:
    """Names a device that offers no candidate, or else all of them: then only together they offer none."""
    texts = [
        f"{device.path} ({device.name}) offers {', '.join(formats) or 'no format'}"
        for device, formats in zip(devices, offered, strict=True)
    ]
    for text, formats in zip(texts, offered, strict=True):
        if not set(candidates) & set(formats):
            return f"{text}, but {f'not {wanted}' if wanted else 'none of ' + ', '.join(candidates)}"
    return f"{' and '.join(texts)}: none that can be decoded is in common with the other camera"


def _wanted_size(devices: list[V4l2Device], spec: V4l2Spec, format: str) -> Size:
    """Of one device's whole picture; without a wish the one that is nearest to what the model takes."""
    factor = 2 if len(devices) == 1 and format not in INTERLEAVED else 1
    if spec.size is not None:
        return Size(factor * spec.size[0], spec.size[1])
    wanted = factor * USUAL_SIZE[0]
    common = set.intersection(*(set(device.sizes(format)) for device in devices))
    return min(common, key=lambda size: (abs(size[0] - wanted), size[1]), default=Size(wanted, USUAL_SIZE[1]))


def set_controls(device: V4l2Device, spec: V4l2Spec) -> None:
    """The same exposure and gain on each device; automatic where none is given and the device can."""
    _set(device, spec.exposure, (abi.CID_EXPOSURE_ABSOLUTE, abi.CID_EXPOSURE), "exposure")
    _set(device, spec.gain, (abi.CID_GAIN,), "gain")


def _set(device: V4l2Device, value: int | None, controls: tuple[int, ...], what: str) -> None:
    exposure = what == "exposure"
    automatic = abi.CID_EXPOSURE_AUTO if exposure else abi.CID_AUTOGAIN
    off, on = (abi.EXPOSURE_MANUAL, abi.EXPOSURE_APERTURE_PRIORITY) if exposure else (0, 1)
    if device.control_range(automatic) is not None:
        _try_automatic(device, automatic, off if value is not None else on)
    if value is None:
        return
    control = next((number for number in controls if device.control_range(number) is not None), None)
    limits = None if control is None else device.control_range(control)
    if control is None or limits is None:
        raise CameraError(f"{device.path} ({device.name}) has no {what} that can be set", exit_code=os.EX_USAGE)
    if not limits[0] <= value <= limits[1]:
        text = f"{what}={value} is not within {limits[0]} to {limits[1]}, which {device.path} can do"
        raise CameraError(text, exit_code=os.EX_USAGE)
    device.set_control(control, value)
    if (got := device.control(control)) != value:
        logger.warning(f"{device.path} took {what} {got} instead of {value}")


def _try_automatic(device: V4l2Device, control: int, value: int) -> None:
    """Cameras differ in which automatic modes they have: one that stays as it is is no failure."""
    try:
        device.set_control(control, value)
    except CameraError as error:
        logger.debug(f"{error}")
