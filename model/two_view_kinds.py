"""Networks for pairs of images, by the kind that their variant files name: what training has to know of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from roma_device.runtime.card import ModelError

from .cascade import network as cascade
from .cascade.loss import cascade_loss
from .data.two_view_pairs import TwoViewBatch
from .tiny_roma import config as tiny_roma
from .tiny_roma.loss import candidate_loss, two_view_loss
from .tiny_roma.network import TinyRoma


class AnyStage(Protocol):
    """What one stage of a network says."""

    @property
    def stride(self) -> int:
        """Input px per cell."""

    @property
    def position(self) -> Tensor:
        """(B, 2, h, w) in the second image, in [-1, 1] from border to border."""


class Kind(Protocol):
    """A variant, ready to be trained."""

    normalized: bool  # the network takes images of mean 0 and variance 1
    rectified: bool  # it matches along rows

    def network(self) -> nn.Module: ...

    def loss(self, output: Any, truth: TwoViewBatch) -> tuple[Tensor, dict[str, float]]:
        """For what ``infer`` of the network returned: what is to become small, and its parts for the log."""

    def stages(self, output: Any) -> Sequence[AnyStage]:
        """From the coarsest to the last."""


class TinyRomaKind:
    """A variant of TinyRoMa."""

    def __init__(self, variant: str) -> None:
        self._config = tiny_roma.TinyRomaConfig.load(variant)
        self.normalized, self.rectified = self._config.normalization == "preprocess", self._config.stereo

    def network(self) -> nn.Module:
        return TinyRoma(self._config)

    def loss(self, output: Any, truth: TwoViewBatch) -> tuple[Tensor, dict[str, float]]:
        regression, parts = two_view_loss(output.stages, truth)
        comparison = candidate_loss(output.comparison.candidates(), truth)
        return regression + comparison, {"comparison": float(comparison.detach())} | parts

    def stages(self, output: Any) -> Sequence[AnyStage]:
        return output.stages  # type: ignore[no-any-return]


class CascadeKind:
    """A variant of our own network."""

    normalized, rectified = True, False

    def __init__(self, variant: str) -> None:
        self._config = cascade.CascadeConfig.load(variant)

    def network(self) -> nn.Module:
        return cascade.Cascade(self._config)

    def loss(self, output: Any, truth: TwoViewBatch) -> tuple[Tensor, dict[str, float]]:
        return cascade_loss(output, truth)

    def stages(self, output: Any) -> Sequence[AnyStage]:
        return output.stages  # type: ignore[no-any-return]


def two_view_variants() -> list[str]:
    """All that ``kind_of`` knows."""
    return sorted([*tiny_roma.names(), *cascade.names()])


def kind_of(variant: str) -> Kind:
    """Raises ModelError for a variant that matches something else, or nothing."""
    if variant in cascade.names():
        return CascadeKind(variant)
    if variant in tiny_roma.names():
        return TinyRomaKind(variant)
    raise ModelError(f"unknown variant {variant!r}; known: {', '.join(two_view_variants())}")
