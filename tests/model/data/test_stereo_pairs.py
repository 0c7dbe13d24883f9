"""The generator's pairs obey the geometry that they claim."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from model.data.loader import batches  # noqa: E402
from model.data.render import Misalignment, occlusion, render  # noqa: E402
from model.data.scenes import pack, sample_surfaces  # noqa: E402
from model.data.stereo_pairs import PairBatch, PairRenderer, SceneSampler  # noqa: E402
from model.data.texture_atlas import Atlas  # noqa: E402
from model.data.textures import PATTERNS, build_atlas  # noqa: E402

SIZE = (192, 96)


@pytest.fixture(scope="module")
def atlas():
    return Atlas(build_atlas(None, len(PATTERNS)))


def pairs(atlas, batch: int, seed: int, index: int = 0) -> PairBatch:
    return PairRenderer(atlas, SIZE)(SceneSampler(SIZE, batch, len(atlas), 60.0, seed)(index))


def views(seed: int, atlas, shift_px: float = 0.0):
    rng = np.random.default_rng(seed)
    scenes = [sample_surfaces(rng, SIZE, 60.0, len(atlas)) for _ in range(4)]
    off = Misalignment(torch.full((4, 1, 1), shift_px), torch.zeros(4, 1, 1))
    return render(pack(scenes), atlas, SIZE, off)


@pytest.mark.parametrize("seed", range(6))
def test_right_image_warped_by_the_disparity_is_the_left_one(seed: int, atlas) -> None:
    left, right = views(seed, atlas)
    width, height = SIZE
    column = torch.arange(width) - left.disparity_px
    grid = torch.stack([2 * (column + 0.5) / width - 1, torch.zeros_like(column)], -1)
    grid[..., 1] = (2 * (torch.arange(height) + 0.5) / height - 1)[:, None]
    warped = torch.nn.functional.grid_sample(right.image[:, None], grid, align_corners=False)[:, 0]
    error = (warped - left.image).abs()[~occlusion(left, right)]
    assert error.median() < 0.01
    assert (error < 0.1).float().mean() > 0.93


def test_far_textures_are_averaged_not_aliased() -> None:
    fine_checks = (torch.arange(64)[:, None] + torch.arange(64)) % 2
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    far = Atlas(fine_checks[None].float()).look_up(torch.zeros(1, 16, 16, dtype=torch.long), 3 * x[None], 3 * y[None])
    near = Atlas(fine_checks[None].float()).look_up(torch.zeros(1, 16, 16, dtype=torch.long), x[None], y[None])
    assert torch.allclose(far, torch.tensor(0.5)) and near.std() > 0.4


def test_occluded_pixels_show_something_else_on_the_right(atlas) -> None:
    left, right = views(3, atlas)
    hidden = occlusion(left, right)
    column = (torch.arange(SIZE[0]) - left.disparity_px).round().long()
    inside = hidden & (column >= 0)
    assert inside.any(), "the scenes have objects in front of others"
    front = torch.gather(right.disparity_px, 2, column.clamp(0, SIZE[0] - 1))
    assert (front > left.disparity_px)[inside].all()
    assert hidden[(column < -1)].all(), "what leaves the image is not seen"


def test_scenes_reach_far_and_near(atlas) -> None:
    batch = pairs(atlas, 16, 2)
    assert batch.disparity_px.min() >= 0
    assert 20 < batch.disparity_px.max() < 150
    assert 0.01 < batch.occluded.float().mean() < 0.6
    assert batch.left.min() >= 0 and batch.left.max() <= 1


def test_stream_is_reproducible_and_never_repeats(atlas) -> None:
    first, again, next_one = pairs(atlas, 2, 5, 3), pairs(atlas, 2, 5, 3), pairs(atlas, 2, 5, 4)
    assert torch.equal(first.left, again.left) and torch.equal(first.disparity_px, again.disparity_px)
    assert not torch.equal(first.left, next_one.left)


def test_workers_give_the_same_stream(atlas) -> None:
    sampler, renderer = SceneSampler(SIZE, 1, len(atlas), seed=7), PairRenderer(atlas, SIZE)
    here = list(batches(sampler, renderer, 2, 5, workers=0))
    there = list(batches(sampler, renderer, 2, 5, workers=2))
    assert [torch.equal(a.left, b.left) for a, b in zip(here, there, strict=True)] == [True] * 3


def test_vertical_misalignment_moves_the_right_image_only(atlas) -> None:
    left, right = views(1, atlas)
    left_off, right_off = views(1, atlas, shift_px=2.0)
    assert torch.equal(left.image, left_off.image)
    same = (right.image[:, 2:] - right_off.image[:, :-2]).abs()
    assert same.median() < 0.01 and (right.image - right_off.image).abs().mean() > 2 * same.mean()


def test_patterns_fill_their_range() -> None:
    for pattern in PATTERNS:
        texture = pattern(np.random.default_rng(0))
        assert texture.min() >= 0 and texture.max() <= 1 and texture.std() > 0.05, pattern.__name__


@pytest.mark.parametrize("mirrored", [0, 1])
def test_matches_lie_in_the_rows_that_the_truth_says(mirrored: int, atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.data.stereo_pairs.photograph", lambda image, *_: image[:, None])
    renderer = PairRenderer(atlas, SIZE, max_shift_px=4.0)
    pair = renderer.batches(SceneSampler(SIZE, 8, len(atlas), 60.0, 3)(0))[mirrored]
    width, height = SIZE
    x = torch.arange(width) - pair.disparity_px
    looks = (
        torch.nn.functional.grid_sample(
            pair.right,
            torch.stack([(2 * x + 1) / width - 1, (2 * (torch.arange(height)[:, None] + rows) + 1) / height - 1], -1),
            align_corners=False,
        )
        for rows in (pair.row_offset_px, torch.zeros_like(pair.row_offset_px), -pair.row_offset_px)
    )
    off = (pair.row_offset_px.abs() > 1.5) & ~pair.occluded
    assert off.float().mean() > 0.1
    true, level, opposite = ((one - pair.left).abs()[:, 0][off].mean() for one in looks)
    assert true < 0.7 * level and level < 0.9 * opposite
