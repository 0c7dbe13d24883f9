import numpy as np
import pytest

from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.obstacles.obstacle_map import GroundPlane, NearestObstacle, ObstacleMap
from roma_device.runtime.rectified_images import RectifiedImages
from roma_device.runtime.types import DepthMap, Frame, Matches, Result, StageTimes, StereoFrame
from tests.logged import logged

SIZE = (48, 32)


OBSTACLES = ObstacleMap(
    GroundPlane(np.array([0.0, -1.0, 0.0]), 1.2, 0.5),
    np.array([[-1, 0, 0, -1], [0, 100, 0, -1]], np.int8),
    0.1,
    np.array([np.nan, np.inf, 1.5], np.float32),
    np.array([0.5, 0.0, -0.5], np.float32),
    NearestObstacle(1.5, 0.9, -0.1, 0.4),
    0.1,
)


@pytest.fixture
def make_result():
    """A slanted wall with a hole in its middle; metric unless told otherwise."""

    def make(index=0, metric=True, grey=False, **changes):
        width, height = SIZE
        rng = np.random.default_rng(index)
        image = rng.integers(0, 256, (height, width) if grey else (height, width, 3), dtype=np.uint8)
        frames = StereoFrame(Frame(image, 1_000_000 + index, index), Frame(image, 1_000_250 + index, index))
        rig = RectifiedRig(SIZE, 40.0, 0.1, 23.0, 15.5) if metric else None
        disparity_px = np.linspace(1, 8, width * height, dtype=np.float32).reshape(height, width)
        valid = np.ones((height, width), bool)
        valid[10:20, 12:30] = False
        depth_m = np.where(valid, 4.0 / disparity_px, np.nan).astype(np.float32)
        certainty = np.where(valid, 0.9, 0.1).astype(np.float32)
        fields = {
            "frame": frames,
            "index": index,
            "matches": Matches(certainty, disparity_px),
            "valid": valid,
            "rig": rig,
            "depth": DepthMap(depth_m, certainty, 1_000_000 + index) if metric else None,
            "images": RectifiedImages(image, image),
            "times": StageTimes({"rectify": 1.25, "run": 20.5}),
            "obstacles": OBSTACLES if metric else None,
        }
        return Result(**(fields | changes))

    return make


@pytest.fixture
def log():
    """The lines that the program logs."""
    with logged("INFO") as lines:
        yield lines
