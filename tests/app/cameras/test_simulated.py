"""The simulated rig, seen from outside: what it asks for, what it repeats, what it knows."""

from __future__ import annotations

import os
from itertools import islice

import numpy as np
import pytest

from roma_device.app.cameras import CameraError
from roma_device.app.cameras.simulated import SimulatedCamera, virtual_rig
from roma_device.app.simulation.worlds.catalogue import SCENES
from roma_device.runtime.types import StereoFrame


def take(spec: str, count: int) -> list[StereoFrame]:
    with SimulatedCamera.from_spec(spec) as camera:
        return list(islice(camera.frames(), count))


def test_the_same_seed_gives_the_same_frames_and_another_one_does_not() -> None:
    first, again, other = (take(f"boxes?seed={seed}&size=96x64", 2) for seed in (4, 4, 5))
    for frame, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(frame.left.image, same.left.image)
        np.testing.assert_array_equal(frame.right.image, same.right.image)
    assert np.mean(np.abs(first[0].left.image.astype(int) - other[0].left.image)) > 10


def test_frames_start_again_from_the_first() -> None:
    with SimulatedCamera.from_spec("board?size=96x64") as camera:
        once, twice = (list(islice(camera.frames(), 2)) for _ in range(2))
    np.testing.assert_array_equal(once[1].left.image, twice[1].left.image)


def test_the_two_images_of_a_pair_have_noise_of_their_own() -> None:
    (frame,) = take("board?size=96x64", 1)
    assert not np.array_equal(frame.left.image, frame.right.image)


def test_frames_end_after_the_number_asked_for_and_are_a_thirtieth_of_a_second_apart() -> None:
    frames = take("board?frames=3&size=96x64", 10)
    assert len(frames) == 3
    np.testing.assert_allclose(np.diff([frame.timestamp_ns for frame in frames]), 1e9 / 30, atol=1)


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (33, 41)])
def test_images_and_depth_have_the_size_asked_for(size: tuple[int, int]) -> None:
    (frame,) = take(f"board?size={size[0]}x{size[1]}", 1)
    assert frame.size == size
    assert frame.right.image.shape == (size[1], size[0], 3)
    assert frame.truth is not None
    assert frame.truth.depth_m is not None
    assert frame.truth.depth_m.shape == (size[1], size[0])
    assert frame.truth.depth_m.dtype == np.float32


def test_a_room_fills_the_view_and_a_street_has_a_sky_without_depth() -> None:
    depths = {}
    for scene in ("room", "street"):
        frame = take(f"{scene}?size=96x60", 1)[0]
        assert frame.truth is not None
        depths[scene] = frame.truth.depth_m
    assert np.isfinite(depths["room"]).all()
    assert 0.6 < depths["room"].min() < 2
    assert 3 < depths["room"].max() < 6
    assert 0.02 < np.isnan(depths["street"]).mean() < 0.5
    assert np.nanmax(depths["street"]) > 30


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_every_scene_is_lit_textured_and_moving(scene: str) -> None:
    first, _, later = take(f"{scene}?size=128x80&fps=6", 3)
    assert 40 < first.left.image.mean() < 210
    assert first.left.image.std() > 20
    assert first.truth is not None
    assert later.truth is not None
    moved = later.truth.world_from_left.translation_m - first.truth.world_from_left.translation_m
    assert 1e-4 < np.linalg.norm(moved) < 0.5


def test_the_rig_is_one_that_could_be_built() -> None:
    rig = virtual_rig((640, 400))
    assert rig.baseline_m == pytest.approx(0.12, abs=1e-3)
    assert rig.left.fx == pytest.approx(0.75 * 640, rel=0.02)
    assert not np.allclose(rig.left.matrix, rig.right.matrix)
    assert np.degrees(np.linalg.norm(rig.right_from_left.rotation_vector)) > 0.3
    for camera in (rig.left, rig.right):
        pixels = np.array([[0, 0], [639, 0], [320, 200], [0, 399], [639, 399]], float)
        np.testing.assert_allclose(camera.project(camera.unproject(pixels)), pixels, atol=1e-3)
        straight = camera.unproject(pixels)[0, :2] * [camera.fx, camera.fy] + [camera.cx, camera.cy]
        assert np.linalg.norm(straight - pixels[0]) > 10


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("castle", "unknown scene 'castle'; known: room"),
        ("room?sed=1", "unknown option 'sed'.*seed, frames, size"),
        ("?seed=one", "seed: 'one' is not a whole number"),
        ("?seed=-1", "seed: '-1'"),
        ("?frames=0", "frames: '0'"),
        ("?size=640", "size=640.*640x400"),
        ("?size=9x9", "size: '9'"),
        ("?size=640x", "size: ''"),
    ],
)
def test_what_is_not_understood_is_a_usage_error(spec: str, hint: str) -> None:
    with pytest.raises(CameraError, match=hint) as caught:
        SimulatedCamera.from_spec(spec)
    assert caught.value.exit_code == os.EX_USAGE
