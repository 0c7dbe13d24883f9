from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from torch.nn import functional  # noqa: E402

from model.data.texture_atlas import Atlas  # noqa: E402
from model.data.textures import build_atlas  # noqa: E402
from model.data.two_view_pairs import TwoViewBatch, TwoViewRenderer, from_stereo, own_positions, turned  # noqa: E402
from model.data.two_view_render import look  # noqa: E402
from model.data.two_view_scenes import Planes, TwoViewSampler  # noqa: E402
from model.data.two_view_surfaces import BENT  # noqa: E402
from model.tiny_roma.config import TinyRomaConfig  # noqa: E402
from model.tiny_roma.loss import at_cells, candidate_loss, two_view_loss  # noqa: E402
from model.tiny_roma.network import Stage  # noqa: E402
from model.tiny_roma.position import compare  # noqa: E402

SIZE = (192, 96)


@pytest.fixture(scope="module")
def renderer() -> TwoViewRenderer:
    return TwoViewRenderer(Atlas(build_atlas(None, 6)), SIZE)


def sampler(share: float, seed: int = 0) -> TwoViewSampler:
    return TwoViewSampler(SIZE, 4, 6, seed, rendered_share=share)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_second_view_shows_what_the_truth_says(renderer: TwoViewRenderer, share: float) -> None:
    """Fetched from the true positions, b looks like a, up to light, and much less so from anywhere else."""
    for index in range(3):
        batch = renderer(sampler(share)(index))
        for one in range(len(batch.a)):
            seen = batch.visible[one]
            if seen.float().mean() < 0.1 or batch.a[one, 0][seen].std() < 0.03:
                continue
            right = correlation(batch, batch.position, one)
            wrong = correlation(batch, batch.position + 24 / SIZE[0], one)
            assert right > 0.6 and right > wrong + 0.1


def correlation(batch: TwoViewBatch, position: torch.Tensor, one: int) -> float:
    fetched = functional.grid_sample(batch.b, position.permute(0, 2, 3, 1), align_corners=False)[one, 0]
    seen = batch.visible[one]
    return float(np.corrcoef(fetched[seen].numpy(), batch.a[one, 0][seen].numpy())[0, 1])


def test_batches_are_reproducible_and_differ(renderer: TwoViewRenderer) -> None:
    first, again, other = (renderer(sampler(0.0)(index)) for index in (5, 5, 6))
    assert torch.equal(first.b, again.b) and torch.equal(first.position, again.position)
    assert not torch.equal(first.b, other.b)


def test_exchanged_views_have_a_truth_of_their_own(renderer: TwoViewRenderer) -> None:
    """There and back again leads to the pixel where one started, wherever both views see it."""
    there, back = renderer.batches(sampler(0.0)(3))
    position = there.position.permute(0, 2, 3, 1)
    returned = functional.grid_sample(back.position, position, align_corners=False)
    both = functional.grid_sample(back.visible[:, None].float(), position, align_corners=False)[:, 0] > 0.999
    seen = there.visible & both
    off_px = (returned - own_positions(*SIZE[::-1], torch.device("cpu"))).abs().amax(1)[seen] * SIZE[0] / 2
    assert seen.float().mean() > 0.3 and float(off_px.quantile(0.98)) < 0.3


def test_bent_surfaces_meet_their_own_definition() -> None:
    """Seen by the second camera, a point of a bent surface has the inverse depth that the first camera gives it."""
    scenes = TwoViewSampler(SIZE, 4, 6, 1, rendered_share=0.0)(4).planes
    assert scenes is not None and bool((scenes.wave[..., 0] != 0).any()) and bool((scenes.fold[..., 0] != 0).any())
    view = look(scenes, Atlas(build_atlas(None, 6)), SIZE, second=True)
    u, v = (view.point[:, k] / view.point[:, 2] for k in (0, 1))
    errors = []
    for k in range(BENT):
        plane, wave, fold = (field[:, k].T[..., None, None] for field in (scenes.plane, scenes.wave, scenes.fold))
        inverse = plane[0] * u + plane[1] * v + plane[2] + wave[0] * torch.sin(wave[1] * u + wave[2] * v + wave[3])
        inverse = inverse + fold[0] * (fold[1] * u + fold[2] * v + fold[3]).abs()
        on_it = (view.surface == k) & (scenes.dome[:, k, None, None] == 0)
        errors.append((view.point[:, 2] * inverse - 1).abs()[on_it])
    assert float(torch.cat(errors).quantile(0.95)) < 0.003


