"""Each pixel format, packed by the kernel's description of it, gives the picture back."""

from __future__ import annotations

import os
from itertools import islice

import cv2
import numpy as np
import pytest

from roma_device.app.cameras import CameraError
from roma_device.app.cameras.v4l2.camera import V4l2Camera
from roma_device.app.cameras.v4l2.device import Mode
from roma_device.app.cameras.v4l2.pixel_formats import DECODERS, INTERLEAVED, decode_raw
from roma_device.app.cameras.v4l2.spec import V4l2Spec
from roma_device.calibration.arrays import Image, Size

from .fake_kernel import FakeCamera
from .test_v4l2 import Rig

WIDTH, HEIGHT = 64, 48
SIZE = Size(WIDTH, HEIGHT)
RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 1 << 16, (HEIGHT, WIDTH), np.uint16)
RIGHT = RNG.integers(0, 1 << 16, (HEIGHT, WIDTH), np.uint16)


def upper(image: np.ndarray[tuple[int, int], np.dtype[np.uint16]]) -> Image:
    return (image >> 8).astype(np.uint8)


def padded(rows: Image, padding: int) -> tuple[memoryview, int]:
    """Bytes and stride, with rubbish behind each row."""
    whole = np.full((rows.shape[0], rows.shape[1] + padding), 0xAB, np.uint8)
    whole[:, : rows.shape[1]] = rows
    return memoryview(whole.tobytes()), whole.shape[1]


def grey_rows(format: str) -> Image:
    """DEEP as the kernel's description of ``format`` lays it out."""
    if format == "GREY":
        return upper(DEEP)
    if format in ("Y10P", "Y12P"):
        bits, pixels = int(format[1:3]), {"Y10P": 4, "Y12P": 2}[format]
        values = (DEEP >> (16 - bits)).reshape(HEIGHT, -1, pixels)
        rest = values & ((1 << (bits - 8)) - 1)
        last = sum(rest[..., each] << (each * (bits - 8)) for each in range(pixels))
        return np.dstack([values >> (bits - 8), last]).astype(np.uint8).reshape(HEIGHT, -1)
    return (DEEP >> (16 - int(format[1:]))).astype("<u2").view(np.uint8)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("format", ["GREY", "Y10", "Y12", "Y14", "Y16", "Y10P", "Y12P"])
