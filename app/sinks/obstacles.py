"""Obstacles of a frame: occupancy grid as a picture, laser scan and nearest obstacle as a line of JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from roma_device.runtime.obstacles.obstacle_map import FREE, OCCUPIED, ObstacleMap
from roma_device.runtime.types import Result

from .file_sink import FileSink, encode_png
from .json_lines import JsonLinesSink

GREY_FREE, GREY_UNKNOWN, GREY_OCCUPIED = 254, 205, 0
"""As ROS's map_server reads and writes them."""


class GridSink(FileSink):
    """``NNNNNN_grid.png``: 8 bit; forward is up, the camera at the middle of the lower edge; a pixel is a cell."""

    suffix = "_grid.png"

    def encode(self, result: Result) -> bytes | None:
        if result.obstacles is None:
            self.explain_once("No grid is saved: it needs the task depth,obstacles and the focal length and baseline.")
            return None
        grid = result.obstacles.grid[::-1]
        grey = np.where(grid == OCCUPIED, GREY_OCCUPIED, np.where(grid == FREE, GREY_FREE, GREY_UNKNOWN))
        return encode_png(grey.astype(np.uint8))


class ScanSink(JsonLinesSink):
    """``scan.jsonl``: per frame ground, nearest obstacle, and the scan; null is unknown, -1 nothing but ground."""

    file_name, content = "scan.jsonl", "scans"

    def record(self, result: Result) -> dict[str, Any]:
        record: dict[str, Any] = {"index": result.index, "timestamp_ns": result.frame.timestamp_ns}
        if result.obstacles is not None:
            record |= result.obstacles.as_json() | scan_record(result.obstacles)
        return record


def scan_record(obstacles: ObstacleMap) -> dict[str, Any]:
    """Angles in rad, to the left positive, and distances in m: null is unknown, -1 is ground alone."""
    ranges = [None if np.isnan(one) else -1 if np.isinf(one) else round(float(one), 3) for one in obstacles.scan_m]
    return {"angles_rad": [round(float(one), 5) for one in obstacles.scan_rad], "ranges_m": ranges}
