"""What a trained network finds on pairs that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from model.base.loop import normalize
from model.data.two_view_pairs import TwoViewBatch
from model.tiny_roma.config import Position
from model.tiny_roma.loss import at_cells
from model.tiny_roma.network import TinyRoma

from .plan import Pairs

STRIDE = 4
"""Input px per cell at whose middles all are scored, so that those with and without a fine matcher can be compared."""
Scores = dict[str, dict[str, float]]
"""Condition -> figure -> value."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A way to use trained weights."""

    network: TinyRoma
    normalized: bool  # by the program, before the network

    def errors_px(self, batch: TwoViewBatch) -> Tensor:
        """(N, 2): error in x and y of the cells whose match is known."""
        images = [normalize(one) if self.normalized else one for one in (batch.a, batch.b)]
        with torch.no_grad():
            last = self.network.infer(*images).stages[-1]
        position = last.position.float()
        if last.stride != STRIDE:  # as the program enlarges it
            factor = last.stride / STRIDE
            position = functional.interpolate(position, scale_factor=factor, mode="bilinear", align_corners=False)
        truth, known = at_cells(batch, STRIDE)
        height, width = batch.a.shape[2:]
        half = torch.tensor([width / 2, height / 2], device=position.device)
        return ((position - truth).permute(0, 2, 3, 1) * half)[known]


def readings(network: TinyRoma) -> dict[str, Reading]:
    """As it was trained, and what can be changed afterwards without new weights; ``network`` matches whole images."""
    normalized = network.config.normalization == "preprocess"
    exact = _with_position(network, "exact")  # as training has it whatever the variant says
    found = {
        "as trained": Reading(exact, normalized),
        "released position": Reading(_with_position(network, "released"), normalized),
    }
    return found | ({"raw grey": Reading(exact, False)} if normalized else {})


def _with_position(network: TinyRoma, position: Position) -> TinyRoma:
    changed = TinyRoma(replace(network.config, position=position)).to(next(network.parameters()).device).eval()
    changed.load_state_dict(network.state_dict())
    return changed


def score(network: TinyRoma, pairs: Pairs, held_out: Mapping[str, list[TwoViewBatch]]) -> Scores:
    """By reading for two views, by misalignment for rectified pairs."""
    if pairs == "two_view":
        batches = held_out["moved"]
        return {name: _two_view_figures(reading, batches) for name, reading in readings(network).items()}
    reading = Reading(network.eval(), network.config.normalization == "preprocess")
    return {shift: _stereo_figures(reading, batches) for shift, batches in held_out.items()}


def _two_view_figures(reading: Reading, batches: list[TwoViewBatch]) -> dict[str, float]:
    """Shares of cells whose match is near, and the median distance."""
    distance = _all_errors(reading, batches).norm(dim=1)
    return {
        "within_3px": _share(distance < 3),
        "within_1pct": _share(distance < batches[0].a.shape[3] / 100),
        "median_px": _rounded(distance.median()),
    }


def _stereo_figures(reading: Reading, batches: list[TwoViewBatch]) -> dict[str, float]:
    """Of the disparity, which depth comes from, and of the row."""
    error = _all_errors(reading, batches).abs()
    return {
        "within_3px": _share(error[:, 0] < 3),
        "within_1px": _share(error[:, 0] < 1),
        "epe_px": _rounded(error[:, 0].mean()),
        "row_px": _rounded(error[:, 1].mean()),
    }


def _all_errors(reading: Reading, batches: list[TwoViewBatch]) -> Tensor:
    device = next(reading.network.parameters()).device
    return torch.cat([reading.errors_px(batch.to(device)) for batch in batches])


def _share(hit: Tensor) -> float:
    return _rounded(hit.float().mean())


def _rounded(value: Tensor) -> float:
    """As the file keeps it."""
    return round(float(value), 5)
