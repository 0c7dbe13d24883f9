from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from model.data.indoor import sample_room  # noqa: E402
from model.data.render import Misalignment, occlusion, render  # noqa: E402
from model.data.scenes import EDGES, pack  # noqa: E402
from model.data.solids import Box, Stage, box_faces, box_shadow, cylinder, edges_of, hull  # noqa: E402
from model.data.texture_atlas import Atlas  # noqa: E402
from model.data.textures import build_atlas  # noqa: E402

SIZE = (192, 128)
STAGE = Stage(
    focal_px=211.2,
    up=np.array([0, -np.cos(0.4), -np.sin(0.4)]),
    side=np.array([1.0, 0, 0]),
    ahead=np.array([0, -np.sin(0.4), np.cos(0.4)]),
    floor=-2.5,
    light=np.array([0.48, -0.8, -0.36]),
    ambient=0.4,
    nearest_px=80.0,
)
FOOT = np.array([0.3, 1.0, (2.5 - np.cos(0.4)) / np.sin(0.4)])


def box(half: float = 0.4, height: float = 0.9) -> Box:
    turn = 0.6
    across = np.cos(turn) * STAGE.side + np.sin(turn) * STAGE.ahead
    return Box(FOOT, across, np.cross(STAGE.up, across), half, half, height)


def at(plane: object, place: np.ndarray) -> np.ndarray:
    p = np.asarray(plane, float)
    return np.asarray(p[0] + place @ p[1:])


def test_faces_of_a_box_meet_at_their_edges() -> None:
    faces = box_faces(STAGE, box())
    assert faces is not None and len(faces) == 3, "two sides and the top are seen"
    corners = box().corners(STAGE.up).reshape(-1, 3)
    places, true_px = STAGE.project(corners), STAGE.disparity_px(corners)
    on = np.array([np.abs(at(face["plane"], places) - true_px) < 1e-6 for face, _ in faces])
    assert (on.sum(1) == 4).all() and on.sum() == 12, "each face has its own four corners"
    assert on.sum(0).max() == 3, "one corner belongs to all three"
    assert len({round(light, 6) for _, light in faces}) == 3


def test_edges_hold_what_is_inside() -> None:
    square = np.array([[0.0, 0], [4, 0], [4, 3], [0, 3]])
    for polygon in (square, square[::-1]):
        edges = np.array(edges_of(polygon))
        assert edges.shape == (EDGES, 3)
        inside = [bool((edges @ [x, y, 1] >= 0).all()) for x, y in ((2, 1), (-1, 1), (2, 4), (3.9, 2.9))]
        assert inside == [True, False, False, True]


def test_hull_leaves_out_what_is_inside() -> None:
    points = np.array([[0.0, 0], [2, 0], [1, 1], [2, 2], [0, 2], [1, 0.5]])
    assert {tuple(point) for point in hull(points)} == {(0, 0), (2, 0), (2, 2), (0, 2)}


def test_shadow_lies_on_the_ground() -> None:
    shadow = box_shadow(STAGE, box(), STAGE.floor)
    assert shadow is not None
    floor = STAGE.plane(STAGE.up, STAGE.up * STAGE.floor)
    place = np.asarray(shadow["centre"])
    assert 0 < at(shadow["plane"], place) - at(floor, place) < 0.01


def test_can_is_nearest_along_its_axis() -> None:
    sides = cylinder(STAGE, FOOT, 0.3, 0.8)
    assert sides is not None and len(sides) == 2, "the side and the lid"
    side = sides[0][0]
    assert side["ridge"] == 1.0 and float(np.asarray(side["dome_px"])) > 0


def test_what_is_too_near_is_left_out() -> None:
    near = Box(FOOT * 0.2, STAGE.side, STAGE.ahead, 0.3, 0.3, 0.5)
    assert box_faces(STAGE, near) is None and box_shadow(STAGE, near, STAGE.floor) is None


@pytest.fixture(scope="module")
def rooms() -> tuple[torch.Tensor, ...]:
    atlas = Atlas(build_atlas(None, 6))
    rng = np.random.default_rng(4)
    scenes = pack([sample_room(rng, SIZE, 60.0, len(atlas)) for _ in range(3)])
    off = Misalignment(torch.zeros(3, 1, 1), torch.zeros(3, 1, 1))
    return render(scenes, atlas, SIZE, off)


def test_rooms_agree_in_both_views(rooms) -> None:
    left, right = rooms
    seen = ~occlusion(left, right)
    column = torch.arange(SIZE[0]) - left.disparity_px
    there = torch.gather(right.image, 2, column.round().clamp(0, SIZE[0] - 1).long())
    assert (there - left.image).abs()[seen].median() < 0.03
    assert seen.float().mean() > 0.5 and 5 < left.disparity_px.max() < 80


def test_rooms_are_furnished(rooms) -> None:
    left, _ = rooms
    assert all(len(one.unique()) > 8 for one in left.surface)
