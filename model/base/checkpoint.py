"""Checkpoints: read and put into a network, or refused in one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from roma_device.runtime.card import ModelError

Network = TypeVar("Network", bound=nn.Module)

NEW_OUTPUT = 0.2
"""Share of their random weights with which outputs that a convolution gained start."""


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What ``model.train`` or ``strip_checkpoint`` saved; raises ModelError where the file is not that."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except OSError as error:
        message = f"{path}: cannot read the checkpoint ({error.strerror or error})"
        raise ModelError(message, exit_code=os.EX_NOINPUT) from None
    except Exception:  # on bytes of any other kind torch's reader fails in whatever way they lead to
        raise ModelError(f"{path}: not a checkpoint, or only a part of one; copy it again") from None
    if not (isinstance(state, dict) and {"step", "variant", "network"} <= state.keys()):
        raise ModelError(f"{path}: not a checkpoint of model.train: it lacks step, variant or network")
    return state


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Put ``weights``, read from ``path``, into ``network``; raises ModelError naming the first that does not fit."""
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        if name not in weights:
            raise ModelError(f"{path}: {name} is missing: these are the weights of another network")
        if weights[name].shape != tensor.shape:
            found, needed = tuple(weights[name].shape), tuple(tensor.shape)
            raise ModelError(f"{path}: {name} has shape {found}, the network needs {needed}: another variant?")
    if unknown := sorted(weights.keys() - wanted.keys()):
        raise ModelError(f"{path}: {unknown[0]} is not in the network: these are the weights of another one")
    network.load_state_dict(weights)


def grown(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``weights`` of a smaller network, completed for ``network`` so that it computes nearly what the smaller one did.

    Parts that the smaller one lacked keep what ``network`` has: residual blocks count for nothing at first. Where a
    convolution has gained inputs at its end, these get weight 0; outputs that it gained start small.
    """
    complete = dict(weights)
    for name, tensor in network.state_dict().items():
        known = weights.get(name)
        if known is None:
            complete[name] = tensor
            continue
        if known.ndim == 4 and (more := tensor.shape[1] - known.shape[1]) > 0:
            complete[name] = functional.pad(known, (0, 0, 0, 0, 0, more))
        if _has_more_outputs(tensor, complete[name]):
            complete[name] = torch.cat([complete[name], NEW_OUTPUT * tensor[len(known) :]])
    return complete


def _has_more_outputs(tensor: Tensor, known: Tensor) -> bool:
    """And is else of the same shape; what differs otherwise is left for ``load_weights`` to refuse."""
    return tensor.ndim == known.ndim > 0 and tensor.shape[1:] == known.shape[1:] and len(tensor) > len(known)


def load_averaged(checkpoint: Path, make: Callable[[str], Network]) -> tuple[Network, dict[str, Any]]:
    """The averaged weights of ``checkpoint`` in what ``make`` gives for its variant, ready for inference, and what
    else it says. Raises ModelError."""
    state = read_checkpoint(checkpoint)
    network = make(state["variant"])
    load_weights(network, state.get("average", state["network"]), checkpoint)
    return network.eval(), {"step": int(state["step"]), "variant": state["variant"]}
