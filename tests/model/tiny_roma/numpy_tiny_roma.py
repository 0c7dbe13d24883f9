"""The released TinyRoMa once more, in float64 numpy and from its published description: what the import is held to.

Plain loops over taps and cells, nothing shared with ``model/``; the names of the state dict are the published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
State = Mapping[str, npt.NDArray[Any]]

LAYOUT: dict[str, list[tuple[int, int, int, int]]] = {
    "xfeat.0.block1": [(1, 4, 3, 1), (4, 8, 3, 2), (8, 8, 3, 1), (8, 24, 3, 2)],
    "xfeat.0.block2": [(24, 24, 3, 1), (24, 24, 3, 1)],
    "xfeat.0.block3": [(24, 64, 3, 2), (64, 64, 3, 1), (64, 64, 1, 1)],
    "xfeat.0.block4": [(64, 64, 3, 2), (64, 64, 3, 1), (64, 64, 3, 1)],
    "xfeat.0.block5": [(64, 128, 3, 2), (128, 128, 3, 1), (128, 128, 3, 1), (128, 64, 1, 1)],
    "xfeat.0.block_fusion": [(64, 64, 3, 1), (64, 64, 3, 1)],
    "coarse_matcher": [(130, 256, 3, 1), (256, 256, 3, 1), (256, 256, 3, 1), (256, 256, 3, 1)],
    "fine_matcher": [(50, 64, 3, 1), (64, 64, 3, 1), (64, 64, 3, 1), (64, 64, 3, 1)],
}
"""Block -> inputs, outputs, kernel, stride of its layers."""
LINEAR = {
    "xfeat.0.skip1.1": (1, 24),
    "xfeat.0.block_fusion.2": (64, 64),
    "coarse_matcher.4": (256, 3),
    "fine_matcher.4": (64, 3),
}


def random_state(seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """A state dict of the published names and shapes, with weights for which every stage does something."""
    rng = np.random.default_rng(seed)
    state: dict[str, Any] = {}
    for block, layers in LAYOUT.items():
        for index, (inputs, outputs, kernel, _) in enumerate(layers):
            name = f"{block}.{index}.layer"
            scale = (2 / (inputs * kernel**2)) ** 0.5
            state[f"{name}.0.weight"] = rng.standard_normal((outputs, inputs, kernel, kernel)) * scale
            state[f"{name}.1.running_mean"] = rng.standard_normal(outputs) * 0.1
            state[f"{name}.1.running_var"] = rng.uniform(0.5, 1.5, outputs)
    for name, (inputs, outputs) in LINEAR.items():
        state[f"{name}.weight"] = rng.standard_normal((outputs, inputs, 1, 1)) * (3 / inputs**0.5)
        state[f"{name}.bias"] = rng.standard_normal(outputs) * 0.1
    return {name: np.asarray(value, np.float32) for name, value in state.items()}


def convolve(x: Array, weight: Array, stride: int) -> Array:
    """(C, H, W) -> (D, H', W'), zero padding that keeps the size at stride 1."""
    kernel = weight.shape[-1]
    pad = kernel // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    height, width = (-(-size // stride) for size in x.shape[1:])
    total = np.zeros((len(weight), height, width))
    for i in range(kernel):
        for j in range(kernel):
            part = padded[:, i : i + (height - 1) * stride + 1 : stride, j : j + (width - 1) * stride + 1 : stride]
            total += np.einsum("dc,chw->dhw", weight[:, :, i, j], part)
    return total


def block(x: Array, state: State, name: str) -> Array:
    for index, (_, _, _, stride) in enumerate(LAYOUT[name]):
        layer = f"{name}.{index}.layer"
        x = convolve(x, state[f"{layer}.0.weight"].astype(float), stride)
        mean, variance = (state[f"{layer}.1.running_{what}"].astype(float)[:, None, None] for what in ("mean", "var"))
        x = np.maximum((x - mean) / np.sqrt(variance + 1e-5), 0)
    return x


def linear(x: Array, state: State, name: str) -> Array:
    return convolve(x, state[f"{name}.weight"].astype(float), 1) + state[f"{name}.bias"].astype(float)[:, None, None]


def enlarge(x: Array, factor: int) -> Array:
    """Bilinear, cell centres at halves, the border held."""

    def along(values: Array, axis: int) -> Array:
        count = values.shape[axis]
        place = np.clip((np.arange(count * factor) + 0.5) / factor - 0.5, 0, count - 1)
        low = np.minimum(np.floor(place).astype(int), count - 2)
        share = (place - low).reshape([-1 if k == axis else 1 for k in range(3)])
        return np.asarray(np.take(values, low, axis) * (1 - share) + np.take(values, low + 1, axis) * share)

    return along(along(x, 1), 2)


def features(grey: Array, state: State) -> tuple[Array, Array]:
    """(H, W) in [0, 1] -> fine and coarse features."""
    x = ((grey - grey.mean()) / np.sqrt(grey.var() + 1e-5))[None]
    height, width = grey.shape
    quarter = x.reshape(1, height // 4, 4, width // 4, 4).mean((2, 4))
    fine = block(block(x, state, "xfeat.0.block1") + linear(quarter, state, "xfeat.0.skip1.1"), state, "xfeat.0.block2")
    eighth = block(fine, state, "xfeat.0.block3")
    sixteenth = block(eighth, state, "xfeat.0.block4")
    last = block(sixteenth, state, "xfeat.0.block5")
    fused = block(eighth + enlarge(sixteenth, 2) + enlarge(last, 4), state, "xfeat.0.block_fusion")
    return fine, linear(fused, state, "xfeat.0.block_fusion.2")


def grid(height: int, width: int) -> Array:
    """(2, height, width): x, y in [-1, 1]."""
    x, y = (-1 + (2 * np.arange(n) + 1) / n for n in (width, height))
    return np.stack(np.meshgrid(x, y))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(0))
    return np.asarray(e / e.sum(0))


def place(a: Array, b: Array, released: bool) -> Array:
    """Expected position in B of each cell of A."""
    channels, height, width = a.shape
    similarity = np.einsum("ci,cj->ji", a.reshape(channels, -1), b.reshape(channels, -1)) / np.sqrt(channels)
    cells = grid(height, width).reshape(2, -1)
    if not released:
        return np.asarray((cells @ softmax(similarity)).reshape(2, height, width))
    best = similarity.argmax(0)
    coarse = similarity.reshape(height, width, -1)[::4, ::4]
    weight = softmax(np.concatenate([coarse.reshape(-1, similarity.shape[1]), best[None].astype(float)]))
    x, y = (np.linspace(-1 + 4 / n, 1 - 4 / n, n // 4) for n in (width, height))
    coarse_cells = np.stack(np.meshgrid(x, y)).reshape(2, -1)
    return np.asarray((coarse_cells @ weight[:-1] + weight[-1] * cells[:, best]).reshape(2, height, width))


def fetch(x: Array, position: Array) -> Array:
    """Bilinear at (2, h, w) in [-1, 1], zero outside."""
    channels, height, width = x.shape
    px, py = (position[0] + 1) * width / 2 - 0.5, (position[1] + 1) * height / 2 - 0.5
    total = np.zeros((channels, *position.shape[1:]))
    for row in range(position.shape[1]):
        for column in range(position.shape[2]):
            u, v = px[row, column], py[row, column]
            for i in (int(np.floor(v)), int(np.floor(v)) + 1):
                for j in (int(np.floor(u)), int(np.floor(u)) + 1):
                    if 0 <= i < height and 0 <= j < width:
                        total[:, row, column] += (1 - abs(u - j)) * (1 - abs(v - i)) * x[:, i, j]
    return total


def forward(grey_a: Array, grey_b: Array, state: State, released: bool = True) -> tuple[Array, Array]:
    """Position (2, H/4, W/4) and certainty logit (H/4, W/4)."""
    (fine_a, a), (fine_b, b) = features(grey_a, state), features(grey_b, state)
    height, width = grey_a.shape
    per_px = np.array([2 / width, 2 / height, 1])[:, None, None]
    warp = place(a, b, released)
    stack = block(np.concatenate([a, fetch(b, warp), warp]), state, "coarse_matcher")
    matches = np.concatenate([warp, np.zeros((1, *warp.shape[1:]))]) + linear(stack, state, "coarse_matcher.4") * per_px
    matches = enlarge(matches, 2)
    stack = block(np.concatenate([fine_a, fetch(fine_b, matches[:2]), matches[:2]]), state, "fine_matcher")
    matches = matches + linear(stack, state, "fine_matcher.4") * per_px
    return matches[:2], matches[2]
