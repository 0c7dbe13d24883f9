"""Images, calibration, depth and points as messages, as image_pipeline has them."""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatImage
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.depth import back_project, encode_depth_mm
from roma_device.runtime.types import Result

from .types import CameraInfo, DisparityImage, Header, Image, PointCloud2, PointField, RegionOfInterest

FLOAT32 = 7


def image(header: Header, pixels: AnyArray, encoding: str | None = None) -> Image:
    """(H, W) or (H, W, 3) BGR uint8, (H, W) uint16 or float32; ``encoding`` None: by type and shape."""
    if encoding is None:
        names = {np.dtype(np.uint8): "mono8", np.dtype(np.uint16): "16UC1", np.dtype(np.float32): "32FC1"}
        encoding = "bgr8" if pixels.ndim == 3 else names[pixels.dtype]
    height, width = pixels.shape[:2]
    pixels = np.ascontiguousarray(pixels)
    data = pixels.reshape(-1).view(np.uint8)
    return Image(header, height, width, encoding, 0, data.size // height, data)


def camera_info(header: Header, rig: RectifiedRig, right: bool = False) -> CameraInfo:
    """Of a rectified image: no distortion; in the right one P[0, 3] is ``-f B`` (in px m)."""
    focal_px, (width, height) = rig.focal_px or 0.0, rig.size
    cx = rig.cx + (rig.disparity_offset_px if right else 0.0)
    shift = -focal_px * (rig.baseline_m or 0.0) if right else 0.0
    matrix = np.array([[focal_px, 0, cx], [0, focal_px, rig.cy], [0, 0, 1.0]])
    projection = np.column_stack([matrix, [shift, 0.0, 0.0]])
    return CameraInfo(
        header,
        height,
        width,
        "plumb_bob",
        np.zeros(5),
        matrix.reshape(-1),
        np.eye(3).reshape(-1),
        projection.reshape(-1),
    )


def depth_image(header: Header, depth_m: FloatImage, millimetres: bool = False) -> Image:
    """REP 118: 32FC1 in metres with NaN for unknown, or 16UC1 in millimetres with 0."""
    return image(header, encode_depth_mm(depth_m) if millimetres else depth_m)


def disparity_image(header: Header, result: Result) -> DisparityImage:
    """As stereo_image_proc gives it: NaN where it is not known."""
    disparity_px, rig = result.matches.disparity_px, result.rig
    assert disparity_px is not None and rig is not None
    width, height = rig.size
    known = np.where(result.valid, disparity_px, np.float32(np.nan)).astype(np.float32)
    window = RegionOfInterest(0, 0, height, width, False)
    focal_px, baseline_m = rig.focal_px or 0.0, rig.baseline_m or 0.0
    return DisparityImage(header, image(header, known), focal_px, baseline_m, window, 0.0, float(width), 1 / 16)


def point_cloud(header: Header, result: Result, stride: int) -> PointCloud2:
    """The known pixels, every ``stride``-th of each row and column: x, y, z in metres, and rgb as PCL packs it."""
    assert result.depth is not None and result.rig is not None
    left = result.images.left
    bgr = np.repeat(left[:, :, None], 3, axis=2) if left.ndim == 2 else left
    cloud = back_project(result.depth.depth_m, result.known, bgr, result.rig, stride)
    points = np.zeros((len(cloud.points_m), 4), np.float32)
    points[:, :3] = cloud.points_m
    red, green, blue = cloud.colours.astype(np.uint32).T
    points[:, 3] = (red << 16 | green << 8 | blue).view(np.float32)
    fields = [PointField(name, 4 * index, FLOAT32) for index, name in enumerate(("x", "y", "z", "rgb"))]
    data = points.reshape(-1).view(np.uint8)
    return PointCloud2(header, 1, len(points), fields, False, 16, data.size, data, True)
