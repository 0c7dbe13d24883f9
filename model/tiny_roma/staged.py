"""TinyRoMa as several graphs: the host fetches the right image's features between them, in place of grid_sample.

The first graph gives the features of both images and the coarse warp, the second is the coarse matcher, which runs as
often as the variant has passes, the third the fine matcher. ``roma_device.runtime.cascade.right_features`` is the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from model.base.npu_graph import for_npu
from model.base.onnx_file import INPUTS, exported_from
from model.base.staged_files import stage_entry, write_card
from roma_device.calibration.arrays import Size
from roma_device.runtime.cascade.right_features import ENLARGED
from roma_device.runtime.cascade.right_features import INPUTS as LATER_INPUTS

from .config import TinyRomaConfig
from .network import TinyRoma, run_fine

MATCHES = ("warp", "certainty")
CELL_PX = {"coarse": 8, "fine": 4}


class FirstGraph(nn.Module):
    """Images -> ``left_NAME`` and ``right_NAME`` of each later stage, and the coarse ``warp``."""

    def __init__(self, network: TinyRoma) -> None:
        super().__init__()
        self.network = network

    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, ...]:
        (fine_left, coarse_left), (fine_right, coarse_right) = self.network.features(left, right)
        _, position = self.network.compared(coarse_left, coarse_right)
        coarse = coarse_left, coarse_right
        return (*coarse, position) if self.network.config.fine == "none" else (*coarse, fine_left, fine_right, position)


class MatcherGraph(nn.Module):
    """Features of the left image, those fetched from the right one, matches -> better matches."""

    def __init__(self, network: TinyRoma, name: str, size: Size) -> None:
        super().__init__()
        self.config, self.is_coarse = network.config, name == "coarse"
        self.matcher = network.coarse_matcher if self.is_coarse else network.fine_matcher
        self.enlarge = network.enlarge if self.is_coarse and self.config.fine != "none" else None
        self.per_px: Tensor
        self.register_buffer("per_px", torch.tensor([[[2 / size.width]], [[2 / size.height]], [[1.0]]])[None])

    def forward(self, left: Tensor, warped: Tensor, matches: Tensor) -> tuple[Tensor, ...]:
        inputs = torch.cat([left, warped, matches[:, :2]], 1)
        delta = self.matcher(inputs) if self.is_coarse else run_fine(self.matcher, inputs, self.config.fine)
        better = matches + delta * self.per_px
        found = better[:, :2], better[:, 2:]
        return found if self.enlarge is None else (*found, self.enlarge(better))


def later_stages(config: TinyRomaConfig) -> dict[str, int]:
    """Names of the stages behind the first, and how often each runs."""
    return {"coarse": config.passes} | ({} if config.fine == "none" else {"fine": 1})


def graphs(network: TinyRoma, size: Size) -> dict[str, onnx.ModelProto]:
    """Stage -> graph for images of ``size`` alone; the first is called "features"."""
    config, later = network.config, later_stages(network.config)
    image = torch.zeros(1, 1, size.height, size.width)
    features = [f"{side}_{name}" for name in later for side in INPUTS]
    found = {"features": exported_from(FirstGraph(network), dict.fromkeys(INPUTS, image), [*features, "warp"], None)}
    for name in later:
        channels = config.coarse_features if name == "coarse" else config.fine_features
        cells = size.height // CELL_PX[name], size.width // CELL_PX[name]
        tensors = (torch.zeros(1, count, *cells) for count in (channels, channels, 3))
        outputs = (*MATCHES, ENLARGED) if name == "coarse" and "fine" in later else MATCHES
        example = dict(zip(LATER_INPUTS, tensors, strict=True))
        found[name] = exported_from(MatcherGraph(network, name, size), example, outputs, None)
    return {name: for_npu(graph) for name, graph in found.items()}


def write_staged(network: TinyRoma, size: Size, folder: Path, card: dict[str, Any]) -> None:
    """The bundle ``folder``; ``card`` is what it says besides its graphs."""
    folder.mkdir(parents=True, exist_ok=True)
    every = graphs(network, size)
    stages = [stage_entry(folder, name, {"onnx": graph}, size) for name, graph in every.items()]
    for stage, passes in zip(stages[1:], later_stages(network.config).values(), strict=True):
        stage |= {"host": "warp_features", "passes": passes}
    write_card(folder / "card.yaml", {"name": folder.name, "stages": stages, **card})