def test_grey_keeps_its_upper_eight_bits(format: str, padding: int) -> None:
    data, stride = padded(grey_rows(format), padding)
    image = decode_raw(data, Mode(format, SIZE, 30, stride, len(data)))
    np.testing.assert_array_equal(image, upper(DEEP))
    assert decode_raw(data[: len(data) // 2], Mode(format, SIZE, 30, stride, len(data))) is None


@pytest.mark.parametrize("format", sorted(INTERLEAVED))
def test_two_eyes_in_one_image_come_apart(format: str) -> None:
    if format == "Y8I":
        rows = np.dstack([upper(DEEP), upper(RIGHT)]).reshape(HEIGHT, -1)
    else:
        words = (DEEP >> 4).astype(np.uint32) | (RIGHT >> 4).astype(np.uint32) << 12
        rows = words.view(np.uint8).reshape(HEIGHT, WIDTH, 4)[..., :3].reshape(HEIGHT, -1)
    data, stride = padded(rows, 4)
    image = decode_raw(data, Mode(format, SIZE, 30, stride, len(data)))
    np.testing.assert_array_equal(image, np.hstack([upper(DEEP), upper(RIGHT)]))


@pytest.mark.parametrize("format", ["YUYV", "UYVY", "YVYU", "VYUY"])
def test_packed_yuv_has_its_colours_in_place(format: str) -> None:
    values = {"Y": 120, "U": 60, "V": 200}
    letters = {"YUYV": "YUYV", "UYVY": "UYVY", "YVYU": "YVYU", "VYUY": "VYUY"}[format]
    rows = np.tile(np.array([values[letter] for letter in letters], np.uint8), (HEIGHT, WIDTH // 2))
    assert_colour(format, rows, *values.values())


@pytest.mark.parametrize("format", ["NV12", "NV21", "YU12", "YV12"])
@pytest.mark.parametrize("padding", [0, 32])
def test_planar_yuv_has_its_colours_in_place(format: str, padding: int) -> None:
    y, u, v = 120, 60, 200
    stride = WIDTH + padding
    first, second = (u, v) if format in ("NV12", "YU12") else (v, u)
    chroma = [first, second] * (stride * HEIGHT // 4)
    if format in ("YU12", "YV12"):
        chroma = sorted(chroma, key=lambda value: value != first)
    data = memoryview(bytes([y]) * (stride * HEIGHT) + bytes(chroma))
    image = decode_raw(data, Mode(format, SIZE, 30, stride, len(data)))
    assert image is not None and image.shape == (HEIGHT, WIDTH, 3) and image.flags.c_contiguous
    assert (image == bgr(y, u, v)).all()


def bgr(y: int, u: int, v: int) -> Image:
    pixels = np.tile(np.array([y, u, y, v], np.uint8), (2, 1)).reshape(2, 2, 2)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_YUV2BGR_YUY2), np.uint8)[0, 0]


def assert_colour(format: str, rows: Image, y: int, u: int, v: int) -> None:
    data, stride = padded(rows, 8)
    image = decode_raw(data, Mode(format, SIZE, 30, stride, len(data)))
    assert image is not None and image.shape == (HEIGHT, WIDTH, 3)
    assert (image == bgr(y, u, v)).all()


@pytest.mark.parametrize(
    ("format", "letters"), [("RGGB", "RGGB"), ("GRBG", "GRBG"), ("GBRG", "GBRG"), ("BA81", "BGGR")]
)
def test_bayer_has_its_colours_in_place(format: str, letters: str) -> None:
    values = {"B": 20, "G": 90, "R": 230}
    tile = np.array([values[letter] for letter in letters], np.uint8).reshape(2, 2)
    data, stride = padded(np.tile(tile, (HEIGHT // 2, WIDTH // 2)), 2)
    image = decode_raw(data, Mode(format, SIZE, 30, stride, len(data)))
    assert image is not None and (image[2:-2, 2:-2] == (20, 90, 230)).all()


@pytest.mark.parametrize(
    "formats", [("Y10", "RG10"), ("Y12", "Y10"), ("Y16",), ("BA81", "GBRG"), ("YU12", "RGB3"), ("YVYU",)]
)
def test_two_cameras_of_these_formats_give_pairs(formats: tuple[str, ...]) -> None:
    with V4l2Camera(V4l2Spec.parse("/dev/video0,/dev/video1"), Rig(formats=formats)) as camera:
        (frame,) = islice(camera.frames(), 1)
    assert frame.size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("format", sorted(INTERLEAVED))
def test_one_device_with_two_eyes_gives_pairs_of_its_size(format: str) -> None:
    rig = Rig(formats=(format,))
    with V4l2Camera(V4l2Spec.parse("/dev/video0?size=64x48"), rig) as camera:
        (frame,) = islice(camera.frames(), 1)
    assert frame.size == (WIDTH, HEIGHT) and not np.array_equal(frame.left.image, frame.right.image)
    with pytest.raises(CameraError, match=f"{format} holds both images: name one device"):
        V4l2Camera(V4l2Spec.parse(f"/dev/video0,/dev/video1?format={format}"), rig)


def refusal(left: tuple[str, ...], right: tuple[str, ...], query: str = "") -> str:
    rig = Rig(formats=left)
    rig.right.formats = right
    with pytest.raises(CameraError) as caught:
        V4l2Camera(V4l2Spec.parse(f"/dev/video0,/dev/video1{query}"), rig)
    assert caught.value.exit_code == os.EX_USAGE
    return str(caught.value)


def test_a_refusal_says_whether_it_is_the_camera_or_the_two_together() -> None:
    alone = refusal(("RG10", "H264"), ("RG10", "H264"))
    assert "video0 (Fake camera) offers RG10, H264, but none of YUYV, " in alone and "in common" not in alone
    assert "Y8I" not in alone
    assert "video1 (Fake camera) offers GREY, but not YUYV" in refusal(("YUYV",), ("GREY",), "?format=YUYV")
    together = refusal(("YUYV", "RG10"), ("GREY", "RG10"))
    assert "offers YUYV, RG10 and /dev/video1 (Fake camera) offers GREY, RG10" in together
    assert together.endswith("in common with the other camera")


def test_every_format_is_one_that_the_kernel_names() -> None:
    assert all(len(name) <= 4 and name == name.strip() for name in DECODERS)
    assert list(DECODERS)[-1] == "MJPG"
    assert FakeCamera().frame_bytes == 0


def test_a_jpeg_is_decoded_where_it_is_whole_and_of_the_mode_s_size() -> None:
    """MJPG is what messages advise where a USB bus has no bandwidth."""
    picture = cv2.GaussianBlur(np.dstack([upper(DEEP)] * 3), (0, 0), 6)
    data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 95))[1].tobytes()
    decode, mode = DECODERS["MJPG"], Mode("MJPG", SIZE, 30.0)
    for padding in (0, 500):  # drivers give buffers of the largest size
        found = decode(memoryview(data + bytes(padding)), mode)
        assert found is not None and np.abs(found.astype(int) - picture).mean() < 2
    for broken in (data[:-2], data[: len(data) // 2], data[2:], b"", bytes(99)):
        assert decode(memoryview(broken), mode) is None
    assert decode(memoryview(data), Mode("MJPG", Size(WIDTH, HEIGHT + 8), 30.0)) is None
