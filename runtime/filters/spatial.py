"""Filters of one map: speckles, the band along depth edges, holes, blocks and the region of interest."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, Mask, Size

from .options import Region

STEPS_PER_PX = 16
"""Speckles are told apart in 16ths of a pixel, as cv2.filterSpeckles wants whole numbers."""

MOST_PX = 2000.0
FAR_PX = np.float32(1e6)
LEAST_EDGE_PX, MOST_EDGE_PX = 0.3, 1.0


def without_speckles(disparity_px: FloatImage, valid: Mask, largest_px: int, step_px: float) -> Mask:
    """``valid`` (H, W) less the patches of at most ``largest_px`` px whose neighbours differ by over ``step_px``."""
    unknown = -STEPS_PER_PX
    steps = np.where(valid, np.minimum(disparity_px, MOST_PX) * STEPS_PER_PX, unknown).astype(np.int16)
    cv2.filterSpeckles(steps, unknown, largest_px, min(step_px, MOST_PX / 2) * STEPS_PER_PX)
    return np.asarray(valid & (steps != unknown))


def without_edges(disparity_px: FloatImage, valid: Mask, width_px: int, step: float) -> Mask:
    """``valid`` (H, W) less the near side of depth edges, ``width_px`` wide.

    There matchers carry the near surface over what lies behind it. A step counts from the share ``step`` of the
    disparity on: what is far away has all of its depth in few pixels.
    """
    known = np.where(valid, disparity_px, FAR_PX).astype(np.float32, copy=False)
    side = 2 * width_px + 1
    farthest = cv2.erode(known, np.ones((side, side), np.uint8))
    is_near = disparity_px - farthest > np.clip(step * disparity_px, LEAST_EDGE_PX, MOST_EDGE_PX)
    return np.asarray(valid & ~is_near)


def fill_holes(disparity_px: FloatImage, valid: Mask, largest_px: int) -> tuple[FloatImage, Mask]:
    """Disparity and mask with holes of up to ``largest_px`` px filled along the row, from the farther of both sides.

    A hole that reaches the image's left or right edge stays one.
    """
    _, label, figures, _ = cv2.connectedComponentsWithStats((~valid).astype(np.uint8), connectivity=4)
    is_small = figures[:, cv2.CC_STAT_AREA] <= largest_px
    is_small[0] = False  # the label of what is no hole
    width = valid.shape[1]
    column = np.arange(width)
    before = np.maximum.accumulate(np.where(valid, column, -1), axis=1)
    after = np.minimum.accumulate(np.where(valid, column, width)[:, ::-1], axis=1)[:, ::-1]
    filled = is_small[label] & (before >= 0) & (after < width)
    row, place = np.nonzero(filled)
    result = disparity_px.copy()
    result[row, place] = np.minimum(disparity_px[row, before[row, place]], disparity_px[row, after[row, place]])
    return result, np.asarray(valid | filled)


def block_median(disparity_px: FloatImage, valid: Mask, side_px: int) -> tuple[FloatImage, Mask]:
    """Each block of ``side_px`` squared gets the lower median of what is known in it, where that is half or more.

    The map keeps its size; rows and columns that fill no block stay as they are.
    """
    rows, columns = (count // side_px for count in valid.shape)
    area = slice(rows * side_px), slice(columns * side_px)
    values = np.where(valid, disparity_px, FAR_PX)[area].reshape(rows, side_px, columns, side_px)
    ordered = np.sort(values.transpose(0, 2, 1, 3).reshape(rows, columns, -1), axis=2)
    known = (ordered < FAR_PX).sum(axis=2)
    median = np.take_along_axis(ordered, np.maximum(known - 1, 0)[..., None] // 2, axis=2)[..., 0]
    result, mask = disparity_px.copy(), valid.copy()
    mask[area] = np.kron(2 * known >= side_px**2, np.ones((side_px, side_px), np.bool_))
    spread = np.repeat(np.repeat(median, side_px, axis=0), side_px, axis=1)
    result[area] = np.where(mask[area], spread, disparity_px[area])
    return result, mask


def region_mask(region: Region, size: Size) -> Mask:
    """(H, W): pixels whose centre lies in ``region``."""
    left, top, right, bottom = region
    x, y = ((np.arange(count) + 0.5) / count for count in size)
    return np.asarray(((y >= top) & (y <= bottom))[:, None] & ((x >= left) & (x <= right))[None])
