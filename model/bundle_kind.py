"""What export and quantization have to know of each kind of network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from torch import Tensor

from .base.checkpoint import read_checkpoint
from .cascade import bundle as cascade_bundle
from .cascade.network import names as cascade_names
from .data.loader import batches
from .data.stereo_pairs import PairRenderer, SceneSampler
from .data.texture_atlas import Atlas
from .data.two_view_pairs import TwoViewRenderer
from .data.two_view_scenes import TwoViewSampler
from .stereo import bundle as stereo_bundle

Pairs = Iterator[tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class BundleKind:
    """Of a trained network."""

    load: Callable[[Path], tuple[Any, dict[str, Any]]]  # checkpoint -> averaged weights, step and variant
    write: Callable[[Any, dict[str, Any], Path, str, tuple[int, int] | None], None]
    # network, more keys of the card, folder, name, size in px or None for any
    for_int8: Callable[[Any], onnx.ModelProto]  # the form in which 8-bit hosts run it
    pairs: Callable[[Atlas, int, int], Pairs]  # atlas, seed, count -> grey in [0, 1], one pair at a time
    domain: str  # what it was trained on
    int8_in_float: tuple[str, ...] | None  # parts that 8 bits spoil; None: as the quantizer leaves the graph
    measured: tuple[str, ...]  # figures of an evaluation that its card repeats


def kind_of_checkpoint(checkpoint: Path) -> BundleKind:
    """Raises ModelError where ``checkpoint`` is none; an unknown variant is left to ``load`` to refuse."""
    return TWO_VIEW if read_checkpoint(checkpoint)["variant"] in cascade_names() else STEREO


def _stereo_pairs(atlas: Atlas, seed: int, count: int) -> Pairs:
    size = stereo_bundle.DEFAULT_SIZE
    sampler = SceneSampler(size, 1, len(atlas), seed=seed)
    return ((one.left, one.right) for one in batches(sampler, PairRenderer(atlas, size), 0, count, workers=0))


def two_view_pairs(atlas: Atlas, seed: int, count: int, size: tuple[int, int] = cascade_bundle.DEFAULT_SIZE) -> Pairs:
    """Images of ``size`` (width, height)."""
    sampler = TwoViewSampler(size, 1, len(atlas), seed=seed)
    return ((one.a, one.b) for one in batches(sampler, TwoViewRenderer(atlas, size), 0, count, workers=0))


STEREO = BundleKind(
    stereo_bundle.load_network,
    stereo_bundle.write_bundle,
    lambda network: stereo_bundle.to_onnx(network.far_first(), stereo_bundle.DEFAULT_SIZE, dynamic=True),
    _stereo_pairs,
    "synthetic pairs (model/data/stereo_pairs.py)",
    None,
    ("bad2", "bad3", "epe", "d1", "bad2_80"),
)
TWO_VIEW = BundleKind(
    cascade_bundle.load_network,
    cascade_bundle.write_bundle,
    lambda network: cascade_bundle.to_onnx(network, cascade_bundle.DEFAULT_SIZE, is_open=True),
    two_view_pairs,
    "synthetic pairs (model/data/two_view_pairs.py)",
    ("/to_quarter.0/", "/inlet/", "/score", "/delta", "/trust.1"),
    ("auc5", "auc10", "auc20"),
)
