"""Canvases that hold both images, and the choice among hypotheses of roll and scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_device.calibration.arrays import Size
from roma_device.runtime.matching.alignment import Alignment, apply
from roma_device.runtime.matching.hypotheses import Aligned, best_aligned
from roma_device.runtime.types import Matches

SIZE_A, SIZE_B = Size(160, 120), Size(140, 150)
SIZES = st.builds(Size, st.integers(32, 400), st.integers(32, 400))


def corners(size: Size) -> np.ndarray:
    return np.array([(x, y) for x in (-0.5, size.width - 0.5) for y in (-0.5, size.height - 0.5)])


def canvas_from(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.asarray((points - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T)


@given(SIZES, SIZES, st.floats(-360, 360), st.floats(0.1, 10))
def test_nothing_is_cropped(size_a: Size, size_b: Size, turn_deg: float, ratio: float) -> None:
    alignment = Alignment.turned(size_a, size_b, turn_deg, ratio)
    for affine, size in ((alignment.a_from_canvas, size_a), (alignment.b_from_canvas, size_b)):
        drawn = canvas_from(affine, corners(size))
        assert (drawn > -0.5 - 1e-6).all() and (drawn < np.array(size_a) - 0.5 + 1e-6).all()
    scales = [1 / np.sqrt(np.linalg.det(one[:, :2])) for one in (alignment.a_from_canvas, alignment.b_from_canvas)]
    assert scales[1] / scales[0] == pytest.approx(ratio) and max(scales[0] - 1, 0) < 1e-9


@pytest.mark.parametrize("turn_deg", [0, 60, 180])
def test_what_is_drawn_lies_where_the_alignment_says(turn_deg: float) -> None:
    y, x = np.mgrid[: SIZE_B.height, : SIZE_B.width]
    image = np.asarray(np.round(200 * np.exp(-((x - 50) ** 2 + (y - 90) ** 2) / 60)), np.uint8)
    alignment = Alignment.turned(SIZE_A, SIZE_B, turn_deg, 0.6)
    drawn = np.maximum(alignment.draw(np.zeros((120, 160), np.uint8), image)[1].astype(float) - 30, 0)
    row, column = np.mgrid[: SIZE_A.height, : SIZE_A.width]
    found = np.array([[(drawn * column).sum(), (drawn * row).sum()]]) / drawn.sum()
    assert np.abs(apply(alignment.b_from_canvas, found) - [50, 90]).max() < 0.5


@given(SIZES, SIZES, st.floats(-180, 180), st.floats(0.3, 3), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_what_both_show_lies_upright_and_equally_large_on_both_canvases(
    size_a: Size, size_b: Size, turn_deg: float, scale: float, right: float, down: float
) -> None:
    angle = np.deg2rad(turn_deg)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array(size_b) * (0.5 + np.array([right, down])) - linear @ (np.array(size_a) / 2)
    moved = np.column_stack([linear, middle])
    alignment = Alignment.on_overlap(size_a, size_b, moved)
    assert alignment is not None
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, np.array(size_a) - 0.5, (4000, 2))
    shared = points[((apply(moved, points) > -0.5) & (apply(moved, points) < np.array(size_b) - 0.5)).all(axis=1)]
    drawn_a = canvas_from(alignment.a_from_canvas, shared)
    drawn_b = canvas_from(alignment.b_from_canvas, apply(moved, shared))
    assert (drawn_a > -0.51).all() and (drawn_a < np.array(size_a) - 0.49).all()
    assert np.abs(np.diff(drawn_a, axis=0) - np.diff(drawn_b, axis=0)).max() < 1e-3


def test_what_is_far_apart_shares_nothing() -> None:
    assert Alignment.on_overlap(SIZE_A, SIZE_B, np.array([[1.0, 0, 1e4], [0, 1.0, 0]])) is None
    assert Alignment.on_overlap(SIZE_A, SIZE_B, np.zeros((2, 3))) is None


@pytest.mark.parametrize("scale", [0.4, 2.5])
def test_the_smaller_of_two_images_is_enlarged_to_the_other(scale: float) -> None:
    """The first look finds a part of the image; the last one has all of it at its full resolution."""
    found = best_aligned(Network(0, scale).look, SIZE_A, SIZE_A, 0.5)
    steps = [
        np.sqrt(np.linalg.det(one[:, :2])) for one in (found.alignment.a_from_canvas, found.alignment.b_from_canvas)
    ]
    assert max(steps) < 1.25 and min(steps) < 0.5


class Network:
    """Knows a pair again where it is turned by less than 35 degrees and scaled by less than 1.8."""

    def __init__(self, turn_deg: float, scale: float) -> None:
        self.turn_deg, self.scale, self.runs = turn_deg, scale, 0

    def look(self, alignment: Alignment) -> Aligned:
        self.runs += 1
        a_from, b_from = (np.vstack([one, [0, 0, 1]]) for one in (alignment.a_from_canvas, alignment.b_from_canvas))
        moved = np.linalg.inv(b_from) @ self.b_from_a() @ a_from
        scale = float(np.sqrt(np.linalg.det(moved[:2, :2])))
        off_deg = abs(float(np.rad2deg(np.arctan2(moved[1, 0] - moved[0, 1], moved[0, 0] + moved[1, 1]))))
        certainty = 0.9 * (off_deg < 35 and 1 / 1.8 < scale < 1.8) * (0.05 if off_deg > 20 else 0.5)
        y, x = np.mgrid[: SIZE_A.height, : SIZE_A.width]
        warp = apply(moved[:2], np.column_stack([x.ravel(), y.ravel()])).reshape(*x.shape, 2).astype(np.float32)
        known = np.asarray(np.random.default_rng(0).random(x.shape) < certainty, np.float32)
        matches = alignment.certain_inside(Matches(known, two_view_warp=warp), SIZE_A)
        return Aligned(alignment, matches, float((matches.certainty > 0.5).mean()) / alignment.share_of_a)

    def b_from_a(self) -> np.ndarray:
        centre, angle = np.array(SIZE_A) / 2 - 0.5, np.deg2rad(self.turn_deg)
        turn = self.scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.vstack([np.column_stack([turn, centre - turn @ centre]), [0, 0, 1]])


def test_a_usual_pair_is_looked_at_once() -> None:
    network = Network(5, 1.1)
    assert best_aligned(network.look, SIZE_A, SIZE_A, 0.5).share > 0.3 and network.runs == 1


@pytest.mark.parametrize(("turn_deg", "scale"), [(90, 1), (45, 1), (150, 1), (-120, 1), (180, 1), (0, 2.2), (0, 0.45)])
def test_roll_and_scale_are_found_with_at_most_nine_networks(turn_deg: float, scale: float) -> None:
    network = Network(turn_deg, scale)
    found = best_aligned(network.look, SIZE_A, SIZE_A, 0.5)
    assert network.runs <= 9 and found.share > 0.02
    assert abs((found.alignment.turn_deg + turn_deg + 180) % 360 - 180) < 16
    assert 0.7 < found.alignment.ratio * scale < 1.43


def test_images_without_anything_in_common_are_given_up_after_eight() -> None:
    network = Network(0, 1e3)
    assert best_aligned(network.look, SIZE_A, SIZE_A, 0.5).share == 0 and network.runs == 8
