"""A lens in the terms of another model: the same rays through the same pixels, as nearly as that model can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.camera import CameraModel, DistortionModel, pinhole_matrix

GRID = 25, 17
"""Pixels along x and y, from corner to corner, at which the lenses are compared."""

MOST_STEPS, MOST_HALVINGS = 40, 6
CLOSE_PX = 1e-3
"""A pixel that no ray falls on, beyond where a lens folds over, comes back elsewhere: it does not count."""


class Refit(NamedTuple):
    """A camera and how far its pixels lie from those of the camera that it stands for, over the whole image."""

    camera: CameraModel
    rms_px: float
    greatest_px: float


def refitted(camera: CameraModel, models: Sequence[DistortionModel] = ("plumb_bob", "equidistant")) -> Refit:
    """The best of ``models`` with four coefficients (of plumb_bob without k3): its K and lens by least squares.

    Gauss-Newton with halved steps on the pixels of a grid, whose rays are those of ``camera``.
    """
    pixels = np.stack(np.meshgrid(*(np.linspace(0, n - 1, k) for n, k in zip(camera.size, GRID, strict=True))), -1)
    pixels = pixels.reshape(-1, 2)
    rays = camera.unproject(pixels)
    seen = np.linalg.norm(camera.project(rays) - pixels, axis=1) < CLOSE_PX
    pixels, rays = pixels[seen], rays[seen]
    return min((_fit(camera, model, rays, pixels) for model in models), key=lambda each: each.greatest_px)


def _fit(camera: CameraModel, model: DistortionModel, rays: FloatArray, pixels: FloatArray) -> Refit:
    lens = camera.distortion[:4] if model == camera.model else np.zeros(4)
    values = np.array([camera.fx, camera.fy, camera.cx, camera.cy, *lens])
    off_px = _off(camera, model, values, rays, pixels)
    for _ in range(MOST_STEPS):
        steps = np.where(np.arange(8) < 4, 1e-3, 1e-6)
        columns = [_off(camera, model, values + step, rays, pixels) - off_px for step in np.diag(steps)]
        jacobian = np.stack(columns, axis=-1).reshape(-1, 8) / steps
        change = -np.linalg.lstsq(jacobian, off_px.ravel(), rcond=None)[0]
        for halving in range(MOST_HALVINGS):
            trial = values + change / 2**halving
            trial_px = _off(camera, model, trial, rays, pixels)
            if (trial_px**2).sum() < (off_px**2).sum():
                break
        else:
            break
        is_done = (off_px**2).sum() - (trial_px**2).sum() < 1e-9 * (off_px**2).sum()
        values, off_px = trial, trial_px
        if is_done:
            break
    distance_px = np.linalg.norm(off_px, axis=1)
    rms_px = float(np.sqrt((distance_px**2).mean()))
    return Refit(_camera(camera, model, values), rms_px, float(distance_px.max()))


def _camera(camera: CameraModel, model: DistortionModel, values: FloatArray) -> CameraModel:
    lens = [*values[4:], 0.0] if model == "plumb_bob" else values[4:]
    return CameraModel(camera.size, pinhole_matrix(*np.maximum(values[:2], 1.0), *values[2:4]), np.array(lens), model)


def _off(
    camera: CameraModel, model: DistortionModel, values: FloatArray, rays: FloatArray, pixels: FloatArray
) -> FloatArray:
    """(N, 2) px; huge where the trial is no lens at all."""
    off_px = _camera(camera, model, values).project(rays) - pixels
    return np.nan_to_num(off_px, nan=1e6, posinf=1e6, neginf=-1e6)
