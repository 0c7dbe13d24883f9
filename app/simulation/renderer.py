"""Renderer: ray casting, mipmapped textures, supersampled outlines and sensor noise, from a scene to a picture."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, Image, IntArray, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose

from .camera_space import CameraSpaceScene, SceneGeometry
from .paint.texture_atlas import SurfaceAtlas
from .raycast import Hits, Rays, cast

SAMPLES_PX = np.array([[-0.375, -0.125], [0.125, -0.375], [0.375, 0.125], [-0.125, 0.375]], np.float32)
"""Offsets (x, y) of the rays that outlines are averaged over: a rotated grid, good for all slopes."""

CHUNK_PX = 8192


class Renderer:
    """Renderer of a scene through one camera; its buffers are made once, so use it from one thread."""

    def __init__(self, geometry: SceneGeometry, atlas: SurfaceAtlas, camera: CameraModel) -> None:
        self._geometry, self._atlas = geometry, atlas
        self._focal_px = (camera.fx + camera.fy) / 2
        self._rays = camera_rays(camera)
        self._hits = Hits(self._rays.x.shape)
        self._jacobians = [_ray_jacobian(axis) for axis in (self._rays.x, self._rays.y)]

    def render(self, world_from_camera: Pose) -> Image:
        """A new picture (H, W, 3), BGR, without noise; outlines are smooth."""
        in_camera = self._geometry.in_camera_space(world_from_camera.inverse())
        levels = self._levels(in_camera)
        cast(in_camera, self._rays, self._hits)
        outline = _outline(self._hits.surface)
        picture = self._shade(self._hits, levels)
        flat = picture.reshape(-1, 3)
        for start in range(0, len(outline), CHUNK_PX):
            pixels = outline[start : start + CHUNK_PX]
            flat[pixels] = self._supersampled(pixels, in_camera, levels)
        return picture

    def _supersampled(self, pixels: IntArray, in_camera: CameraSpaceScene, levels: FloatImage) -> Image:
        """Mean colours (N, 3) over several rays for each of N pixels, given by their flat index."""
        x, y = (
            axis.ravel()[pixels] + SAMPLES_PX @ jacobian[:, pixels]
            for axis, jacobian in zip((self._rays.x, self._rays.y), self._jacobians, strict=True)
        )
        hits = Hits(x.shape)
        cast(in_camera, Rays(x, y), hits)
        return np.asarray(self._shade(hits, levels).mean(axis=0, dtype=np.float32) + 0.5).astype(np.uint8)

    def _levels(self, in_camera: CameraSpaceScene) -> FloatImage:
        """Mip level (surfaces + 1,) of each surface where its inverse depth is 1.

        The texels that a pixel spans grow with depth, and with slant: by the square root of it, a
        compromise between both directions. For a plane at a distance both depend on inverse depth alone.
        """
        detail = 2 * np.log2(self._atlas.texels_per_m / self._focal_px)
        return np.asarray(detail - np.log2(np.maximum(in_camera.distance_m, 1e-6)), np.float32)

    def _shade(self, hits: Hits, levels: FloatImage) -> Image:
        """Colours (H, W, 3) of what was hit; leaves the hits unusable."""
        atlas, surface = self._atlas, hits.surface.astype(np.intp)
        depth_log, level, top, map_x, map_y, _ = hits.scratch(surface.shape)
        np.maximum(hits.inverse_depth, 1e-6, out=hits.inverse_depth)
        cv2.log(hits.inverse_depth, dst=depth_log)
        np.take(levels, surface, out=level, mode="clip")
        cv2.addWeighted(level, 1.0, depth_log, -3 / np.log(2), 0.5, dst=level)
        np.take(atlas.top_level, surface, out=top, mode="clip")
        np.minimum(np.maximum(level, 0, out=level), top, out=level)
        row = np.take(atlas.first, surface, out=surface, mode="clip")
        np.add(row, level, out=row, casting="unsafe")
        for over_depth, scale, offset, target in (
            (hits.u, atlas.scale_x, atlas.offset_x, map_x),
            (hits.v, atlas.scale_y, atlas.offset_y, map_y),
        ):
            np.divide(over_depth, hits.inverse_depth, out=over_depth)
            np.multiply(over_depth, np.take(scale, row, out=target, mode="clip"), out=over_depth)
            np.add(over_depth, np.take(offset, row, out=target, mode="clip"), out=target)
        return np.asarray(cv2.remap(atlas.sheet, map_x, map_y, cv2.INTER_LINEAR))


def camera_rays(camera: CameraModel) -> Rays:
    """The rays of all pixels of a camera, distortion included."""
    width, height = camera.size
    y, x = np.mgrid[:height, :width]
    rays = camera.unproject(np.column_stack([x.ravel(), y.ravel()])).astype(np.float32)
    return Rays(*(np.ascontiguousarray(rays[:, axis]).reshape(height, width) for axis in range(2)))


def depth_along(geometry: SceneGeometry, world_from_camera: Pose, rays: Rays, farthest_m: float) -> FloatImage:
    """True depth Z (H, W) of what the rays meet in the camera's frame, NaN where it is beyond ``farthest_m``."""
    hits = Hits(rays.x.shape)
    cast(geometry.in_camera_space(world_from_camera.inverse()), rays, hits)
    hits.inverse_depth[hits.inverse_depth < 1 / farthest_m] = np.nan
    return np.asarray(1 / hits.inverse_depth)


def _ray_jacobian(values: FloatImage) -> FloatImage:
    """Jacobian (2, H * W) of values (H, W) by pixels along x and y."""
    along_y, along_x = np.gradient(values)
    return np.asarray([along_x.ravel(), along_y.ravel()], np.float32)


def _outline(surface: Image) -> IntArray:
    """Flat indices of the pixels next to another surface, column by column.

    The order keeps the x of their rays growing, which lets ``Rays`` skip what a chunk cannot see.
    """
    edge = np.zeros(surface.shape, np.bool_)
    for here, there in (((..., slice(1, None)), (..., slice(-1))), ((slice(1, None),), (slice(-1),))):
        differs = surface[here] != surface[there]
        edge[here] |= differs
        edge[there] |= differs
    columns, rows = np.nonzero(edge.T)
    return np.asarray(rows * surface.shape[1] + columns)


SLACK_PX = 96
"""The pool is larger than the image by this much, so that it can be laid in many ways."""


class SensorNoise:
    """Gaussian noise from a pool that is drawn once and laid over each image at a random place."""

    def __init__(self, size: Size, sigma: float, rng: np.random.Generator) -> None:
        """``sigma`` is in grey levels of 8-bit images of ``size``."""
        shape = size[1] + SLACK_PX, size[0] + SLACK_PX, 3
        pool = np.round(sigma * rng.standard_normal(shape, dtype=np.float32))
        self._brighter, self._darker = np.maximum(pool, 0).astype(np.uint8), np.maximum(-pool, 0).astype(np.uint8)

    def add(self, image: Image, rng: np.random.Generator) -> None:
        """Add noise to an image (H, W, 3) in place, clipping to 0 and 255."""
        top, left = rng.integers(0, SLACK_PX + 1, 2)
        window = slice(top, top + image.shape[0]), slice(left, left + image.shape[1])
        cv2.add(image, self._brighter[window], dst=image)
        cv2.subtract(image, self._darker[window], dst=image)
