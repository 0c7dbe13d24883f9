"""Variants of TinyRoMa with weights that do something: random ones on which the softmax has peaks."""

from __future__ import annotations

from pathlib import Path

import torch

from model.tiny_roma.config import TinyRomaConfig
from model.tiny_roma.export import write_bundle
from model.tiny_roma.network import TinyRoma
from roma_device.runtime.card import ModelCard, load_card

SIZE = (128, 96)
"""Width and height in px: the least at which every block has something to do."""


def lively(config: TinyRomaConfig, seed: int = 0) -> TinyRoma:
    """Batch norm has seen images, similarities spread over several units, matchers move matches by pixels."""
    torch.manual_seed(seed)
    network = TinyRoma(config)
    with torch.no_grad():
        network.backbone.block_fusion[2].weight *= 60
        for _ in range(3):
            network.train()(torch.rand(2, 1, *SIZE[::-1]), torch.rand(2, 1, *SIZE[::-1]))
    return network.eval()


def random_bundle(variant: str, folder: Path, size: tuple[int, int] = SIZE) -> tuple[TinyRoma, ModelCard]:
    network = lively(TinyRomaConfig.load(variant))
    write_bundle(network, size, folder, variant)
    return network, load_card(folder)
