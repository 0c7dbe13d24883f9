"""Subpixel refinement of board corners, and the sharpness of their edges."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, GreyImage

LEAST_WINDOW_PX, GREATEST_WINDOW_PX = 2, 11
CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-4)


def refined(grey: GreyImage, pixels: FloatArray, spacing_px: float, share: float = 0.28) -> FloatArray:
    """Subpixel saddle points near ``pixels`` (N, 2); ``spacing_px`` is the distance to the nearest other corner.

    The window reaches ``share`` of that to each side and stays clear of the neighbours' edges: too large a one
    would pull corners aside where a lens bends the lines.
    """
    if not len(pixels):
        return pixels
    half = int(np.clip(share * spacing_px, LEAST_WINDOW_PX, GREATEST_WINDOW_PX))
    points = pixels.astype(np.float32).reshape(-1, 1, 2).copy()
    moved = cv2.cornerSubPix(grey, points, (half, half), (-1, -1), CRITERIA)
    return np.asarray(moved, np.float64).reshape(-1, 2)


def nearest_spacing(pixels: FloatArray) -> float:
    """The 10th percentile of the distance (px) from each of the pixels (N, 2) to its nearest neighbour."""
    if len(pixels) < 2:
        return 2.0 * GREATEST_WINDOW_PX
    distance = np.linalg.norm(pixels[:, None] - pixels[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return float(np.percentile(distance.min(axis=1), 10))


def edge_width_px(grey: GreyImage, pixels: FloatArray, spacing_px: float) -> float:
    """How many pixels an edge takes from black to white near the corners: about 1.5 to 3 in a sharp image.

    The contrast of a patch over its steepest gradient, median over up to 40 corners (N, 2).
    """
    half = int(np.clip(0.45 * spacing_px, 3, 20))
    chosen = pixels[np.linspace(0, len(pixels) - 1, min(len(pixels), 40)).astype(int)]
    widths = [_edge_width(patch) for patch in (_patch(grey, pixel, half) for pixel in chosen) if patch.size]
    return float(np.median(widths)) if widths else float("inf")


def _patch(grey: GreyImage, pixel: FloatArray, half: int) -> FloatImage:
    x, y = np.round(pixel).astype(int)
    inside = half <= x < grey.shape[1] - half and half <= y < grey.shape[0] - half
    if not inside:
        return np.empty((0, 0), np.float32)
    return grey[y - half : y + half + 1, x - half : x + half + 1].astype(np.float32)


def _edge_width(patch: FloatImage) -> float:
    low, high = np.percentile(patch, (5, 95))
    gradient = np.hypot(*np.gradient(patch))
    return float((high - low) / max(float(np.percentile(gradient, 98)), 1e-3))
