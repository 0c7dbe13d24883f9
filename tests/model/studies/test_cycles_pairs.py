from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("bpy", reason="Blender is not installed as a Python module")
import bpy

from model.studies.cycles import pairs


def test_truth_of_a_wall_and_of_a_box_before_it() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_plane_add(size=40, location=(0, 4, 0), rotation=(np.pi / 2, 0, 0))
    bpy.ops.mesh.primitive_cube_add(size=0.5, location=(0, 2.25, 0))
    bpy.context.view_layer.update()
    eye, looks = np.zeros(3), pairs._axes(0.0)
    tree = pairs._scene_tree()
    depth_m = pairs._depths(tree, eye, looks)
    assert set(np.unique(depth_m.round(4))) == {2.0, 4.0}
    hidden = pairs._hidden(tree, eye, eye + 0.1 * looks[0], looks, depth_m)
    near_px, far_px = 52 / 2.0, 52 / 4.0
    middle = hidden[pairs.SIZE[1] // 2]
    assert middle[:13].all() and middle.sum() == pytest.approx(far_px + near_px - far_px, abs=1)
    box = np.flatnonzero(depth_m[pairs.SIZE[1] // 2] < 3)
    assert middle[box[0] - 12 : box[0]].all() and not middle[box].any(), "hidden is what lies to the left of the box"
