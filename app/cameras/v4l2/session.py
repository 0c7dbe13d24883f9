"""Capture session of one or two V4L2 devices, set alike: from the driver's buffers to checked pairs of images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np

from roma_device.app.cameras import CaptureCounts
from roma_device.calibration.arrays import Image
from roma_device.runtime.types import Frame, StereoFrame

from .device import RawFrame, V4l2Device
from .frame_check import PairCheck
from .kernel import Kernel
from .pixel_formats import decode_raw
from .setup import choose_mode, set_controls
from .spec import V4l2Spec
from .timestamp_pairing import TimestampPairer

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
        self._check = PairCheck()
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
        if (fault := self._check.fault(left, right)) is not None:
            self._counts.drop(fault)
            return None
        self._counts.pairs += 1
        return StereoFrame(Frame(left, *stamps[0]), Frame(right, *stamps[1]))


def _halves(image: Image | None) -> tuple[Image | None, Image | None]:
    if image is None:
        return None, None
    middle = image.shape[1] // 2
    return np.ascontiguousarray(image[:, :middle]), np.ascontiguousarray(image[:, middle : 2 * middle])
