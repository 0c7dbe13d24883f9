"""Coloured point cloud as binary PLY."""

from __future__ import annotations

import numpy as np

from roma_device.runtime.depth import back_project
from roma_device.runtime.types import Result

from .file_sink import FileSink, left_image

VERTEX = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")])
_PLY_TYPES = {"<f4": "float", "|u1": "uchar"}


class PlySink(FileSink):
    """``NNNNNN.ply``: the known pixels as points in metres, in the rectified left optical frame."""

    suffix = ".ply"

    def encode(self, result: Result) -> bytes | None:
        if result.depth is None or result.rig is None or result.rig.focal_px is None:
            self.explain_once("No PLY is saved: metric points need the rig's focal length and baseline.")
            return None
        points_m, colours = back_project(result.depth.depth_m, result.known, left_image(result), result.rig)
        vertices = np.empty(len(points_m), VERTEX)
        for axis, name in enumerate(("x", "y", "z")):
            vertices[name] = points_m[:, axis]
        for channel, name in enumerate(("red", "green", "blue")):
            vertices[name] = colours[:, channel]
        return _header(len(vertices), result) + vertices.tobytes()


def _header(count: int, result: Result) -> bytes:
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        "comment metres in the rectified left optical frame: x right, y down, z forward",
        f"comment frame {result.index} timestamp_ns {result.frame.timestamp_ns}",
        f"element vertex {count}",
    ]
    lines += [f"property {_PLY_TYPES[VERTEX[name].str]} {name}" for name in VERTEX.names or ()]
    return ("\n".join([*lines, "end_header"]) + "\n").encode("ascii")
