"""Every board is found where it was drawn, and told from others."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from roma_device.calibration.boards import Board, parse_board

PIXELS_PER_M = 4000
PLANE = np.array([[0.4, 0.03, 60], [-0.02, 0.39, 50], [1e-5, 6e-5, 1]])
SPECS = [
    "chessboard:9x6:25mm",
    "chessboard:7x5:25mm",
    "charuco:8x6:30mm:22mm",
    "charuco:7x5:30mm:22mm:4x4_50",
    "charuco:8x6:30mm:22mm:6x6_250:legacy",
    "aprilgrid:6x5:30mm:0.3",
    "aprilgrid:5x4:36mm:0.3:border1",
    "circles:4x11:14mm",
    "squares:4x3:30mm:25mm",
    "squares:5x7:14mm:9mm",
]


def picture_of(board: Board) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """The board in perspective, a little blurred, and where its corners are: drawn four times too large, averaged."""
    art = board.artwork()
    size = [round(length * PIXELS_PER_M) for length in art.size_m]
    sheet = (art.picture((size[0], size[1])) * 255).astype(np.uint8)
    enlarge = np.array([[4, 0, 1.5], [0, 4, 1.5], [0, 0, 1.0]])
    large = cv2.warpPerspective(sheet, enlarge @ PLANE, (3200, 2800), flags=cv2.INTER_LINEAR, borderValue=255)
    image = cv2.GaussianBlur(cv2.resize(large, (800, 700), interpolation=cv2.INTER_AREA), (0, 0), 0.7)
    scale = np.array(size) / art.size_m
    corners = (board.points_m[:, :2] + art.origin_m) * scale - 0.5
    return image, cv2.perspectiveTransform(corners.reshape(-1, 1, 2), PLANE).reshape(-1, 2)


@pytest.mark.parametrize("spec", SPECS)
def test_a_board_is_found_to_a_fraction_of_a_pixel(spec: str) -> None:
    board = parse_board(spec)
    image, truth = picture_of(board)
    detection = board.detect(image)
    assert detection is not None
    assert len(detection.ids) > 0.9 * len(board.points_m)
    error = np.linalg.norm(detection.pixels - truth[detection.ids], axis=1)
    assert np.sqrt((error**2).mean()) < 0.12
    assert error.max() < 0.5


@pytest.mark.parametrize(
    "spec", [spec for spec in SPECS if not parse_board(spec).is_symmetric and "circles" not in spec]
)
def test_upside_down_every_corner_keeps_its_number(spec: str) -> None:
    board = parse_board(spec)
    image, truth = picture_of(board)
    detection = board.detect(np.ascontiguousarray(image[::-1, ::-1]))
    assert detection is not None
    turned = np.array(image.shape[::-1]) - 1 - truth
    assert np.linalg.norm(detection.pixels - turned[detection.ids], axis=1).max() < 0.5


def test_the_layout_of_a_charuco_board_is_found_out() -> None:
    image, _ = picture_of(parse_board("charuco:8x6:30mm:22mm:5x5_1000:legacy"))
    detection = parse_board("charuco:8x6:30mm:22mm").detect(image)
    assert detection is not None
    assert "legacy" in detection.note
    assert len(detection.ids) == 35


@pytest.mark.parametrize(
    ("shown", "stated", "words"),
    [
        ("chessboard:9x6:25mm", "chessboard:8x5:25mm", "9x6 inner corners"),
        ("charuco:8x6:30mm:22mm:4x4_50", "charuco:8x6:30mm:22mm:5x5_1000", "dictionary 4x4_1000"),
        ("aprilgrid:6x5:30mm:0.3", "aprilgrid:6x5:30mm:0.3:border1", "border of 2 cells"),
        ("aprilgrid:5x4:36mm:0.3:border1", "aprilgrid:5x4:36mm:0.3", "border of 1 cells"),
        ("aprilgrid:6x5:30mm:0.3", "aprilgrid:6x5:30mm:0.5", "times as large"),
        ("squares:4x3:30mm:25mm", "squares:5x7:30mm:25mm", "4x3 black squares"),
        ("squares:4x3:30mm:25mm", "squares:3x2:30mm:25mm", "4x3 black squares"),
        ("squares:4x3:30mm:25mm", "squares:4x3:30mm:30mm", "0.83 times their side, stated is 1.00"),
        ("squares:4x3:30mm:30mm", "squares:4x3:30mm:10mm", "1.00 times their side, stated is 0.33"),
    ],
)
def test_another_board_is_not_taken_and_named(shown: str, stated: str, words: str) -> None:
    image, _ = picture_of(parse_board(shown))
    board = parse_board(stated)
    assert board.detect(image) is None
    assert words in board.diagnose(image)


@pytest.mark.parametrize("spec", ["charuco:8x6:30mm:22mm", "aprilgrid:6x5:30mm:0.3"])
def test_a_mirrored_image_is_recognized(spec: str) -> None:
    board = parse_board(spec)
    mirrored = np.ascontiguousarray(picture_of(board)[0][:, ::-1])
    assert board.detect(mirrored) is None
    assert "mirrored" in board.diagnose(mirrored)


@pytest.mark.parametrize("spec", SPECS)
def test_nothing_is_found_where_nothing_is(spec: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (240, 320)).astype(np.uint8)
    assert parse_board(spec).detect(cv2.GaussianBlur(noise, (0, 0), 3)) is None


def test_a_part_of_a_charuco_board_is_enough() -> None:
    board = parse_board("charuco:8x6:30mm:22mm")
    image, truth = picture_of(board)
    image[:, 330:] = 128
    detection = board.detect(image)
    assert detection is not None
    assert 8 <= len(detection.ids) < 30
    assert np.linalg.norm(detection.pixels - truth[detection.ids], axis=1).max() < 0.5


@pytest.mark.parametrize("spec", ["squares:4x3:30mm:25mm", "squares:5x7:14mm:9mm"])
def test_squares_may_be_turned_hidden_or_beside_other_dark_things(spec: str) -> None:
    board = parse_board(spec)
    image, truth = picture_of(board)
    below = len(np.unique(board.points_m[:, 0]))
    (left, top), (right, bottom) = truth[0].astype(int) - 5, truth[below + 1].astype(int)
    image[top:bottom, left:right] = 240  # the first square
    cv2.rectangle(image, (720, 600), (770, 650), 20, -1)
    for turns in range(4):
        detection = board.detect(np.ascontiguousarray(np.rot90(image, turns)))
        assert detection is not None
        assert len(detection.ids) == len(board.points_m) - 4
        there = _turned(truth, image.shape, turns)
        ends = (detection.ids, len(board.points_m) - 1 - detection.ids)  # upside down it looks the same
        assert min(np.linalg.norm(detection.pixels - there[ids], axis=1).max() for ids in ends) < 0.5


def _turned(pixels: npt.NDArray[np.float64], shape: tuple[int, ...], turns: int) -> npt.NDArray[np.float64]:
    """Where pixels (N, 2) of an image of ``shape`` are after np.rot90."""
    height, width = shape
    for _ in range(turns):
        pixels = np.column_stack([pixels[:, 1], width - 1 - pixels[:, 0]])
        width, height = height, width
    return pixels


def test_squares_are_found_through_a_lens_that_bends_them() -> None:
    """As long sides show it: where lines are taken for straight, corners are off by pixels."""
    board = parse_board("squares:4x3:30mm:25mm")
    image, truth = picture_of(board)
    matrix, lens = np.array([[700.0, 0, 400], [0, 700, 350], [0, 0, 1]]), np.array([-0.3, 0.08, 0, 0])
    rays = np.dstack(np.meshgrid(*(np.arange(length, dtype=np.float64) for length in image.shape[::-1])))
    source = cv2.undistortPoints(rays.reshape(-1, 1, 2), matrix, lens, P=matrix).reshape(rays.shape).astype(np.float32)
    bent = cv2.remap(image, source, None, cv2.INTER_LINEAR, borderValue=255)
    flat = np.column_stack([(truth - [400, 350]) / 700, np.ones(len(truth))])
    expected = cv2.projectPoints(flat, np.zeros(3), np.zeros(3), matrix, lens)[0].reshape(-1, 2)
    detection = board.detect(bent)
    assert detection is not None and len(detection.ids) == len(board.points_m)
    error = np.linalg.norm(detection.pixels - expected[detection.ids], axis=1)
    assert np.sqrt((error**2).mean()) < 0.12
