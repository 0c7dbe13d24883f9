"""Furnished rooms in Blender: walls, tables, shelves, things that lie on them, textures and light, drawn by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy  # type: ignore[import-not-found]
import numpy as np

Vector = tuple[float, float, float]
Placed = tuple[float, float, float, float]
"""x, y, z of the middle of a surface to stand on, and the radius around it."""

WALL_M = 2.8
"""Height of a room."""
FEWEST, MOST = 10, 30
"""Things that stand about."""
PLAIN_SHARE, NOISE_SHARE = 0.2, 0.35
"""Of the materials: one colour; drawn by Blender's noise; the others show a photograph."""


class Room:
    """Fills Blender's current scene; metres, z upward, the camera looks along +y from (0, 0, eye)."""

    def __init__(self, rng: np.random.Generator, textures: Sequence[Path]) -> None:
        self._rng, self._textures = rng, textures
        self.eye_m = float(rng.uniform(1.0, 1.7))
        self.depth_m = float(rng.uniform(2.0, 5.0))

    def fill(self) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self._walls()
        stands = self._furniture() + [self._on_floor() for _ in range(6)]
        for _ in range(int(self._rng.integers(FEWEST, MOST + 1))):
            self._thing(stands[int(self._rng.integers(len(stands)))])
        self._lights()

    def _uniform(self, low: float, high: float) -> float:
        return float(self._rng.uniform(low, high))

    def _walls(self) -> None:
        half, back = self._uniform(1.5, 3.0), self.depth_m
        for place, turn in (
            ((0, 0, 0), (0, 0, 0)),
            ((0, 0, WALL_M), (math.pi, 0, 0)),
            ((0, back, 0), (math.pi / 2, 0, self._uniform(-0.2, 0.2))),
            ((-half, 0, 0), (math.pi / 2, 0, math.pi / 2)),
            ((half, 0, 0), (math.pi / 2, 0, -math.pi / 2)),
        ):
            bpy.ops.mesh.primitive_plane_add(size=20, location=place, rotation=turn)
            self._dress(bpy.context.object, self._uniform(0.8, 3))

    def _box(self, middle: Vector, size: Vector, turn: float, material: Any = None) -> None:
        bpy.ops.mesh.primitive_cube_add(size=1, location=middle, rotation=(0, 0, turn), scale=size)
        self._dress(bpy.context.object, self._uniform(0.4, 1.5), material)

    def _furniture(self) -> list[Placed]:
        """Tables and shelves; where things can stand on them."""
        stands: list[Placed] = []
        for _ in range(int(self._rng.integers(1, 4))):
            stands.append(self._table())
        if self._rng.random() < 0.6:
            stands += self._shelf()
        return stands

    def _table(self) -> Placed:
        x, y = self._uniform(-1.2, 1.2), self._uniform(1.1, self.depth_m - 0.3)
        width, length, height = self._uniform(0.5, 1.2), self._uniform(0.4, 0.8), self._uniform(0.4, 0.9)
        turn, wood = self._uniform(-0.5, 0.5), self._material(1.0)
        self._box((x, y, height - 0.02), (width, length, 0.04), turn, wood)
        for side, end in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            a, b = side * (width / 2 - 0.04), end * (length / 2 - 0.04)
            foot = x + a * math.cos(turn) - b * math.sin(turn), y + a * math.sin(turn) + b * math.cos(turn)
            self._box((*foot, height / 2 - 0.02), (0.05, 0.05, height - 0.04), turn, wood)
        return x, y, height, min(width, length) / 2

    def _shelf(self) -> list[Placed]:
        x, y, wood = self._uniform(-1.5, 1.5), self.depth_m - 0.35, self._material(1.0)
        heights = np.arange(0.35, self._uniform(1.0, 2.2), self._uniform(0.3, 0.5))
        for side in (-0.5, 0.5):
            self._box((x + side, y, heights[-1] / 2), (0.03, 0.3, float(heights[-1])), 0, wood)
        for height in heights:
            self._box((x, y, float(height) - 0.015), (1.0, 0.3, 0.03), 0, wood)
        return [(x, y, float(height), 0.13) for height in heights]

    def _on_floor(self) -> Placed:
        return self._uniform(-1.5, 1.5), self._uniform(0.9, self.depth_m), 0.0, 0.4

    def _thing(self, stand: Placed) -> None:
        """A solid that stands on its lowest point."""
        x, y, z, reach = stand
        x, y = x + self._uniform(-reach, reach), y + self._uniform(-reach, reach)
        size = self._uniform(0.04, 0.2) if z else self._uniform(0.1, 0.45)
        kind = self._rng.choice(["box", "cylinder", "sphere", "cone", "torus", "head", "pole"])
        turn = (0.0, 0.0, self._uniform(0, math.tau))
        add = bpy.ops.mesh
        if kind == "box":
            self._box(
                (x, y, z + size / 2), (size * self._uniform(0.4, 1.5), size * self._uniform(0.4, 1.5), size), turn[2]
            )
            return
        if kind == "cylinder":
            add.primitive_cylinder_add(radius=size / 3, depth=size, location=(x, y, z + size / 2))
        elif kind == "sphere":
            add.primitive_uv_sphere_add(radius=size / 2, location=(x, y, z + size / 2))
        elif kind == "cone":
            add.primitive_cone_add(radius1=size / 2, depth=size, location=(x, y, z + size / 2))
        elif kind == "torus":
            place, upright = (x, y, z + 0.65 * size), (math.pi / 2, 0, turn[2])
            add.primitive_torus_add(major_radius=size / 2, minor_radius=size * 0.15, location=place, rotation=upright)
        elif kind == "head":
            add.primitive_monkey_add(size=size, location=(x, y, z + size / 2), rotation=turn)
        else:
            height = self._uniform(0.2, 0.9)
            add.primitive_cylinder_add(
                radius=self._uniform(0.004, 0.015), depth=height, location=(x, y, z + height / 2)
            )
        if kind in ("sphere", "torus", "head", "cylinder"):
            bpy.ops.object.shade_smooth()
        self._dress(bpy.context.object, self._uniform(0.1, 0.6))

    def _dress(self, thing: Any, tile_m: float, material: Any = None) -> None:
        """Its own coordinates are in metres from here on."""
        bpy.ops.object.transform_apply(location=False, rotation=False, scale=True)
        thing.data.materials.append(material or self._material(tile_m))

    def _material(self, tile_m: float) -> Any:
        """Colour by the place in the thing's own coordinates; photographs from six sides, so that none is stretched."""
        material = bpy.data.materials.new("surface")
        material.use_nodes = True
        nodes, links = material.node_tree.nodes, material.node_tree.links
        surface = nodes["Principled BSDF"]
        surface.inputs["Roughness"].default_value = self._uniform(0.3, 1.0)
        colour = (*(self._uniform(0.15, 0.85) for _ in range(3)), 1.0)
        choice = self._rng.random()
        if choice < PLAIN_SHARE or (choice > PLAIN_SHARE + NOISE_SHARE and not self._textures):
            surface.inputs["Base Color"].default_value = colour
            return material
        place, scale = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeMapping")
        scale.inputs["Scale"].default_value = (1 / tile_m,) * 3
        links.new(place.outputs["Object"], scale.inputs["Vector"])
        pattern = self._noise(nodes) if choice < PLAIN_SHARE + NOISE_SHARE else self._photograph(nodes)
        links.new(scale.outputs["Vector"], pattern.inputs["Vector"])
        links.new(pattern.outputs["Color"], surface.inputs["Base Color"])
        return material

    def _noise(self, nodes: Any) -> Any:
        pattern = nodes.new("ShaderNodeTexNoise")
        pattern.inputs["Scale"].default_value = self._uniform(2, 25)
        pattern.inputs["Detail"].default_value = self._uniform(2, 8)
        return pattern

    def _photograph(self, nodes: Any) -> Any:
        pattern = nodes.new("ShaderNodeTexImage")
        path = self._textures[int(self._rng.integers(len(self._textures)))]
        pattern.image = bpy.data.images.load(str(path), check_existing=True)
        pattern.projection, pattern.projection_blend = "BOX", 0.1
        return pattern

    def _lights(self) -> None:
        bpy.context.scene.world = world = bpy.data.worlds.new("world")
        world.use_nodes = True
        world.node_tree.nodes["Background"].inputs["Strength"].default_value = self._uniform(0.05, 0.4)
        for _ in range(int(self._rng.integers(1, 4))):
            place = self._uniform(-2, 2), self._uniform(-1, self.depth_m - 0.3), self._uniform(1.8, WALL_M - 0.1)
            bpy.ops.object.light_add(type="AREA", location=place)
            light = bpy.context.object.data
            light.energy, light.size = self._uniform(20, 90), self._uniform(0.2, 1.5)
