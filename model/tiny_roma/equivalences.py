"""Parts of variants that are meant to be equal, and by how much they differ.

``python -m model.tiny_roma.equivalences`` prints the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model.base.cli import run_tool
from roma_device.runtime.tensors.preprocess import value_table

from .blocks import Enlarge, Normalize, matcher
from .cells import sample
from .config import Normalization, TinyRomaConfig
from .network import run_fine
from .position import expected_position


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two ways to the same tensor."""

    name: str
    difference: float  # greatest, absolute
    limit: float  # up to which the two count as equal; infinite where they are not meant to be equal


def grey_image(mean: float, deviation: float, seed: int = 0, size: tuple[int, int] = (96, 64)) -> Tensor:
    """(1, 1, H, W) of 8-bit levels in [0, 1]: smooth noise of the given statistics; ``size`` is (width, height)."""
    noise = torch.randn(1, 1, size[1], size[0], generator=torch.Generator().manual_seed(seed))
    smooth = functional.avg_pool2d(noise, 3, 1, 1)
    smooth = (smooth - smooth.mean()) / smooth.std()
    return ((mean + deviation * smooth) * 255).round().clamp(0, 255) / 255


NORMAL, DIM, FLAT = grey_image(0.5, 0.19), grey_image(0.06, 0.015), grey_image(0.5, 0.0023)
"""A well exposed image, a dark one, and a wall without texture."""


def measure() -> list[Equivalence]:
    """All of them, on seeded random data."""
    torch.manual_seed(0)
    with torch.no_grad():
        return [check() for check in _CHECKS] + [_mean_std(name, image) for name, image in _IMAGES.items()]


def _normalized(kind: Normalization, image: Tensor) -> Tensor:
    return Normalize(kind)(image)  # type: ignore[no-any-return]


def _difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


def _batch_norm() -> Equivalence:
    return Equivalence(
        "batch norm over the image = instance norm",
        _difference(_normalized("batch", NORMAL), _normalized("instance", NORMAL)),
        1e-5,
    )


def _batch_of_two() -> Equivalence:
    both = torch.cat([NORMAL, DIM])
    apart = torch.cat([_normalized("batch", NORMAL), _normalized("batch", DIM)])
    return Equivalence(
        "batch norm of two images at once = one by one", _difference(_normalized("batch", both), apart), 1e-5
    )


def _joint() -> Equivalence:
    """What the released code does where both images have one size, if the norm is written over the whole tensor."""
    both = torch.cat([NORMAL, DIM])
    joint = functional.batch_norm(both, None, None, training=True)
    return Equivalence(
        "statistics over the concatenated pair against each image's own (bright and dark)",
        _difference(joint, _normalized("instance", both)),
        float("inf"),
    )


def _preprocessing() -> Equivalence:
    levels = (NORMAL[0, 0] * 255).round().to(torch.uint8).numpy()
    device = torch.from_numpy(value_table(levels, "preprocess")[levels])
    return Equivalence(
        "instance norm in the graph = in preprocessing",
        _difference(device, _normalized("instance", NORMAL)[0, 0]),
        1e-4,
    )


def _gather() -> Equivalence:
    """Positions inside, on the border and far outside."""
    features, position = torch.randn(2, 8, 10, 14), torch.rand(2, 2, 10, 14) * 3 - 1.5
    ways = [sample(features, position, how) for how in ("grid_sample", "gather")]
    return Equivalence("four gathers = grid_sample", _difference(*ways), 1e-4)


def _enlarged(factor: int) -> Callable[[], Equivalence]:
    def check() -> Equivalence:
        x = torch.randn(1, 5, 7, 9)
        ways = [Enlarge(kind, 5, factor)(x) for kind in ("fixed", "resize")]
        return Equivalence(f"fixed transposed convolution = bilinear enlargement by {factor}", _difference(*ways), 1e-5)

    return check


def _split() -> Equivalence:
    part, inputs = matcher(10, 16).eval(), torch.randn(1, 10, 20, 28)
    return Equivalence(
        "fine matcher in four tiles = in one piece",
        _difference(run_fine(part, inputs, "split"), run_fine(part, inputs, "whole")),
        1e-5,
    )


def _band_of_all_rows() -> Equivalence:
    a, b = 3 * torch.randn(1, 8, 6, 10), 3 * torch.randn(1, 8, 6, 10)
    band = TinyRomaConfig(correlation="band", band_rows=5)
    return Equivalence(
        "band of all rows = full correlation",
        _difference(expected_position(band, a, b), expected_position(TinyRomaConfig(), a, b)),
        1e-5,
    )


def _mean_std(name: str, image: Tensor) -> Equivalence:
    return Equivalence(
        f"(x - mean) / std against instance norm, {name} image (std {float(image.std()):.4f})",
        _difference(_normalized("mean_std", image), _normalized("instance", image)),
        float("inf"),
    )


_CHECKS = (
    _batch_norm,
    _batch_of_two,
    _preprocessing,
    _gather,
    _enlarged(2),
    _enlarged(4),
    _split,
    _band_of_all_rows,
    _joint,
)
_IMAGES = {"normal": NORMAL, "dim": DIM, "flat": FLAT}


def expected_scale(image: Tensor) -> float:
    """How much larger ``mean_std`` is than instance norm: the missing floor, and n - 1 in place of n."""
    variance, count = float(np.var(image.numpy(), dtype=np.float64)), image.numel()
    return float(np.sqrt((variance + 1e-5) / variance * (count - 1) / count))


def main() -> None:
    for one in measure():
        print(f"{one.difference:10.2e}  {one.name}")


if __name__ == "__main__":
    run_tool(main)
