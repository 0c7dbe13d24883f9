"""Relative pose of two images."""

from __future__ import annotations

import os
from typing import Any

from roma_device.app import matchers
from roma_device.app.matchers import MatcherError, PairMatcher
from roma_device.app.pair_pose.command import estimate_pair
from roma_device.app.pair_pose.intrinsics import PairCameras
from roma_device.calibration.arrays import Image, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError
from roma_device.runtime.grey import grey
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.relative_pose.result import RelativePose

from .log import stay_silent
from .pairs import check_image
from .words import in_keywords

stay_silent()

Intrinsics = CameraModel | tuple[float, float, float, float]


@in_keywords
def open_matcher(name: str | None = None, options: NetworkOptions | None = None) -> PairMatcher:
    """A matcher for many calls of ``relative_pose``; close it in the end.

    ``name``: a bundled two-view model or a bundle's folder, sift or orb; None is two-view, or sift where no engine
    runs it. ``options`` say how a network is run. Raises RomaError.
    """
    if name is not None and not isinstance(name, str):
        raise MatcherError(f"the matcher must be named by a text, not {name!r}")
    return matchers.open_matcher(name, options or NetworkOptions())


@in_keywords
def relative_pose(
    a: Image,
    b: Image,
    intrinsics: Intrinsics,
    intrinsics_b: Intrinsics | None = None,
    *,
    matcher: str | PairMatcher | None = None,
    options: NetworkOptions | None = None,
) -> RelativePose:
    """The second camera's pose relative to the first: ``b_from_a`` in optical frames, translation of length 1.

    Images are (H, W) or (H, W, 3) uint8, BGR, and may differ in size. ``intrinsics``: a CameraModel, or fx, fy, cx, cy
    in px with pixel centres at integers; ``intrinsics_b`` where the second camera is another. ``matcher``: a name as
    for ``open_matcher``, or what that gave, which stays open for many pairs.

    ``state`` says whether the pose can be believed (ok, degraded, lost). Raises RomaError.
    """
    check_image("the first image", a)
    check_image("the second image", b)
    camera_a = _camera(intrinsics, Size.of(a))
    camera_b = _camera(intrinsics if intrinsics_b is None else intrinsics_b, Size.of(b))
    given: Any = matcher
    opened: PairMatcher = given if hasattr(given, "match") else open_matcher(given, options)
    try:
        grey_a, grey_b = grey(a), grey(b)
        found = estimate_pair(grey_a, grey_b, opened.match(grey_a, grey_b), PairCameras(camera_a, camera_b))
    finally:
        if opened is not given:
            opened.close()
    assert isinstance(found, RelativePose)
    return found


def _camera(intrinsics: Any, size: Size) -> CameraModel:
    if isinstance(intrinsics, CameraModel):
        return intrinsics.fitted_to(size, "the camera")
    try:
        fx, fy, cx, cy = map(float, intrinsics)
    except (TypeError, ValueError):
        message = f"intrinsics must be a CameraModel or four numbers fx, fy, cx, cy in px, not {intrinsics!r}"
        raise CalibrationError(message, exit_code=os.EX_USAGE) from None
    return CameraModel.pinhole(size, fx, fy, cx, cy)
