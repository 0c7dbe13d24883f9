"""Relative pose of two images."""

from __future__ import annotations

from roma_device.app.matchers import PairMatcher, open_matcher
from roma_device.app.pair_pose.estimate import estimate_pair
from roma_device.app.pair_pose.intrinsics import PairCameras
from roma_device.calibration.arrays import Image
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.size import Size
from roma_device.runtime.grey import grey
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.relative_pose.result import RelativePose

from .log import stay_silent

stay_silent()

Intrinsics = CameraModel | tuple[float, float, float, float]


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
    in px with pixel centres at integers; ``intrinsics_b`` where the second camera is another. ``matcher``: a name as in
    ``roma-device run --matcher``, or what ``open_matcher`` gave, which stays open for many pairs.

    ``state`` says whether the pose can be believed (ok, degraded, lost). Raises RomaError.
    """
    grey_a, grey_b = grey(a), grey(b)
    camera_a = _camera(intrinsics, Size.of(a))
    camera_b = _camera(intrinsics if intrinsics_b is None else intrinsics_b, Size.of(b))
    opened = _open(matcher, options) if matcher is None or isinstance(matcher, str) else matcher
    try:
        pairs = opened.match(grey_a, grey_b)
    finally:
        if opened is not matcher:
            opened.close()
    found = estimate_pair(grey_a, grey_b, pairs, PairCameras(camera_a, camera_b))
    assert isinstance(found, RelativePose)
    return found


def _open(name: str | None, options: NetworkOptions | None) -> PairMatcher:
    return open_matcher(name, options or NetworkOptions())


def _camera(intrinsics: Intrinsics, size: Size) -> CameraModel:
    if isinstance(intrinsics, CameraModel):
        return intrinsics.fitted_to(size, "the camera")
    return CameraModel.pinhole(size, *map(float, intrinsics))
