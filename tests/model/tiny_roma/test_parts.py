"""Parts of TinyRoMa against each other and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
pytest.importorskip("onnx", reason="onnx is not installed: export needs it")

from model.tiny_roma import equivalences  # noqa: E402
from model.tiny_roma.blocks import Normalize  # noqa: E402
from model.tiny_roma.cells import centres  # noqa: E402
from model.tiny_roma.config import TinyRomaConfig  # noqa: E402
from model.tiny_roma.network import TinyRoma  # noqa: E402
from model.tiny_roma.position import expected_position  # noqa: E402
from tests.model.tiny_networks import lively  # noqa: E402

EQUAL = [one for one in equivalences.measure() if np.isfinite(one.limit)]


@pytest.mark.parametrize("one", EQUAL, ids=[one.name for one in EQUAL])
def test_equal_parts_are_equal(one: equivalences.Equivalence) -> None:
    assert one.difference <= one.limit


@pytest.mark.parametrize(("image", "scale"), [("NORMAL", 1.0001), ("DIM", 1.021), ("FLAT", 1.6)])
def test_mean_std_is_larger_by_the_missing_floor(image: str, scale: float) -> None:
    grey = getattr(equivalences, image)
    written_out, instance = (Normalize(kind)(grey) for kind in ("mean_std", "instance"))
    ratio = float(written_out.std() / instance.std())
    assert ratio == pytest.approx(equivalences.expected_scale(grey), rel=1e-4)
    assert ratio == pytest.approx(scale, rel=0.08)


def test_statistics_are_those_of_each_image() -> None:
    """A dark partner must not change what the network sees of an image."""
    for kind in ("instance", "batch", "mean_std"):
        both = Normalize(kind)(torch.cat([equivalences.NORMAL, equivalences.DIM]))
        assert torch.allclose(both[:1], Normalize(kind)(equivalences.NORMAL), atol=1e-5)
        assert both.mean((2, 3)).abs().max() < 1e-4


def naive_band(a: torch.Tensor, b: torch.Tensor, rows: int, low: int, high: int) -> torch.Tensor:
    """The definition, cell by cell: (C, h, w) twice -> (2, h, w)."""
    channels, height, width = a.shape
    x, y = centres(width), centres(height)
    result = torch.zeros(2, height, width)
    for row in range(height):
        for column in range(width):
            cells = [
                (r, c)
                for r in range(max(row - rows, 0), min(row + rows, height - 1) + 1)
                for c in range(width)
                if low <= column - c <= high
            ]
            if not cells:
                continue
            logits = torch.stack([(a[:, row, column] * b[:, r, c]).sum() / channels**0.5 for r, c in cells])
            for weight, (r, c) in zip(logits.softmax(0), cells, strict=True):
                result[0, row, column] += weight * float(x[c])
                result[1, row, column] += weight * float(y[r])
    return result


@pytest.mark.parametrize(
    ("correlation", "rows", "columns"),
    [("row", 0, ()), ("band", 0, (0, 3)), ("band", 1, (-1, 4)), ("band", 2, ()), ("band", 2, (2, 5))],
)
def test_band_is_its_definition(correlation: str, rows: int, columns: tuple[int, ...]) -> None:
    """With a batch of two, so that images are not mixed up."""
    torch.manual_seed(1)
    a, b = 2 * torch.randn(2, 5, 4, 12), 2 * torch.randn(2, 5, 4, 12)
    config = TinyRomaConfig(correlation=correlation, band_rows=rows, band_columns=columns)
    got = expected_position(config, a, b)
    low, high = columns or (-12, 12)
    for one in range(2):
        expected = naive_band(a[one], b[one], rows, low, high)
        reachable = torch.arange(12) >= max(low, 0)  # a cell without any candidate may say anything
        assert torch.allclose(got[one][..., reachable], expected[..., reachable], atol=1e-5)


def test_released_branch_is_an_argmax_where_the_index_is_large() -> None:
    """The release takes the index of the best cell for a logit; only the first cells are small enough to matter."""
    torch.manual_seed(2)
    a, b = torch.randn(1, 8, 8, 12), torch.randn(1, 8, 8, 12)
    similarity = torch.einsum("bci,bcj->bij", a.flatten(2), b.flatten(2)) / 8**0.5
    best = similarity.argmax(2)[0]
    position = expected_position(TinyRomaConfig(position="released"), a, b)[0].flatten(1)
    far = best > similarity.max() + 20
    assert far.float().mean() > 0.5
    assert np.allclose(position[0, far], centres(12)[best[far] % 12], atol=1e-4)
    assert np.allclose(position[1, far], centres(8)[best[far] // 12], atol=1e-4)


def test_training_takes_the_exact_expectation() -> None:
    released, exact = (TinyRoma(TinyRomaConfig(position=one)).train() for one in ("released", "exact"))
    exact.load_state_dict(released.state_dict())
    image = torch.rand(2, 1, 64, 96)
    assert torch.equal(released(image, image.flip(3))[0], exact(image, image.flip(3))[0])


@pytest.mark.parametrize("passes", [1, 2])
def test_every_part_learns(passes: int) -> None:
    network = TinyRoma(TinyRomaConfig(passes=passes, upsampling="learned")).train()
    stages = network.infer(torch.rand(2, 1, 64, 96), torch.rand(2, 1, 64, 96)).stages
    assert [stage.stride for stage in stages] == [8] * passes + [4]
    sum((stage.position.sum() + stage.certainty_logit.sum()) for stage in stages).backward()
    # The enlargement of matches is detached, as in the release, so its weights stay as they are.
    assert [name for name, p in network.named_parameters() if p.grad is None] == ["enlarge.weight"]


def test_first_pass_is_the_network_of_one_pass() -> None:
    """With two passes the same weights run twice; the second starts where the first ended."""
    one = lively(TinyRomaConfig(fine="none"))
    two = TinyRoma(TinyRomaConfig(fine="none", passes=2)).eval()
    two.load_state_dict(one.state_dict())
    a, b = torch.rand(1, 1, 64, 96), torch.rand(1, 1, 64, 96)
    with torch.no_grad():
        first, second = two.infer(a, b).stages
        assert torch.equal(first.position, one(a, b)[0])
    assert not torch.equal(first.position, second.position)
