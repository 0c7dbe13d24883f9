"""Optimizers: Muon (orthogonalized momentum) for convolutions, AdamW for all else.

Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/): the momentum of each weight matrix is
replaced by the nearest orthogonal matrix, so that every direction learns at the same speed. Batch
norm makes our convolutions indifferent to their scale, which suits steps of a fixed relative size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration in Jordan's text; singular values end between 0.7 and 1.2."""


@torch.no_grad()
def orthogonalized(matrix: Tensor, steps: int = 5) -> Tensor:
    """The orthogonal factor of ``matrix`` (rows, columns), roughly, by Newton-Schulz iteration.

    Every iterate is a polynomial of the Gram matrix times ``matrix``. So the steps work on the small Gram matrix, and
    the wide one is multiplied twice in all: the same to rounding, in a third of the time for our widest filters.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrix / (matrix.norm() + 1e-7)
    if tall := x.shape[0] > x.shape[1]:
        x = x.T
    gram = x @ x.T
    product = torch.eye(len(gram), dtype=x.dtype, device=x.device)
    for _ in range(steps):
        factor = b * gram + c * gram @ gram
        factor.diagonal().add_(a)
        product, gram = factor @ product, factor @ gram @ factor
    result: Tensor = product @ x
    return result.T if tall else result


class Muon(torch.optim.Optimizer):
    """Muon: Nesterov momentum, orthogonalized, with decoupled weight decay; for weights of two or more axes."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, group)

    def _update(self, weight: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        momentum = state.setdefault("momentum", torch.zeros_like(weight))
        momentum.mul_(group["momentum"]).add_(weight.grad)
        direction = orthogonalized((weight.grad + group["momentum"] * momentum).flatten(1))
        rows, columns = direction.shape
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(direction.view_as(weight), alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def optimizers(network: nn.Module, rate: float, muon_rate: float, decay: float) -> list[torch.optim.Optimizer]:
    """AdamW alone where ``muon_rate`` is 0; else Muon for the filters and AdamW for scales, biases and the rest."""
    filters = [p for p in network.parameters() if p.ndim == 4 and p.shape[0] > 1] if muon_rate else []
    chosen = {id(p) for p in filters}
    others = [p for p in network.parameters() if id(p) not in chosen]
    result: list[torch.optim.Optimizer] = [torch.optim.AdamW(others, rate, weight_decay=decay)]
    return [*result, Muon(filters, muon_rate, weight_decay=decay)] if filters else result