def test_motion_covers_rotation_and_scale(renderer: TwoViewRenderer) -> None:
    """The local map from a to b, by finite differences in px: turned by over 20 degrees, scaled up and down."""
    angles, scales = [], []
    for index in range(12):
        batch = renderer(sampler(0.0)(index))
        dx = (batch.position[..., 48, 97] - batch.position[..., 48, 95]) / 2 * torch.tensor(SIZE) / 2
        angles += torch.rad2deg(torch.atan2(dx[:, 1], dx[:, 0])).abs().tolist()
        scales += dx.norm(dim=1).tolist()
    assert max(angles) > 20 and max(scales) > 1.2 and min(scales) < 0.85


def turned_planes(share: float, index: int) -> Planes:
    planes = TwoViewSampler(SIZE, 4, 6, 0, rendered_share=0.0, turned_share=share)(index).planes
    assert planes is not None
    return planes


def test_turned_scenes_roll_over_the_whole_circle_and_zoom_to_two_and_a_half() -> None:
    scenes = [turned_planes(1.0, index) for index in range(20)]
    rotation, focal_px = (torch.cat([getattr(one, name) for one in scenes]) for name in ("rotation", "focal_px"))
    rolls_deg = torch.rad2deg(torch.atan2(rotation[:, 1, 0] - rotation[:, 0, 1], rotation[:, 0, 0] + rotation[:, 1, 1]))
    zooms = focal_px[:, 1] / focal_px[:, 0]
    assert np.histogram(rolls_deg.numpy(), [-180, -90, 0, 90, 180])[0].min() >= 5
    assert 2.1 < zooms.max() <= 2.5 and 0.4 <= zooms.min() < 0.48
    assert 0.2 < (zooms == 1).float().mean() < 0.5


@pytest.mark.parametrize("share", ["turned_share", "facade_share"])
def test_a_hard_second_view_shows_what_the_truth_says(renderer: TwoViewRenderer, share: str) -> None:
    hard_sampler = replace(sampler(0.0, 3), **{share: 1.0})
    for index in range(2):
        batch = renderer(hard_sampler(index))
        for one in range(len(batch.a)):
            seen = batch.visible[one]
            if seen.float().mean() < 0.1 or batch.a[one, 0][seen].std() < 0.03:
                continue
            right = correlation(batch, batch.position, one)
            assert right > 0.5 and right > correlation(batch, batch.position + 24 / SIZE[0], one) + 0.1


def test_windows_of_a_facade_repeat(renderer: TwoViewRenderer) -> None:
    """A wall moved on by one window looks the same where all of it repeats, and only there."""
    scenes = replace(sampler(0.0, 7), facade_share=1.0)(0).planes
    assert scenes is not None
    for share, is_same in ((1.0, True), (0.0, False)):
        scenes.tile[:, 0, 2] = share
        here = look(scenes, renderer.atlas, SIZE, second=False)
        scenes.offset[:, 0] += scenes.tile[:, 0, :2]
        moved = look(scenes, renderer.atlas, SIZE, second=False)
        changed = (here.image - moved.image).abs()[here.surface == 0]
        assert (float(changed.quantile(0.9)) < 1e-3) == is_same


def test_without_a_share_the_scenes_are_what_they_were() -> None:
    usual, turned_too = turned_planes(0.0, 3), turned_planes(0.5, 3)
    assert torch.equal(usual.plane[0, :3], turned_too.plane[0, :3])
    assert not torch.equal(usual.rotation, turned_too.rotation)


def test_turning_moves_image_and_truth_together(renderer: TwoViewRenderer) -> None:
    """An image that is its own second view: after turning, the truth still finds every pixel."""
    image = functional.avg_pool2d(torch.rand(2, 1, *SIZE[::-1]), 5, 1, 2)
    own = own_positions(*SIZE[::-1], torch.device("cpu")).expand(2, -1, -1, -1)
    batch = turned(
        TwoViewBatch(image, image, own, torch.ones(2, *SIZE[::-1], dtype=torch.bool)), torch.Generator().manual_seed(1)
    )
    fetched = functional.grid_sample(batch.b, batch.position.permute(0, 2, 3, 1), align_corners=False)
    assert ((fetched - image).abs()[:, 0][batch.visible]).mean() < 0.02
    assert batch.visible.float().mean() > 0.4


def test_disparity_becomes_a_position(renderer: TwoViewRenderer) -> None:
    from model.data.stereo_pairs import PairRenderer, SceneSampler

    pairs = PairRenderer(renderer.atlas, SIZE)(SceneSampler(SIZE, 2, 6)(0))
    batch = from_stereo(pairs)
    column = (batch.position[:, 0] + 1) * SIZE[0] / 2 - 0.5
    assert torch.allclose(torch.arange(SIZE[0]) - column, pairs.disparity_px, atol=1e-3)
    assert not batch.visible[column < -0.5].any() and not batch.visible[pairs.occluded].any()


def perfect(batch: TwoViewBatch, stride: int, offset: float = 0.0) -> Stage:
    position, known = at_cells(batch, stride)
    return Stage(stride, position + offset, torch.where(known, 9.0, -9.0)[:, None])


