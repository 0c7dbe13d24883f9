"""Decoders of raw pixel formats (YUYV, UYVY, NV12, GREY, MJPG) to grey or BGR images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from roma_device.calibration.arrays import Image

from .device import Mode

Bytes = memoryview
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"


def decode_raw(data: Bytes, mode: Mode) -> Image | None:
    """(H, W) grey or (H, W, 3) BGR in memory of its own; None where the frame is not whole."""
    return DECODERS[mode.format](data, mode)


def _rows(data: Bytes, mode: Mode, rows: int, row_bytes: int) -> Image | None:
    """(rows, row_bytes) without the padding that a driver may put behind each row."""
    stride = max(mode.stride, row_bytes)
    if len(data) < stride * (rows - 1) + row_bytes:
        return None
    whole = np.frombuffer(data, np.uint8, min(len(data), stride * rows))
    if len(whole) < stride * rows:  # the last row may come without its padding
        whole = np.concatenate([whole, np.zeros(stride * rows - len(whole), np.uint8)])
    return whole.reshape(rows, stride)[:, :row_bytes]


def _grey(data: Bytes, mode: Mode) -> Image | None:
    rows = _rows(data, mode, mode.size[1], mode.size[0])
    return None if rows is None else rows.copy()


def _packed(code: int) -> Callable[[Bytes, Mode], Image | None]:
    """YUV 4:2:2 with two bytes per pixel."""

    def decode(data: Bytes, mode: Mode) -> Image | None:
        width, height = mode.size
        rows = _rows(data, mode, height, 2 * width)
        return None if rows is None else np.asarray(cv2.cvtColor(rows.reshape(height, width, 2), code), np.uint8)

    return decode


def _nv12(data: Bytes, mode: Mode) -> Image | None:
    width, height = mode.size
    rows = _rows(data, mode, height * 3 // 2, width)
    return None if rows is None else np.asarray(cv2.cvtColor(rows, cv2.COLOR_YUV2BGR_NV12), np.uint8)


def _jpeg(data: Bytes, mode: Mode) -> Image | None:
    """Decoders fill what is missing with grey, so the end of the file has to be there."""
    whole = bytes(data).rstrip(b"\0")
    if not (whole.startswith(JPEG_START) and whole.endswith(JPEG_END)):
        return None
    try:
        image = cv2.imdecode(np.frombuffer(whole, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None or image.shape[1::-1] != mode.size else np.asarray(image, np.uint8)


DECODERS: Mapping[str, Callable[[Bytes, Mode], Image | None]] = {
    "YUYV": _packed(cv2.COLOR_YUV2BGR_YUY2),
    "UYVY": _packed(cv2.COLOR_YUV2BGR_UYVY),
    "NV12": _nv12,
    "GREY": _grey,
    "MJPG": _jpeg,
}
"""fourcc -> decoder, in the order in which they are preferred: MJPG costs most and is lossy."""
