"""One V4L2 device: capabilities, modes, controls, and streaming I/O by memory-mapped buffers."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from ctypes import Structure, c_int
from dataclasses import dataclass
from typing import TypeVar

from roma_device.app.cameras import CameraError
from roma_device.calibration.arrays import Size

from . import abi as abi
from .errors import explain
from .kernel import Kernel, LinuxKernel

Item = TypeVar("Item", bound=Structure)
BUFFERS = 4


@dataclass(frozen=True, slots=True)
class Mode:
    """How a device captures."""

    format: str  # fourcc, such as "YUYV"
    size: Size
    fps: float  # 0: not known
    stride: int = 0  # bytes per row, 0: none (compressed)
    bytes: int = 0  # of a whole frame; of compressed ones at most


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame in the driver's buffer ``index``, which is ours until it is given back."""

    index: int
    data: memoryview  # the bytes in use; end with give_back
    timestamp_ns: int  # monotonic clock, as the driver stamps it
    sequence: int  # counts frames that the driver lost too
    is_damaged: bool  # the driver says so


class V4l2Device:
    """Open from construction to ``close``. All methods raise CameraError in words that say what to do."""

    def __init__(self, path: str, kernel: Kernel | None = None) -> None:
        self.path, self._kernel = path, kernel or LinuxKernel()
        self._maps: list[mmap.mmap] = []
        self._lent: dict[int, memoryview] = {}  # buffers that are not the driver's now
        try:
            self.descriptor = self._kernel.open(path)
        except OSError as error:
            raise explain(path, "open", error) from None
        try:
            self.capability = self._call("query", abi.QUERYCAP, abi.Capability())
            self._check_capability()
        except CameraError:
            self.close()
            raise

    def _check_capability(self) -> None:
        found = self.capability
        has_own = found.capabilities & abi.CAP_DEVICE_CAPS
        flags = found.device_caps if has_own else found.capabilities
        if not flags & abi.CAP_VIDEO_CAPTURE:
            raise CameraError(f"{self.path} ({self.name}) is no camera: it captures no video", exit_code=os.EX_USAGE)
        if not flags & abi.CAP_STREAMING:
            raise CameraError(f"{self.path} ({self.name}) cannot stream", exit_code=os.EX_USAGE)

    @property
    def name(self) -> str:
        return _text(self.capability.card)

    @property
    def bus(self) -> str:
        """Where it is attached, such as usb-0000:00:14.0-2."""
        return _text(self.capability.bus_info)

    @property
    def driver(self) -> str:
        return _text(self.capability.driver)

    def formats(self) -> list[str]:
        """Pixel formats in the driver's order, as fourcc."""
        found = self._enumerate(abi.ENUM_FMT, lambda index: abi.FmtDesc(index=index, type=abi.BUF_TYPE_VIDEO_CAPTURE))
        return list(dict.fromkeys(abi.fourcc_name(format.pixelformat) for format in found))

    def sizes(self, format: str) -> list[Size]:
        """Widths and heights; of a range only the least and the greatest."""
        code, sizes = abi.fourcc(format), []
        for item in self._enumerate(abi.ENUM_FRAMESIZES, lambda index: abi.FrmSizeEnum(index=index, pixel_format=code)):
            if item.type == abi.FRMSIZE_DISCRETE:
                sizes.append(Size(item.size[0], item.size[1]))
            else:
                return [Size(item.size[0], item.size[3]), Size(item.size[1], item.size[4])]
        return sizes

    def rates(self, format: str, size: Size) -> list[float]:
        """Frames per second; of a range only the greatest and the least."""
        blank = {"pixel_format": abi.fourcc(format), "width": size[0], "height": size[1]}
        rates: list[float] = []
        for item in self._enumerate(abi.ENUM_FRAMEINTERVALS, lambda index: abi.FrmIvalEnum(index=index, **blank)):
            numbers = item.interval
            if item.type == abi.FRMIVAL_DISCRETE:
                rates.append(_rate(numbers[0], numbers[1]))
            else:
                return [_rate(numbers[0], numbers[1]), _rate(numbers[2], numbers[3])]
        return rates

    def configure(self, wanted: Mode) -> Mode:
        """Ask for a mode; the driver may choose another size or rate, and the answer says which."""
        request = abi.Format(type=abi.BUF_TYPE_VIDEO_CAPTURE)
        pix = request.fmt.pix
        pix.width, pix.height = wanted.size
        pix.pixelformat, pix.field = abi.fourcc(wanted.format), abi.FIELD_NONE
        self._call("set the format of", abi.S_FMT, request)
        return Mode(
            abi.fourcc_name(pix.pixelformat),
            Size(pix.width, pix.height),
            self._set_rate(wanted.fps),
            pix.bytesperline,
            pix.sizeimage,
        )

    def _set_rate(self, fps: float) -> float:
        request = abi.StreamParm(type=abi.BUF_TYPE_VIDEO_CAPTURE)
        try:
            self._kernel.ioctl(self.descriptor, abi.G_PARM, request)
            period = request.parm.capture.timeperframe
            if fps:
                period.numerator, period.denominator = 1000, round(1000 * fps)
                self._kernel.ioctl(self.descriptor, abi.S_PARM, request)
        except OSError:  # many drivers have a fixed rate and no such call
            return 0.0
        return _rate(period.numerator, period.denominator)

    def control_range(self, number: int) -> tuple[int, int] | None:
        """Least and greatest value of a control, None where the device has none that can be set."""
        query = abi.QueryCtrl(id=number)
        try:
            self._kernel.ioctl(self.descriptor, abi.QUERYCTRL, query)
        except OSError:
            return None
        locked = query.flags & (abi.CTRL_FLAG_DISABLED | abi.CTRL_FLAG_READ_ONLY)
        return None if locked else (query.minimum, query.maximum)

    def control(self, number: int) -> int:
        return int(self._call("read a control of", abi.G_CTRL, abi.Control(id=number)).value)

    def set_control(self, number: int, value: int) -> None:
        self._call("set a control of", abi.S_CTRL, abi.Control(id=number, value=value))

    def start(self) -> None:
        """Map the buffers and let frames come."""
        request = abi.RequestBuffers(count=BUFFERS, type=abi.BUF_TYPE_VIDEO_CAPTURE, memory=abi.MEMORY_MMAP)
        self._call("get buffers of", abi.REQBUFS, request)
        for index in range(request.count):
            buffer = self._call("get buffers of", abi.QUERYBUF, self._buffer(index))
            self._maps.append(self._map(buffer))
            self._call("queue a buffer of", abi.QBUF, self._buffer(index))
        self._call("start", abi.STREAMON, c_int(abi.BUF_TYPE_VIDEO_CAPTURE))

    def _map(self, buffer: abi.Buffer) -> mmap.mmap:
        try:
            return self._kernel.map(self.descriptor, buffer.length, buffer.m.offset)
        except OSError as error:
            raise explain(self.path, "map the buffers of", error) from None

    def take(self) -> RawFrame | None:
        """The oldest frame that has arrived, None where there is none; to be given back."""
        buffer = self._buffer(0)
        try:
            self._kernel.ioctl(self.descriptor, abi.DQBUF, buffer)
        except BlockingIOError:
            return None
        except OSError as error:
            raise explain(self.path, "get a frame of", error) from None
        stamp = buffer.timestamp
        self._lent[buffer.index] = memoryview(self._maps[buffer.index])[: buffer.bytesused]
        return RawFrame(
            buffer.index,
            self._lent[buffer.index],
            stamp.tv_sec * 1_000_000_000 + stamp.tv_usec * 1000,
            buffer.sequence,
            bool(buffer.flags & abi.BUF_FLAG_ERROR),
        )

    def give_back(self, frame: RawFrame) -> None:
        """Let the driver use the buffer again."""
        self._lent.pop(frame.index).release()
        self._call("queue a buffer of", abi.QBUF, self._buffer(frame.index))

    def close(self) -> None:
        """Stop and free everything; never fails, and may be called twice.

        Frames that were not given back end too: a mapping that stays keeps the device busy, even for ourselves.
        """
        if self.descriptor < 0:
            return
        with suppress(OSError):
            self._kernel.ioctl(self.descriptor, abi.STREAMOFF, c_int(abi.BUF_TYPE_VIDEO_CAPTURE))
        for view in self._lent.values():
            view.release()
        self._lent.clear()
        for mapping in self._maps:
            mapping.close()
        self._maps.clear()
        with suppress(OSError):
            self._kernel.close(self.descriptor)
        self.descriptor = -1

    def _buffer(self, index: int) -> abi.Buffer:
        return abi.Buffer(index=index, type=abi.BUF_TYPE_VIDEO_CAPTURE, memory=abi.MEMORY_MMAP)

    def _call(self, action: str, request: int, argument: Item | c_int) -> Item:
        try:
            self._kernel.ioctl(self.descriptor, request, argument)
        except OSError as error:
            raise explain(self.path, action, error) from None
        return argument  # type: ignore[return-value]

    def _enumerate(self, request: int, blank: Callable[[int], Item]) -> Iterator[Item]:
        """What the driver lists, until it says that there is no more."""
        for index in range(1000):
            item = blank(index)
            try:
                self._kernel.ioctl(self.descriptor, request, item)
            except OSError:
                return
            yield item


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _rate(numerator: int, denominator: int) -> float:
    return round(denominator / numerator, 3) if numerator else 0.0
