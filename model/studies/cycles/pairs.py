"""Pairs by Cycles: ``python -m model.studies.cycles.pairs SET.npz --textures DIR [--count 100]``.

For ``python -m bench.judge_stereo --generated SET.npz``. Needs Blender as a Python module (``pip install bpy``, on the
Python that it is built for) and no torch. The truth is exact: a ray through the middle of each pixel of the left image,
and from where it ends another one to the right camera. Pairs are kept in a folder beside the set: a call that was
interrupted goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy  # type: ignore[import-not-found]
import cv2
import numpy as np
import numpy.typing as npt
from mathutils import Vector  # type: ignore[import-not-found]
from mathutils.bvhtree import BVHTree  # type: ignore[import-not-found]

from model.base.cli import run_tool
from model.stereo.judged_file import JudgedPair, read, write

from .rooms import Room

SIZE = (640, 320)
FOCAL_PX = 520.0
NEAREST_PX = (40.0, 120.0)
"""Disparity of the nearest thing that is seen."""
NOISE = 1.0
"""Standard deviation of a good camera's noise, grey levels of 255."""
AWAY_M = 1e-3
"""A ray towards the other camera starts so far off the surface."""

Map = npt.NDArray[np.float64]


def pair(seed: int, textures: list[Path], samples: int) -> JudgedPair:
    """One room seen by two cameras side by side; a row of the disparity's map is a row of the images."""
    rng = np.random.default_rng(seed)
    room = Room(rng, textures)
    room.fill()
    eye = np.array([0.0, 0.0, room.eye_m])
    down = float(rng.uniform(0.0, 0.35))
    looks = _axes(down)
    tree = _scene_tree()
    depth_m = _depths(tree, eye, looks)
    baseline_m = float(rng.uniform(*NEAREST_PX)) * float(np.percentile(depth_m, 1)) / FOCAL_PX
    other = eye + baseline_m * looks[0]
    left, right = (_photograph(rng, place, down, samples) for place in (eye, other))
    disparity_px = (FOCAL_PX * baseline_m / depth_m).astype(np.float32)
    return JudgedPair(left, right, disparity_px, _hidden(tree, eye, other, looks, depth_m), is_clean=True)


def _axes(down: float) -> Map:
    """(3, 3) right, down and forward of a camera that looks along +y and ``down`` radians below the horizon."""
    sin, cos = np.sin(down), np.cos(down)
    return np.array([[1.0, 0, 0], [0, -sin, -cos], [0, cos, -sin]])


def _rays(looks: Map) -> Map:
    """(H, W, 3) through the middles of the pixels, of length 1 along the optical axis."""
    x, y = np.meshgrid(np.arange(SIZE[0]) - (SIZE[0] - 1) / 2, np.arange(SIZE[1]) - (SIZE[1] - 1) / 2)
    return np.asarray(x[..., None] / FOCAL_PX * looks[0] + y[..., None] / FOCAL_PX * looks[1] + looks[2])


def _scene_tree() -> BVHTree:
    """Of the triangles of all things, as they are rendered."""
    points: list[Vector] = []
    faces: list[tuple[int, ...]] = []
    graph = bpy.context.evaluated_depsgraph_get()
    for thing in bpy.context.scene.objects:
        if thing.type != "MESH":
            continue
        mesh = thing.evaluated_get(graph).to_mesh()
        mesh.calc_loop_triangles()
        start = len(points)
        points += [thing.matrix_world @ vertex.co for vertex in mesh.vertices]
        faces += [tuple(start + index for index in face.vertices) for face in mesh.loop_triangles]
    return BVHTree.FromPolygons(points, faces, all_triangles=True)


def _depths(tree: BVHTree, eye: Map, looks: Map) -> Map:
    """(H, W) along the optical axis."""
    rays, origin = _rays(looks).reshape(-1, 3), Vector(eye)
    lengths = [tree.ray_cast(origin, Vector(ray))[3] or np.inf for ray in rays]
    return np.asarray(np.reshape(lengths, SIZE[::-1]) / np.linalg.norm(rays, axis=1).reshape(SIZE[::-1]))


def _hidden(tree: BVHTree, eye: Map, other: Map, looks: Map, depth_m: Map) -> npt.NDArray[np.bool_]:
    """(H, W): what another surface hides from the camera at ``other``, or lies outside its image."""
    points = (eye + depth_m[..., None] * _rays(looks)).reshape(-1, 3)
    towards = other - points
    far_m = np.linalg.norm(towards, axis=1)
    starts = points + AWAY_M * towards / far_m[:, None]
    hits = (
        tree.ray_cast(Vector(start), Vector(way), far - 2 * AWAY_M)[3]
        for start, way, far in zip(starts, towards, far_m, strict=True)
    )
    behind = np.fromiter((hit is not None for hit in hits), bool, len(points)).reshape(depth_m.shape)
    baseline_m = float(np.linalg.norm(other - eye))
    return np.asarray(behind | (np.arange(SIZE[0]) - FOCAL_PX * baseline_m / depth_m < -0.5))


def _photograph(rng: np.random.Generator, place: Map, down: float, samples: int) -> npt.NDArray[np.uint8]:
    """What a camera at ``place`` sees, grey, with noise."""
    data = bpy.data.cameras.new("camera")
    data.sensor_fit, data.sensor_width = "HORIZONTAL", 36.0
    data.lens, data.clip_start = 36.0 * FOCAL_PX / SIZE[0], 0.01
    camera = bpy.data.objects.new("camera", data)
    camera.location, camera.rotation_euler = place, (np.pi / 2 - down, 0, 0)
    scene = bpy.context.scene
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.cycles.samples, scene.cycles.use_denoising = samples, True
    scene.cycles.seed = int(rng.integers(2**31))
    scene.cycles.max_bounces = 3
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.view_settings.view_transform = "Standard"
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "image.png")
        with _quiet():
            bpy.ops.render.render(write_still=True)
        image = cv2.imread(scene.render.filepath, cv2.IMREAD_GRAYSCALE)
    assert image is not None
    noisy = image + rng.normal(0, NOISE, image.shape)
    return np.asarray(np.clip(noisy, 0, 255).round(), np.uint8)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Blender tells each tile on the standard output of the process."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("target", type=Path, help="the set, SET.npz")
    add("--textures", type=Path, help="folder of natural images (*.jpg)")
    add("--count", type=int, default=100, help="pairs (100)")
    add("--samples", type=int, default=6, help="rays through a pixel, before the noise is filtered (6)")
    arguments = parser.parse_args()
    textures = sorted(arguments.textures.glob("*.jpg")) if arguments.textures else []
    parts = arguments.target.with_suffix(".parts")
    for seed in range(arguments.count):
        part = parts / f"{seed:04d}.npz"
        if not part.exists():
            write([pair(seed, textures, arguments.samples)], part)
            print(f"{seed + 1} of {arguments.count}", flush=True)
    write((read(parts / f"{seed:04d}.npz")[0] for seed in range(arguments.count)), arguments.target)


if __name__ == "__main__":
    run_tool(main)
