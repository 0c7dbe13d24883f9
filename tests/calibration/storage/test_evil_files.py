"""Files made to hurt: pipes, devices, bombs and lies; each costs one sentence, little time and little memory."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.app.cameras import CameraError
from roma_device.app.cameras.images import read_image
from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.storage.files import read_bytes, read_text
from roma_device.calibration.storage.image_file import image_size
from roma_device.calibration.storage.strict_yaml import MOST_CHARACTERS, YamlError, compose


def png_bomb(width: int, height: int) -> bytes:
    """A picture of nothing but zeros, packed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, rows = zlib.compressobj(9), bytearray()
    for _ in range(height):
        rows += packer.compress(bytes(width + 1))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", bytes(rows + packer.flush())) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(30_000, 300), (4, 20_000), (16_384, 16_384)])
def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    bomb = (
        png_bomb(*size)
        if size[1] < 16_384
        else png_bomb(16_384, 4).replace(struct.pack(">II", 16_384, 4), struct.pack(">II", *size))
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CameraError, match=f"bomb.png is {size[0]}x{size[1]}: images may have") as caught:
        read_image(tmp_path / "bomb.png")
    assert caught.value.exit_code == os.EX_DATAERR
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB


@pytest.mark.parametrize(("suffix", "shape"), [(".pgm", (48, 64)), (".ppm", (48, 64, 3))])
def test_a_torn_picture_is_refused_without_words_of_opencv(
    suffix: str, shape: tuple[int, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytes(cv2.imencode(suffix, np.full(shape, 90, np.uint8))[1])
    path = tmp_path / f"torn{suffix}"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CameraError, match="not an image, or it is damaged"):
        read_image(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp", ".pgm", ".ppm", ".pbm"])
@pytest.mark.parametrize("shape", [(7, 19), (7, 19, 3), (300, 5)])
def test_sizes_by_the_header_are_those_of_the_picture(suffix: str, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    if len(shape) == 3 and suffix in (".pgm", ".pbm"):
        image = image[..., 0]
    if len(shape) == 2 and suffix == ".ppm":
        image = np.dstack([image] * 3)
    done, data = cv2.imencode(suffix, image)
    assert done and image_size(data.tobytes()) == Size(shape[1], shape[0])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([".png", ".jpg", ".bmp", ".tif", ".webp", ".pgm"]), st.integers(0, 60), st.binary(max_size=9))
def test_spoiled_headers_give_a_size_or_none(suffix: str, place: int, new: bytes) -> None:
    data = cv2.imencode(suffix, np.zeros((9, 8), np.uint8))[1].tobytes()
    size = image_size(data[:place] + new + data[place + len(new) :])
    assert size is None or all(isinstance(side, int) for side in size)
    image_size(data[:place])


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/dev/null"])
def test_pipes_and_devices_are_no_files(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / name
    for read in (read_image, load_calibration, read_bytes):
        with pytest.raises((CameraError, CalibrationError), match="it is a pipe or a device"):
            read(path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(1 << 40)  # of holes
    with pytest.raises(CalibrationError, match="more than the 8 MiB that such a file may have"):
        read_text(tmp_path / "large.txt")


BOMBS = {
    "aliases": "a: &a [1,1,1,1,1,1,1,1,1]\n"
    + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefghijklmnopqrst", "bcdefghijklmnopqrstu", strict=True)
    ),
    "merges": "a: &a {x: 1}\n" + "".join(f"k{n}: {{<<: [{', '.join(['*a'] * 99)}]}}\n" for n in range(600)),
    "values": "[" + "1," * 60_000 + "]",
    "brackets": "[" * 10_000,
    "dashes": "- " * 10_000,
    "questions": "? " * 10_000,
    "length": "#" * (MOST_CHARACTERS + 1),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_yaml_that_would_take_for_ever_is_refused(kind: str) -> None:
    """In a process of its own, which may take 10 s of a processor."""
    program = """
        import resource, sys
        resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
        from roma_device.calibration.storage.strict_yaml import YamlError, compose
        try:
            compose(sys.stdin.read())
        except YamlError:
            sys.exit(7)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], input=BOMBS[kind].encode(), timeout=300, check=False
    )
    assert done.returncode == 7


def test_aliases_in_measure_are_fine() -> None:
    assert compose("a: &a [1, 2]\nb: *a\nc: *a\n") is not None
    with pytest.raises(YamlError, match="an alias stands inside what it names"):
        compose("a: &a [1, *a]\n")


def test_both_loaders_read_the_same() -> None:
    text = "a: {b: [1, 2.5, x]}\nc: !!str 1\n"
    long = text + "# " + "x" * (1 << 14) + "\n"
    assert repr_of(compose(text)) == repr_of(compose(long))


def repr_of(node: Any) -> object:
    if isinstance(node, tuple):
        return tuple(map(repr_of, node))
    return node.tag, node.value if isinstance(node.value, str) else [repr_of(each) for each in node.value]
