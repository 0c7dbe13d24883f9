"""Stereo pairing of image files: never the frame of one side with another frame of the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from loguru import logger

from roma_device.app.cameras import CameraError
from roma_device.app.cameras.file_pairs import find_pairs
from roma_device.app.cameras.images import ImagesCamera
from roma_device.app.cameras.pair_times import stamp_ns


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names_of(pairs: list[tuple[Path, Path]]) -> list[tuple[str, str]]:
    return [(left.name, right.name) for left, right in pairs]


@contextmanager
def warned() -> Iterator[list[str]]:
    said: list[str] = []
    handler = logger.add(said.append, level="WARNING", format="{message}")
    try:
        yield said
    finally:
        logger.remove(handler)


@pytest.mark.parametrize("name", ["{:06d}_10.png", "frame_{:04d}_640x480.png", "{:03d}-crop1.png", "a{:d}_v2.jpg"])
def test_frames_missing_on_either_side_are_named_and_never_shift_the_others(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "image_2", *(name.format(n) for n in (0, 1, 2)))
    touch(tmp_path / "image_3", *(name.format(n) for n in (0, 2, 3)))
    for argument in (f"{tmp_path}/image_2,{tmp_path}/image_3", str(tmp_path)):
        with warned() as said:
            pairs = find_pairs(argument)
        assert names_of(pairs) == [(name.format(n), name.format(n)) for n in (0, 2)]
        assert name.format(1) in said[0]
        assert name.format(3) in said[0]


MARKS = [
    ("left/{}", "right/{}"),
    ("Left/{}", "Right/{}"),
    ("image_2/{}", "image_3/{}"),
    ("image_0/{}", "image_1/{}"),
    ("image_02/data/{}", "image_03/data/{}"),
    ("cam0/{}", "cam1/{}"),
    ("mav0/cam0/data/{}", "mav0/cam1/data/{}"),
    ("image_left/{}_left", "image_right/{}_right"),
    ("L_{}", "R_{}"),
    ("{}_L", "{}_R"),
    ("{}-left", "{}-right"),
    ("left{}", "right{}"),
    ("Left_{}", "Right_{}"),
    ("frame_{}_cam0", "frame_{}_cam1"),
    ("cam1_{}", "cam2_{}"),
    ("I1_{}", "I2_{}"),
    ("infra1_{}", "infra2_{}"),
    ("imgLeft_{}", "imgRight_{}"),
    ("imgL_{}", "imgR_{}"),
    ("imgL/{}", "imgR/{}"),
    ("{}_aloeL", "{}_aloeR"),
]
NUMBERS = ["{:06d}", "{:d}_10", "a_{:03d}_640x480", "run2_{:d}_0"]


@settings(max_examples=150, deadline=None)
@given(
    marks=st.sampled_from(MARKS),
    number=st.sampled_from(NUMBERS),
    frames=st.sets(st.integers(0, 300), min_size=6, max_size=20),
    data=st.data(),
)
def test_a_pair_is_always_of_one_frame(
    marks: tuple[str, str], number: str, frames: set[int], data: st.DataObject
) -> None:
    lost = [data.draw(st.sets(st.sampled_from(sorted(frames)), max_size=1)) for _ in marks]
    kept = [sorted(frames - gone) for gone in lost]
    with TemporaryDirectory() as folder:
        for mark, side in zip(marks, kept, strict=True):
            touch(Path(folder), *(mark.format(number.format(n)) + ".png" for n in side))
        expected = [
            tuple(str(Path(folder) / (mark.format(number.format(n)) + ".png")) for mark in marks)
            for n in sorted(set(kept[0]) & set(kept[1]))
        ]
        with warned() as said:
            found = [(str(left), str(right)) for left, right in find_pairs(folder)]
        assert sorted(found) == sorted(expected)
        assert bool(said) == (kept[0] != kept[1])


@settings(max_examples=60, deadline=None)
@given(
    unit=st.sampled_from([1, 10**3, 10**6]),
    start_ns=st.sampled_from([1403636579763555584, 1700000000123456000, 5_000_000_000_000_000]),
    skews=st.lists(st.integers(-4, 4), min_size=6, max_size=12),
    data=st.data(),
)
def test_names_that_are_times_are_paired_by_the_nearest(
    unit: int, start_ns: int, skews: list[int], data: st.DataObject
) -> None:
    times = [(start_ns + n * 33_000_000, start_ns + n * 33_000_000 + skew * 10**6) for n, skew in enumerate(skews)]
    assume(start_ns // unit >= 10**11)
    gone = data.draw(st.integers(0, len(times) - 1))
    side = data.draw(st.integers(0, 1))
    with TemporaryDirectory() as folder:
        for n, pair in enumerate(times):
            for number, time in enumerate(pair):
                if (n, number) != (gone, side):
                    touch(Path(folder) / f"cam{number}" / "data", f"{time // unit}.png")
        pairs = find_pairs(folder)
    expected = [tuple(f"{time // unit}.png" for time in pair) for n, pair in enumerate(times) if n != gone]
    assert names_of(pairs) == expected


def test_times_tell_the_skew_and_the_tolerance_can_be_given(tmp_path: Path) -> None:
    for side, skew in (("left", 0), ("right", 12_000_000)):
        (tmp_path / side).mkdir()
        for n in range(3):
            name = f"{1403636579763555584 + n * 50_000_000 + skew}.png"
            cv2.imwrite(str(tmp_path / side / name), np.zeros((4, 6), np.uint8))
    with pytest.raises(CameraError, match=r"within 10 ms.*max_skew_ms"):
        find_pairs(str(tmp_path))
    frames = list(ImagesCamera.from_spec(f"{tmp_path}?max_skew_ms=15").frames())
    assert [frame.skew_ns for frame in frames] == [12_000_000] * 3
    assert frames[1].left.timestamp_ns == 1403636579813555584
    with pytest.raises(CameraError, match="max_skew_ms=x"):
        ImagesCamera.from_spec(f"{tmp_path}?max_skew_ms=x")


@pytest.mark.parametrize(
    ("stem", "time_ns"),
    [
        ("1403636579763555584", 1403636579763555584),
        ("frame_1403636579763555", 1403636579763555000),
        ("1403636579.763555", 1403636579763555000),
        ("1403636579_763555584", 1403636579763555584),
        ("20240102_030405_678", 1704164645678000000),
        ("12.345678", 12345678000),
        ("20240102030405", None),
        ("000000000123", None),
        ("000001_10", None),
        ("frame_0001_640x480", None),
    ],
)
def test_a_time_is_told_from_a_number(stem: str, time_ns: int | None) -> None:
    assert stamp_ns(stem) == time_ns


def test_data_csv_of_euroc_tells_the_times_of_names_that_do_not(tmp_path: Path) -> None:
    for side, first in ((0, 5), (1, 6)):
        touch(tmp_path / f"mav0/cam{side}/data", *(f"{n}.png" for n in range(first, first + 4)))
        rows = [f"{1403636579763555584 + n * 50_000_000},{first + n}.png" for n in range(4)]
        (tmp_path / f"mav0/cam{side}/data.csv").write_text("\ufeff#timestamp [ns],filename\r\n" + "\r\n".join(rows))
    assert names_of(find_pairs(str(tmp_path))) == [(f"{n}.png", f"{n + 1}.png") for n in range(5, 9)]


def test_middlebury_scenes_in_a_folder_are_pairs_each(tmp_path: Path) -> None:
    for scene in ("Adirondack", "Jadeplant"):
        touch(tmp_path / scene, "im0.png", "im1.png", "disp0.pfm", "mask0nocc.png")
    assert [left.parent.name for left, _ in find_pairs(str(tmp_path))] == ["Adirondack", "Jadeplant"]
    touch(tmp_path / "old", *(f"im{n}.png" for n in range(9)))
    assert names_of(find_pairs(str(tmp_path / "old"))) == [("im2.png", "im6.png")]


def test_names_without_anything_in_common_are_paired_by_order_with_a_warning(tmp_path: Path) -> None:
    touch(tmp_path, "l/apple.png", "l/pear.png", "r/oak.png", "r/rose.png")
    with warned() as said:
        pairs = find_pairs(f"{tmp_path}/l,{tmp_path}/r")
    assert names_of(pairs) == [("apple.png", "oak.png"), ("pear.png", "rose.png")]
    assert "by order" in said[0]


@pytest.mark.parametrize(("left", "right"), [("c1_{:04d}", "c2_{:04d}"), ("front_{:d}", "back_{:d}")])
def test_other_words_are_paired_by_their_numbers(tmp_path: Path, left: str, right: str) -> None:
    touch(tmp_path / "a", *(left.format(n) + ".png" for n in range(5)))
    touch(tmp_path / "b", *(right.format(n) + ".png" for n in range(1, 6)))
    pairs = find_pairs(f"{tmp_path}/a,{tmp_path}/b")
    assert names_of(pairs) == [(left.format(n) + ".png", right.format(n) + ".png") for n in range(1, 5)]


def test_scenes_of_patterns_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for scene, numbers in (("a", (1, 2)), ("b", (1,))):
        touch(tmp_path / scene, *(f"{side}/{n}.png" for side in ("left", "right") for n in numbers))
    (tmp_path / "b" / "left" / "2.png").touch()
    pairs = find_pairs(f"{tmp_path}/*/left/*.png,{tmp_path}/*/right/*.png")
    assert [(left.parts[-3], left.name) for left, _ in pairs] == [("a", "1.png"), ("a", "2.png"), ("b", "1.png")]
    assert all(left.parts[-3] == right.parts[-3] for left, right in pairs)
