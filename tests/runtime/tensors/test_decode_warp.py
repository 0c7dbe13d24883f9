from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_device.runtime.depth import valid_matches
from roma_device.runtime.tensors.decode import decode_two_view
from roma_device.runtime.tensors.inputs import InputPlan

Floats = npt.NDArray[np.float32]


def identity(width: int, height: int, shift: tuple[float, float] = (0, 0)) -> Floats:
    """(1, 2, h, w): each cell's own centre, moved by ``shift`` cells."""
    x = (2 * (np.arange(width) + shift[0]) + 1) / width - 1
    y = (2 * (np.arange(height) + shift[1]) + 1) / height - 1
    return np.stack(np.meshgrid(x, y)).astype(np.float32)[None]


def decoded(warp: Floats, plan: InputPlan, size: tuple[int, int], task: str = "two_view", logit: float = 0) -> Floats:
    certainty = np.full((1, 1, *warp.shape[2:]), logit, np.float32)
    matches = decode_two_view({"warp": warp, "certainty": certainty}, plan, size, task)  # type: ignore[arg-type]
    return matches.warp


@given(
    cells=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    stride=st.sampled_from([4, 8]),
    scale=st.sampled_from([1, 2, 3]),
)
def test_identity_maps_every_pixel_to_itself(cells: tuple[int, int], stride: int, scale: int) -> None:
    """In pixel centres, away from the border, where enlarging holds its values."""
    network = (cells[0] * stride, cells[1] * stride)
    size = (network[0] * scale, network[1] * scale)
    warp = decoded(identity(*cells), InputPlan(network, network), size)
    inner = stride * scale
    y, x = np.mgrid[: size[1], : size[0]]
    error = np.abs(warp - np.dstack([x, y]))[inner:-inner, inner:-inner]
    assert error.max() < 1e-2


def test_shift_is_in_pixels_of_the_camera() -> None:
    """Two cells of 8 network pixels in a camera image of twice the size: 32 px; rows are squeezed by 3."""
    plan = InputPlan((64, 32), (64, 32))
    warp = decoded(identity(8, 4, (-2, 1)), plan, (128, 96))
    y, x = np.mgrid[:96, :128]
    inner = (slice(24, -24), slice(16, -16))
    assert np.allclose((warp[..., 0] - x)[inner], -32, atol=1e-3)
    assert np.allclose((warp[..., 1] - y)[inner], 24, atol=1e-3)


def test_stereo_gives_the_disparity() -> None:
    plan = InputPlan((64, 32), (64, 32))
    outputs = {"warp": identity(8, 4, (-1.5, 0)), "certainty": np.full((1, 1, 4, 8), 3, np.float32)}
    matches = decode_two_view(outputs, plan, (64, 32), "stereo")
    assert matches.disparity_px is not None and matches.two_view_warp is None
    assert np.allclose(matches.disparity_px[:, 16:-16], 12, atol=1e-3)
    assert np.allclose(matches.certainty, 1 / (1 + np.exp(-3)), atol=1e-6)


def test_image_may_fill_a_part_of_the_input() -> None:
    """The grid of the network goes on beyond the image, whose pixels must not move."""
    warp = decoded(identity(16, 8), InputPlan((120, 60), (128, 64)), (120, 60))
    y, x = np.mgrid[:60, :120]
    assert np.abs(warp - np.dstack([x, y]))[8:-8, 8:-8].max() < 1e-2


def test_what_is_not_finite_has_no_certainty() -> None:
    warp = identity(8, 4)
    warp[0, 0, 1, 2] = np.nan
    outputs = {"warp": warp, "certainty": np.full((1, 1, 4, 8), 5, np.float32)}
    matches = decode_two_view(outputs, InputPlan((64, 32), (64, 32)), (64, 32), "two_view")
    assert np.isfinite(matches.warp).all()
    assert matches.certainty[12, 20] == 0 and matches.certainty[-1, -1] > 0.9


@pytest.mark.parametrize(("shift", "inside"), [(0, True), (40, False), (-40, False)])
def test_matches_outside_the_right_image_are_not_valid(shift: float, inside: bool) -> None:
    outputs = {"warp": identity(8, 4, (0, shift)), "certainty": np.full((1, 1, 4, 8), 5, np.float32)}
    matches = decode_two_view(outputs, InputPlan((64, 32), (64, 32)), (64, 32), "two_view")
    assert bool(valid_matches(matches, 0.5)[16, 32]) is inside
