from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from model.base.optimizer import NEWTON_SCHULZ, orthogonalized  # noqa: E402


def iterated(matrix: torch.Tensor) -> torch.Tensor:
    """Newton-Schulz as it is defined, on the whole matrix, in float64."""
    a, b, c = NEWTON_SCHULZ
    x = matrix.double() / matrix.double().norm()
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x


@pytest.mark.parametrize("shape", [(64, 576), (576, 64), (16, 16)])
@pytest.mark.parametrize("decades", [0, 3, 7])
def test_orthogonal_factor_is_that_of_the_plain_iteration(shape: tuple[int, int], decades: int) -> None:
    """Also where the matrix has hardly full rank."""
    torch.manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(side, min(shape)))[0] for side in shape)
    matrix = left * torch.logspace(0, -decades, min(shape)) @ right.T
    assert (orthogonalized(matrix) - iterated(matrix)).abs().max() < 2e-3


def test_nothing_stays_nothing() -> None:
    assert not orthogonalized(torch.zeros(4, 9)).any()