def test_loss_is_least_at_the_truth(renderer: TwoViewRenderer) -> None:
    batch = renderer(sampler(0.0)(0))
    losses = [
        float(two_view_loss([perfect(batch, 8, x), perfect(batch, 4, x)], batch)[0]) for x in (0, 0.001, 0.01, 0.05)
    ]
    assert losses == sorted(losses) and losses[0] < 0.9 * losses[1]


def test_fine_stage_learns_only_where_the_coarse_one_is_near(renderer: TwoViewRenderer) -> None:
    batch = renderer(sampler(0.0)(0))
    fine = Stage(4, at_cells(batch, 4)[0].clone().requires_grad_(), perfect(batch, 4).certainty_logit)
    two_view_loss([perfect(batch, 8, 0.5), fine], batch)[0].backward()
    assert fine.position.grad is not None and float(fine.position.grad.abs().max()) == 0


def test_cells_know_their_middle() -> None:
    own = own_positions(*SIZE[::-1], torch.device("cpu"))
    image = torch.zeros(1, 1, *SIZE[::-1])
    batch = TwoViewBatch(image, image, own, torch.ones(1, *SIZE[::-1], dtype=torch.bool))
    for stride in (4, 8):
        position, known = at_cells(batch, stride)
        expected = own_positions(SIZE[1] // stride, SIZE[0] // stride, torch.device("cpu"))
        assert torch.allclose(position, expected, atol=1e-6) and known.all()


@pytest.mark.parametrize("variant", ["tiny_preprocess", "tiny_row", "tiny_band1", "tiny_row4_fine"])
def test_shares_of_candidates_have_their_mean_at_the_match(variant: str) -> None:
    config = TinyRomaConfig.load(variant)
    features = torch.rand(2, 8, 12, 24)
    candidates = compare(config, features, features).candidates()
    position = own_positions(12, 24, torch.device("cpu")) - torch.tensor([0.7 / 12, 0.0]).view(1, 2, 1, 1)
    shares = candidates.shares(position.expand(2, -1, -1, -1))[:, :, 2:-1]
    inside = shares[:, 2:-2]
    assert torch.allclose(inside.sum(3), torch.ones(inside.shape[:3]), atol=1e-5)
    mean = candidates.origin[..., 2:-2, 2:-1] + torch.einsum("byxk,kc->bcyx", inside, candidates.offsets)
    assert torch.allclose(mean, position[..., 2:-2, 2:-1].expand_as(mean), atol=1e-5)


@pytest.mark.parametrize("variant", ["tiny_preprocess", "tiny_band1"])
def test_candidates_are_those_of_the_expected_position(variant: str) -> None:
    config = TinyRomaConfig.load(variant)
    comparison = compare(config, 3 * torch.randn(2, 8, 12, 24), 3 * torch.randn(2, 8, 12, 24))
    candidates = comparison.candidates()
    mean = candidates.origin + torch.einsum("byxk,kc->bcyx", candidates.logits.softmax(3), candidates.offsets)
    assert torch.allclose(mean, comparison.position(), atol=1e-4)


def test_candidates_learn_where_the_match_is(renderer: TwoViewRenderer) -> None:
    """By gradient steps on the logits alone the expectation goes to the truth; hidden cells have no say."""
    batch = renderer(sampler(0.0)(0))
    features = torch.zeros(4, 8, 12, 24)
    logits = torch.zeros(4, 288, 288, requires_grad=True)
    config = TinyRomaConfig.load("tiny_preprocess")
    comparison = replace(compare(config, features, features), similarity=logits)
    losses = []
    for _ in range(90):
        loss = candidate_loss(comparison.candidates(), batch)
        [gradient] = torch.autograd.grad(loss, logits)
        with torch.no_grad():
            logits -= 3000 * gradient
        losses.append(float(loss.detach()))
    position, known = at_cells(batch, 8)
    assert losses[-1] < 0.3 * losses[0]
    assert not gradient.reshape(4, 12, 24, 288)[~known].any()
    distance = (comparison.position().detach() - position).norm(dim=1)[known]
    assert float(distance.median()) < 0.02


def test_a_match_beyond_all_candidates_does_not_count() -> None:
    own = own_positions(96, 192, torch.device("cpu"))
    image = torch.zeros(1, 1, 96, 192)
    visible = torch.ones(1, 96, 192, dtype=torch.bool)
    features = torch.rand(1, 8, 12, 24)
    candidates = compare(TinyRomaConfig.load("tiny_row"), features, features).candidates()
    for rows, counts in ((0.5, True), (1.5, False)):
        off = own + torch.tensor([0, rows * 2 / 12]).view(1, 2, 1, 1)
        loss = candidate_loss(candidates, TwoViewBatch(image, image, off, visible))
        assert (float(loss) > 0) == counts and float(loss) < 100
