"""Subpixel refinement of a network's matches by Lucas-Kanade alignment of the patches around them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from roma_device.calibration.arrays import Image
from roma_device.calibration.lucas_kanade import follow_there_and_back
from roma_device.runtime.odometry.sparse_stereo import PATCH_PX

from .point_pairs import PointPairs

MOST_PX = 2.0
"""A patch that comes to lie farther from where the network had it, in px of the network's input, is another one."""

LEAST_TEXTURE = 4e-3
"""Smaller eigenvalue of the patch's gradient matrix, as OpenCV scales it: with less, noise would move the patch."""


def refined_subpixel(pairs: PointPairs, a: Image, b: Image, scale: float = 1.0) -> PointPairs:
    """Refine to subpixels: ``pairs`` with the point in ``b`` where the patch around the point in ``a`` fits best.

    ``a`` and ``b``: grey (H, W) of one size. ``scale``: px of the images per px of the network's input. A point whose
    patch has little texture, does not lead back or goes astray stays where the network has it.
    """
    levels = max(0, round(float(np.log2(scale)))) if scale > 1 else 0
    places, found = follow_there_and_back(a, b, pairs.a, pairs.b, levels, PATCH_PX, LEAST_TEXTURE)
    near = np.linalg.norm(places - pairs.b, axis=1) < MOST_PX * max(scale, 1.0)
    return replace(pairs, b=np.where((found & near)[:, None], places, pairs.b))
