"""One or two V4L2 devices, set alike and streaming: from the driver's buffers to checked pairs of images."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
from loguru import logger

from roma_device.runtime.types import Frame, Image, StereoFrame

from . import CameraError
from . import v4l2_abi as abi
from .capture_counts import CaptureCounts
from .frame_check import FreezeCheck, is_black
from .pair_by_time import TimestampPairer
from .pixel_formats import DECODERS, decode_raw
from .v4l2_device import Mode, RawFrame, V4l2Device
from .v4l2_kernel import Kernel
from .v4l2_spec import V4l2Spec

USUAL_SIZE = (640, 400)
STALE_NS = 1_000_000_000
"""A frame that is older when it is taken has lain in a buffer since before anybody looked."""

EARLY_NS = 500_000_000
"""Some drivers stamp a frame with the time at which it should end, which may not have come yet."""

Pair = tuple[RawFrame, RawFrame]


class V4l2Session:
    """Devices from opening to the first failure; all of it is given up when one breaks."""

    def __init__(
        self, spec: V4l2Spec, counts: CaptureCounts, kernel: Kernel, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._spec, self._counts, self._kernel, self._clock_ns = spec, counts, kernel, clock_ns
        self._pairer: TimestampPairer[RawFrame] = TimestampPairer(round(1e6 * spec.max_skew_ms))
        self._newest_ns = [0] * len(spec.paths)
        self._freezes = FreezeCheck(), FreezeCheck()
        with ExitStack() as stack:
            self._devices = [self._open(path, stack) for path in spec.paths]
            self.mode = choose_mode(self._devices, spec)
            for device in self._devices:
                set_controls(device, spec)
                device.start()
            self._stack = stack.pop_all()

    def _open(self, path: str, stack: ExitStack) -> V4l2Device:
        device = V4l2Device(path, self._kernel)
        stack.callback(device.close)
        return device

    def close(self) -> None:
        self._stack.close()

    def pairs(self, timeout_s: float) -> Iterator[StereoFrame]:
        """Pairs that are there within ``timeout_s``, of several only the newest; raises CameraError."""
        ready = self._kernel.wait([device.descriptor for device in self._devices], timeout_s)
        if not ready:
            return
        newest: Pair | None = None
        for pair in self._new_pairs():
            if newest is not None:
                self._give_back(newest, "stale")
            newest = pair
        if newest is not None and (frame := self._decoded(newest)) is not None:
            yield frame

    def _new_pairs(self) -> Iterator[Pair]:
        for side, device in enumerate(self._devices):
            while (raw := device.take()) is not None:
                if not self._is_usable(side, raw):
                    continue
                if len(self._devices) == 1:
                    yield raw, raw
                elif (pair := self._pairer.push(side, raw)) is not None:
                    yield pair
                self._return_rejected()

    def _is_usable(self, side: int, raw: RawFrame) -> bool:
        """Counts and gives back what is not."""
        now_ns = self._clock_ns()
        if raw.is_damaged:
            self._counts.drop("damaged")
        elif not self._newest_ns[side] < raw.timestamp_ns <= now_ns + EARLY_NS:
            self._counts.drop("timestamp")
        elif now_ns - raw.timestamp_ns > STALE_NS:
            self._counts.drop("stale")
        else:
            self._newest_ns[side] = raw.timestamp_ns
            return True
        self._devices[side].give_back(raw)
        return False

    def _return_rejected(self) -> None:
        for side, raw in self._pairer.rejected:
            self._counts.drop("unpaired")
            self._devices[side].give_back(raw)
        self._pairer.rejected.clear()

    def _give_back(self, pair: Pair, reason: str = "") -> None:
        for device, raw in zip(self._devices, pair, strict=False):
            device.give_back(raw)
            if reason == "stale":
                self._counts.drop("stale")

    def _decoded(self, pair: Pair) -> StereoFrame | None:
        """The pair as images, None where one is not whole or betrays a broken camera."""
        images = [decode_raw(raw.data, self.mode) for raw in pair[: len(self._devices)]]
        stamps = [(raw.timestamp_ns, raw.sequence) for raw in pair]
        self._give_back(pair)
        left, right = (*images, None)[:2] if len(images) == 2 else _halves(images[0])
        if left is None or right is None:
            self._counts.drop("torn")
            return None
        if not self._see_the_world(left, right):
            return None
        self._counts.pairs += 1
        return StereoFrame(Frame(left, *stamps[0]), Frame(right, *stamps[1]))

    def _see_the_world(self, left: Image, right: Image) -> bool:
        """Both black is a dark room; one alone is a broken camera."""
        frozen = [check.look(image) for check, image in zip(self._freezes, (left, right), strict=True)]
        if any(frozen):
            self._counts.drop("frozen")
        elif is_black(left) != is_black(right):
            self._counts.drop("black")
        else:
            return True
        return False


def _halves(image: Image | None) -> tuple[Image | None, Image | None]:
    if image is None:
        return None, None
    middle = image.shape[1] // 2
    return np.ascontiguousarray(image[:, :middle]), np.ascontiguousarray(image[:, middle : 2 * middle])


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
    offered = [device.formats() for device in devices]
    candidates = DECODERS if spec.format is None else (spec.format,)
    for name in candidates:
        if all(name in formats for formats in offered):
            return name
    device, formats = next(
        (pair for pair in zip(devices, offered, strict=True) if not set(candidates) & set(pair[1])),
        (devices[-1], offered[-1]),
    )
    raise CameraError(
        f"{device.path} ({device.name}) offers {', '.join(formats) or 'no format'}, but not "
        f"{' or '.join(candidates)}" + ("" if spec.format else " in common with the other camera"),
        exit_code=os.EX_USAGE,
    )


def _wanted_size(devices: list[V4l2Device], spec: V4l2Spec, format: str) -> tuple[int, int]:
    """Of one device's whole picture; without a wish the one that is nearest to what the model takes."""
    factor = 2 if len(devices) == 1 else 1
    if spec.size is not None:
        return factor * spec.size[0], spec.size[1]
    wanted = factor * USUAL_SIZE[0]
    common = set.intersection(*(set(device.sizes(format)) for device in devices))
    return min(common, key=lambda size: (abs(size[0] - wanted), size[1]), default=(wanted, USUAL_SIZE[1]))


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
    control = next((each for each in controls if device.control_range(each) is not None), None)
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
