"""Decoders of V4L2 pixel formats (YUV, 8 to 16 bit grey, Bayer, interleaved eyes, JPEG) to grey or BGR images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from roma_device.calibration.arrays import Image

from .device import Mode

Bytes = memoryview
Decoder = Callable[[Bytes, Mode], Image | None]
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"


def decode_raw(data: Bytes, mode: Mode) -> Image | None:
    """(H, W) grey or (H, W, 3) BGR in memory of its own; None where the frame is not whole.

    Formats of INTERLEAVED give (H, 2 W), left beside right.
    """
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


def _deep(bits: int) -> Decoder:
    """Grey of ``bits`` in 16, the least significant byte first; the upper eight bits are kept."""

    def decode(data: Bytes, mode: Mode) -> Image | None:
        rows = _rows(data, mode, mode.size[1], 2 * mode.size[0])
        if rows is None:
            return None
        upper = np.ascontiguousarray(rows).view("<u2") >> (bits - 8)
        return np.asarray(np.minimum(upper, 255), np.uint8)

    return decode


def _mipi(pixels: int) -> Decoder:
    """Grey packed as MIPI sends it: the upper bytes of ``pixels``, then one byte with what they lack."""

    def decode(data: Bytes, mode: Mode) -> Image | None:
        width, height = mode.size
        groups = -(-width // pixels)
        rows = _rows(data, mode, height, groups * (pixels + 1))
        if rows is None:
            return None
        upper = rows.reshape(height, groups, pixels + 1)[..., :pixels]
        return np.ascontiguousarray(upper.reshape(height, groups * pixels)[:, :width])

    return decode


def _two_eyes_8(data: Bytes, mode: Mode) -> Image | None:
    """Y8I: the left image's pixel, then the right one's."""
    rows = _rows(data, mode, mode.size[1], 2 * mode.size[0])
    return None if rows is None else np.hstack([rows[:, ::2], rows[:, 1::2]])


def _two_eyes_12(data: Bytes, mode: Mode) -> Image | None:
    """Y12I: of 24 bits the left image has the lower twelve."""
    rows = _rows(data, mode, mode.size[1], 3 * mode.size[0])
    if rows is None:
        return None
    left = rows[:, ::3] >> 4 | rows[:, 1::3] << 4
    return np.hstack([left, rows[:, 2::3]])


def _packed(code: int, swaps: bool = False) -> Decoder:
    """YUV 4:2:2 with two bytes per pixel; ``swaps``: chroma comes first, which OpenCV does not know of VYUY."""

    def decode(data: Bytes, mode: Mode) -> Image | None:
        width, height = mode.size
        rows = _rows(data, mode, height, 2 * width)
        if rows is None:
            return None
        pixels = rows.reshape(height, width, 2)
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels[..., ::-1]) if swaps else pixels, code), np.uint8)

    return decode


def _half_chroma(code: int) -> Decoder:
    """YUV 4:2:0 in planes. Chroma rows are as wide as the stride, or half of it: it is cropped at the end."""

    def decode(data: Bytes, mode: Mode) -> Image | None:
        width, height = mode.size
        rows = _rows(data, mode, height * 3 // 2, max(mode.stride, width))
        return None if rows is None else np.ascontiguousarray(cv2.cvtColor(rows, code)[:, :width], np.uint8)

    return decode


def _bayer(code: int) -> Decoder:
    def decode(data: Bytes, mode: Mode) -> Image | None:
        rows = _rows(data, mode, mode.size[1], mode.size[0])
        return None if rows is None else np.asarray(cv2.cvtColor(rows, code), np.uint8)

    return decode


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


DECODERS: Mapping[str, Decoder] = {
    "YUYV": _packed(cv2.COLOR_YUV2BGR_YUY2),
    "UYVY": _packed(cv2.COLOR_YUV2BGR_UYVY),
    "YVYU": _packed(cv2.COLOR_YUV2BGR_YVYU),
    "VYUY": _packed(cv2.COLOR_YUV2BGR_YVYU, swaps=True),
    "NV12": _half_chroma(cv2.COLOR_YUV2BGR_NV12),
    "NV21": _half_chroma(cv2.COLOR_YUV2BGR_NV21),
    "YU12": _half_chroma(cv2.COLOR_YUV2BGR_I420),
    "YV12": _half_chroma(cv2.COLOR_YUV2BGR_YV12),
    "GREY": _grey,
    "Y10": _deep(10),
    "Y12": _deep(12),
    "Y14": _deep(14),
    "Y16": _deep(16),
    "Y10P": _mipi(4),
    "Y12P": _mipi(2),
    "Y8I": _two_eyes_8,
    "Y12I": _two_eyes_12,
    "RGGB": _bayer(cv2.COLOR_BayerRGGB2BGR),
    "GRBG": _bayer(cv2.COLOR_BayerGRBG2BGR),
    "GBRG": _bayer(cv2.COLOR_BayerGBRG2BGR),
    "BA81": _bayer(cv2.COLOR_BayerBGGR2BGR),
    "MJPG": _jpeg,
}
"""fourcc -> decoder, in the order in which they are preferred: MJPG costs most and is lossy."""

INTERLEAVED = frozenset({"Y8I", "Y12I"})
"""One device, two eyes, the size is that of one: of two devices each would bring both."""
