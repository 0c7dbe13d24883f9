"""A kernel with cameras of our own, at the seam where the program meets the real one."""

from __future__ import annotations

import errno
import mmap
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from roma_device.app.cameras.v4l2 import abi as abi

PIXEL_BYTES: dict[str, float] = {
    **dict.fromkeys(("GREY", "RGGB", "GRBG", "GBRG", "BA81"), 1),
    **dict.fromkeys(("NV12", "NV21", "YU12", "YV12", "Y12P"), 1.5),
    **{"Y10P": 1.25, "Y12I": 3},
}
"""Of the others two."""


@dataclass
class FakeFrame:
    """What the driver has filled a buffer with."""

    data: bytes
    timestamp_ns: int
    sequence: int
    flags: int = 0


@dataclass
class FakeCamera:
    """One device; tests put frames into ``frames`` and faults into ``failures``."""

    formats: tuple[str, ...] = ("YUYV",)
    sizes: tuple[tuple[int, int], ...] = ((64, 48),)
    fps: tuple[int, ...] = (30,)
    controls: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # id -> least, greatest, value
    capabilities: int = abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING
    failures: dict[int, int] = field(default_factory=dict)  # request -> errno, for as long as it stands here
    frames: deque[FakeFrame] = field(default_factory=deque)
    is_there: bool = True
    opened: int = 0
    streaming: bool = False
    mode: tuple[str, tuple[int, int]] = ("", (0, 0))
    buffers: list[mmap.mmap] = field(default_factory=list)
    queued: deque[int] = field(default_factory=deque)

    @property
    def frame_bytes(self) -> int:
        return round(self.mode[1][0] * self.mode[1][1] * PIXEL_BYTES.get(self.mode[0], 2))

    def deliver(self, timestamp_ns: int, sequence: int, value: int | None = None, **changes: Any) -> None:
        """A frame whose pixels are all ``value``, or noise."""
        rng = np.random.default_rng(sequence)
        pixels = rng.integers(0, 256, self.frame_bytes, np.uint8) if value is None else value
        data = np.broadcast_to(np.asarray(pixels, np.uint8), self.frame_bytes).tobytes()
        self.frames.append(FakeFrame(**{"data": data, "timestamp_ns": timestamp_ns, "sequence": sequence, **changes}))


