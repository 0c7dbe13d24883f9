"""The guide takes what helps, refuses the rest with its reason, and knows what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import cv2
import numpy as np
import pytest

from roma_device.app.cameras.simulated import SimulatedCamera
from roma_device.calibration.arrays import GreyImage
from roma_device.calibration.boards import parse_board
from roma_device.calibration.guided.guide import CaptureGuide
from roma_device.runtime.grey import grey

BOARD = parse_board("chessboard:9x6:30mm")
SIZE = (640, 400)
Pair = tuple[GreyImage, GreyImage]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """Some stations of a tour past the board."""

    def take() -> Iterator[Pair]:
        with SimulatedCamera.from_spec("board?fps=2") as camera:
            for frame in islice(camera.frames(), 5):
                yield grey(frame.left.image), grey(frame.right.image)

    return list(take())


def test_a_board_that_is_held_still_is_taken_and_not_twice(pairs: list[Pair]) -> None:
    guide = CaptureGuide(BOARD, SIZE, 20)
    assert "still" in guide.judge("", *pairs[0]).reason
    second = guide.judge("", *pairs[0])
    assert second.accepted
    assert second.view is not None
    guide.add(second.view)
    assert "too much like" in guide.judge("", *pairs[0]).reason
    assert "moves" in guide.judge("", *pairs[1]).reason
    assert guide.judge("", *pairs[1]).accepted
    guide.undo()
    assert guide.views == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda left, right: (left * 0, right), "left image is black"),
        (lambda left, right: (left, left), "same picture"),
        (lambda left, right: (left, np.full_like(right, 128)), "one grey area"),
        (lambda left, right: (cv2.resize(left[200:, 400:], (640, 400)), right), "in the left image"),
    ],
)
def test_pictures_that_show_nothing_are_refused(pairs: list[Pair], change, words: str) -> None:  # type: ignore[no-untyped-def]
    guide = CaptureGuide(BOARD, SIZE, 20)
    changed = change(*pairs[0])
    guide.judge("", *changed)
    assert words in guide.judge("", *changed).reason


def test_blur_and_cameras_out_of_step_are_refused(pairs: list[Pair]) -> None:
    guide = CaptureGuide(BOARD, SIZE, 20)
    blurred = cv2.GaussianBlur(pairs[3][0], (0, 0), 3.2), pairs[3][1]
    guide.judge("", *blurred)
    reason = guide.judge("", *blurred).reason
    assert "blurred" in reason or "no chessboard" in reason
    assert "12.0 ms apart" in guide.judge("", *pairs[3], skew_ns=12e6).reason


def test_the_advice_names_what_is_missing_until_all_is_there(pairs: list[Pair]) -> None:
    guide = CaptureGuide(BOARD, SIZE, 3)
    assert not guide.is_complete
    assert "image" in guide.advice()
    for pair in pairs:
        guide.judge("", *pair)
        view = guide.judge("", *pair).view
        assert view is not None
        guide.add(view)
    assert sum(map(sum, guide.grid(0).tolist())) > 0
    assert guide.is_complete  # 5 views are 1.5 times the 3 that were wanted
