"""What travels through the program, from a captured pair to metric geometry."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from roma_device.calibration.arrays import FloatImage, Image, Mask, Size
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig

from .obstacles.obstacle_map import ObstacleMap
from .pose_estimate import PoseEstimate
from .rectified_images import RectifiedImages


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What a simulated or recorded scene really looks like, for measuring errors."""

    depth_m: FloatImage | None = None  # (H, W) along Z of the rectified left camera, NaN where nothing is
    world_from_left: Pose | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image of one camera."""

    image: Image  # (H, W) grey or (H, W, 3) BGR
    timestamp_ns: int  # monotonic clock, start of exposure
    sequence: int


@dataclass(frozen=True, slots=True, eq=False)
class StereoFrame:
    """Two images of one instant, as captured (not rectified)."""

    left: Frame
    right: Frame
    truth: Truth | None = None

    @property
    def skew_ns(self) -> int:
        """How much later the right image was taken than the left one."""
        return self.right.timestamp_ns - self.left.timestamp_ns

    @property
    def timestamp_ns(self) -> int:
        return self.left.timestamp_ns

    @property
    def size(self) -> Size:
        """Width and height of the left image in px."""
        return Size.of(self.left.image)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Where each pixel of the rectified left image lies in the rectified right one.

    Pixel centres are at integers. Stereo models give ``disparity_px`` with
    ``x_right = x_left - disparity_px``; the dense estimate is finite everywhere.
    """

    certainty: FloatImage  # (H, W) in [0, 1]: probability that the match is right
    disparity_px: FloatImage | None = None  # (H, W) >= 0
    two_view_warp: FloatImage | None = None  # (H, W, 2) right pixels (x, y), two-view models only
    makes_sense: bool = True  # False: the network's outputs are none, and the certainty is 0 everywhere

    @property
    def makes_any(self) -> bool:
        """False where no network ran, as for poses alone: then certainties of 0 say nothing."""
        return self.disparity_px is not None or self.two_view_warp is not None

    @property
    def warp(self) -> FloatImage:
        """(H, W, 2): right pixel (x, y) of each left pixel."""
        if self.two_view_warp is not None:
            return self.two_view_warp
        if self.disparity_px is None:
            raise ValueError("matches hold neither a warp nor a disparity")
        height, width = self.disparity_px.shape
        y, x = np.mgrid[:height, :width].astype(np.float32)
        return np.dstack([x - self.disparity_px, y])


@dataclass(frozen=True, slots=True, eq=False)
class DepthMap:
    """Distance along the optical axis of the rectified left camera (REP 118: not the ray length)."""

    depth_m: FloatImage  # (H, W), NaN where unknown
    confidence: FloatImage  # (H, W) in [0, 1]
    timestamp_ns: int

    @property
    def valid_ratio(self) -> float:
        return float(np.isfinite(self.depth_m).mean())


@dataclass(slots=True)
class StageTimes:
    """Wall time that each stage of one frame took, in the order in which they ran."""

    stages_ms: dict[str, float] = field(default_factory=dict)

    @property
    def total_ms(self) -> float:
        return sum(self.stages_ms.values())

    def as_json(self) -> dict[str, float]:
        return {f"{name}_ms": round(value, 3) for name, value in self.stages_ms.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """All that is known about one stereo frame."""

    frame: StereoFrame
    index: int  # 0, 1, 2... of the frames that were processed
    matches: Matches
    valid: Mask  # (H, W): the disparity is certain enough and lies within the image
    rig: RectifiedRig | None  # geometry of the rectified pair at camera resolution, where it is known
    depth: DepthMap | None  # metric, only where focal length and baseline are known
    images: RectifiedImages  # the pair at camera resolution, resampled on use
    times: StageTimes
    dropped: int = 0  # frames that were captured and never processed, so far
    pose: PoseEstimate | None = None  # where odometry puts the rig, None where it does not run
    obstacles: ObstacleMap | None = None  # ground and what stands on it, None where nobody looks for them

    @property
    def known(self) -> Mask:
        """(H, W): True where there is depth, or a valid disparity where the rig is not metric."""
        if self.depth is None:
            return self.valid
        return self.valid & np.isfinite(self.depth.depth_m) & (self.depth.depth_m > 0)