class FakeKernel:
    """Paths to cameras. ``on_wait`` is called whenever somebody waits for frames: the place to make them."""

    def __init__(self, **cameras: FakeCamera) -> None:
        self.cameras = {f"/dev/{name}": camera for name, camera in cameras.items()}
        self.on_wait: Callable[[], None] = lambda: None
        self._open: dict[int, FakeCamera] = {}
        self._next = 1000

    def open(self, path: str) -> int:
        camera = self.cameras.get(path)
        if camera is None or not camera.is_there:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._fail(camera, 0)
        if camera.opened and camera.streaming:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self._next += 1
        self._open[self._next] = camera
        camera.opened += 1
        return self._next

    def close(self, descriptor: int) -> None:
        """A mapping that is still there keeps the device as busy as an open descriptor does."""
        camera = self._open.pop(descriptor)
        camera.opened -= all(buffer.closed for buffer in camera.buffers)

    def map(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        camera = self._open[descriptor]
        camera.buffers.append(mmap.mmap(-1, length))
        return camera.buffers[-1]

    def wait(self, descriptors: list[int], timeout_s: float) -> list[int]:
        self.on_wait()
        return [each for each in descriptors if self._open[each].frames or not self._open[each].is_there]

    def ioctl(self, descriptor: int, request: int, argument: Any) -> None:
        camera = self._open[descriptor]
        if not camera.is_there:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        self._fail(camera, request)
        _ANSWERS[request](camera, argument)

    @staticmethod
    def _fail(camera: FakeCamera, request: int) -> None:
        if request in camera.failures:
            raise OSError(camera.failures[request], os.strerror(camera.failures[request]))


def _stop() -> None:
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def _query(camera: FakeCamera, answer: abi.Capability) -> None:
    answer.driver, answer.card, answer.bus_info = b"fake", b"Fake camera", b"usb-fake-1"
    answer.capabilities = answer.device_caps = camera.capabilities
    answer.capabilities |= abi.CAP_DEVICE_CAPS


def _enum_format(camera: FakeCamera, answer: abi.FmtDesc) -> None:
    if answer.index >= len(camera.formats):
        _stop()
    answer.pixelformat = abi.fourcc(camera.formats[answer.index])


def _enum_size(camera: FakeCamera, answer: abi.FrmSizeEnum) -> None:
    if answer.index >= len(camera.sizes):
        _stop()
    answer.type = abi.FRMSIZE_DISCRETE
    answer.size[0], answer.size[1] = camera.sizes[answer.index]


def _enum_rate(camera: FakeCamera, answer: abi.FrmIvalEnum) -> None:
    if answer.index >= len(camera.fps):
        _stop()
    answer.type = abi.FRMIVAL_DISCRETE
    answer.interval[0], answer.interval[1] = 1, camera.fps[answer.index]


def _set_format(camera: FakeCamera, request: abi.Format) -> None:
    """As drivers do: what cannot be had becomes the nearest that can."""
    pix = request.fmt.pix
    name = abi.fourcc_name(pix.pixelformat)
    format = name if name in camera.formats else camera.formats[0]
    size = min(camera.sizes, key=lambda each: abs(each[0] - pix.width) + abs(each[1] - pix.height))
    camera.mode = format, size
    pix.pixelformat, (pix.width, pix.height) = abi.fourcc(format), size
    pix.sizeimage = camera.frame_bytes
    pix.bytesperline = size[0] if format in ("NV12", "NV21", "YU12", "YV12") else camera.frame_bytes // size[1]


def _parm(camera: FakeCamera, request: abi.StreamParm) -> None:
    period = request.parm.capture.timeperframe
    wanted = period.denominator / period.numerator if period.numerator else camera.fps[0]
    period.numerator, period.denominator = 1, min(camera.fps, key=lambda fps: abs(fps - wanted))


def _request_buffers(camera: FakeCamera, request: abi.RequestBuffers) -> None:
    camera.buffers, camera.queued = [], deque()


def _query_buffer(camera: FakeCamera, buffer: abi.Buffer) -> None:
    buffer.length = camera.frame_bytes


def _queue(camera: FakeCamera, buffer: abi.Buffer) -> None:
    assert buffer.index not in camera.queued, "a buffer was given back twice"
    camera.queued.append(buffer.index)


def _dequeue(camera: FakeCamera, buffer: abi.Buffer) -> None:
    if not camera.frames or not camera.queued:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    frame = camera.frames.popleft()
    buffer.index = camera.queued.popleft()
    camera.buffers[buffer.index][: len(frame.data)] = frame.data
    buffer.bytesused, buffer.flags, buffer.sequence = len(frame.data), frame.flags, frame.sequence
    buffer.timestamp.tv_sec, rest_ns = divmod(frame.timestamp_ns, 1_000_000_000)
    buffer.timestamp.tv_usec = rest_ns // 1000


def _stream(camera: FakeCamera, on: bool) -> None:
    camera.streaming = on
    if not on:
        camera.frames.clear()


def _query_control(camera: FakeCamera, query: abi.QueryCtrl) -> None:
    if query.id not in camera.controls:
        _stop()
    query.minimum, query.maximum, _ = camera.controls[query.id]


def _get_control(camera: FakeCamera, control: abi.Control) -> None:
    control.value = camera.controls[control.id][2]


def _set_control(camera: FakeCamera, control: abi.Control) -> None:
    least, most, _ = camera.controls[control.id]
    camera.controls[control.id] = least, most, control.value


_ANSWERS: dict[int, Callable[[FakeCamera, Any], None]] = {
    abi.QUERYCAP: _query,
    abi.ENUM_FMT: _enum_format,
    abi.ENUM_FRAMESIZES: _enum_size,
    abi.ENUM_FRAMEINTERVALS: _enum_rate,
    abi.S_FMT: _set_format,
    abi.G_PARM: _parm,
    abi.S_PARM: _parm,
    abi.REQBUFS: _request_buffers,
    abi.QUERYBUF: _query_buffer,
    abi.QBUF: _queue,
    abi.DQBUF: _dequeue,
    abi.STREAMON: lambda camera, _: _stream(camera, True),
    abi.STREAMOFF: lambda camera, _: _stream(camera, False),
    abi.QUERYCTRL: _query_control,
    abi.G_CTRL: _get_control,
    abi.S_CTRL: _set_control,
}
