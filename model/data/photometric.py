"""Photometric augmentation: exposure, gamma, vignetting, blur and noise, each camera its own."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

JPEG_SHARE = 0.15
"""How many scenes come from cameras that compress."""
CLEAN = (1.0, 1.0, 0.35, 0.003, 0.0, 0.0)
"""Conditions of two equal cameras in good light."""
_LUMINANCE = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=torch.float32,
)


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.empty(shape, device=generator.device).uniform_(low, high, generator=generator)


def photograph(image: Tensor, generator: torch.Generator, shared: Tensor) -> Tensor:
    """Camera response: (B, H, W) in [0, 1] -> (B, 1, H, W) as an 8-bit camera gives it, in [0, 1].

    ``shared`` (B, 6): exposure, gamma, blur, noise level and compression that both cameras of a pair have in
    common; on top come small differences of this camera where the last is 1.
    """
    batch, height, width = image.shape
    own = torch.randn((batch, 4), generator=generator, device=image.device)
    different = (uniform((batch, 1), 0, 1, generator) < 0.5).float() * shared[:, 5:]
    gain = (shared[:, 0] * (1 + 0.12 * own[:, 0] * different[:, 0])).view(-1, 1, 1)
    gamma = (shared[:, 1] * torch.exp(0.08 * own[:, 1] * different[:, 0])).view(-1, 1, 1)
    light = gain * image.clamp(min=1e-4) ** gamma * _vignette(height, width, own[:, 2] * different[:, 0], image)
    light = _blur(light[:, None], shared[:, 2] + 0.1 * own[:, 3].abs())
    sigma = shared[:, 3].view(-1, 1, 1, 1)
    noise = torch.randn(light.shape, generator=generator, device=image.device)
    grey = (light + sigma * (0.4 + light.clamp(0, 1).sqrt()) * noise).mul(255).round().clamp(0, 255)
    coarse = shared[:, 4] > 0
    if bool(coarse.any()):
        grey[coarse] = _jpeg(grey[coarse], shared[coarse, 4])
    return grey / 255


def shared_conditions(batch: int, generator: torch.Generator, clean_share: float = 0.0) -> Tensor:
    """(B, 6): exposure, gamma, blur sigma in px, noise level, JPEG's quantization (0: none), may cameras differ.

    Some scenes are dark or overexposed; ``clean_share`` of them are as good cameras see them.
    """
    exposure = torch.exp(uniform((batch,), -0.5, 0.35, generator))
    dark = uniform((batch,), 0, 1, generator) < 0.12
    exposure = torch.where(dark, exposure * uniform((batch,), 0.1, 0.5, generator), exposure)
    gamma = torch.exp(uniform((batch,), -0.5, 0.5, generator))
    blur = torch.exp(uniform((batch,), -1.2, 0.3, generator))
    noise = torch.exp(uniform((batch,), -6.5, -3.6, generator))
    jpeg = torch.exp(uniform((batch,), -2.3, 0, generator)) * (uniform((batch,), 0, 1, generator) < JPEG_SHARE)
    conditions = torch.stack([exposure, gamma, blur, noise, jpeg, torch.ones_like(jpeg)], 1)
    if not clean_share:
        return conditions
    is_clean = uniform((batch, 1), 0, 1, generator) < clean_share
    return torch.where(is_clean, torch.tensor(CLEAN, device=generator.device), conditions)


def _jpeg(grey: Tensor, strength: Tensor) -> Tensor:
    """(B, 1, H, W) in [0, 255] with what JPEG leaves of it; H and W are multiples of 8.

    ``strength`` (B,) times the standard's luminance table is the quantization (ITU-T T.81, annex K.1): 1 is quality 50.
    """
    batch, _, height, width = grey.shape
    wave, table = _cosines(grey.device), _LUMINANCE.to(grey.device)
    blocks = grey.reshape(batch, height // 8, 8, width // 8, 8).transpose(2, 3) - 128
    step = table * strength.view(-1, 1, 1, 1, 1)
    kept = (wave @ blocks @ wave.T / step).round() * step
    return (wave.T @ kept @ wave + 128).transpose(2, 3).reshape(grey.shape).round().clamp(0, 255)


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal DCT of 8 samples as a matrix (frequency, sample)."""
    k, n = torch.meshgrid(torch.arange(8.0, device=device), torch.arange(8.0, device=device), indexing="ij")
    scale = torch.where(k == 0, 0.125, 0.25).sqrt()
    return scale * torch.cos(torch.pi * (2 * n + 1) * k / 16)


def _vignette(height: int, width: int, strength: Tensor, like: Tensor) -> Tensor:
    y = torch.linspace(-1, 1, height, device=like.device)[None, :, None]
    x = torch.linspace(-1, 1, width, device=like.device)[None, None, :]
    return 1 - 0.12 * strength.abs().view(-1, 1, 1) * (x * x + y * y)


def _blur(image: Tensor, sigma_px: Tensor) -> Tensor:
    """Separable Gaussian of 5 taps with its own sigma for each image of the batch."""
    offset = torch.arange(-2, 3, device=image.device)
    kernel = torch.exp(-0.5 * (offset / sigma_px[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    batch = len(image)
    padded = functional.pad(image, (2, 2, 2, 2), mode="replicate").transpose(0, 1)
    rows = functional.conv2d(padded, kernel.view(batch, 1, 1, 5), groups=batch)
    return functional.conv2d(rows, kernel.view(batch, 1, 5, 1), groups=batch).transpose(0, 1)
