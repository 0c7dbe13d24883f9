"""Depth of one pair, as a program sees it."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from roma_device.calibration.arrays import FloatImage, Image, Mask
from roma_device.calibration.errors import CalibrationError, RomaError
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.depth import PointCloud, back_project
from roma_device.runtime.obstacles.obstacle_map import ObstacleMap
from roma_device.runtime.pose_estimate import PoseEstimate
from roma_device.runtime.types import Result

NOT_METRIC = "depth in metres needs the rig's geometry: give calibration=, or focal_px= and baseline_m="
NO_NETWORK = 'no stereo network ran on this frame: give task="depth" or "depth,pose", and a stereo model'

NO_DISPARITY = "the disparity was not published: publish shm:NAME?fields=left,depth,disparity"


class DepthFrame:
    """What is known of one pair; images and maps have the size of the camera's (rectified) left image.

    Unknown pixels are NaN in ``depth_m`` and ``disparity_px``. The maps belong to the frame and stay as they are;
    ``left``, ``right`` and the colours of ``points`` are made of the camera's images on first use.
    """

    def __init__(self, result: Result) -> None:
        """``result``: what a sink is given, of which this is the stable view."""
        self.result = result

    @property
    def index(self) -> int:
        """0, 1, 2 ... of the frames that were processed."""
        return self.result.index

    @property
    def timestamp_ns(self) -> int:
        """Start of the left image's exposure; for live cameras on the clock of ``time.monotonic_ns``."""
        return self.result.frame.timestamp_ns

    @property
    def skew_ns(self) -> int:
        """How much later the right image was taken than the left one."""
        return self.result.frame.skew_ns

    @property
    def depth_m(self) -> FloatImage:
        """(H, W) float32 metres along Z of the left optical frame (REP 118), NaN where unknown.

        Raises RomaError where focal length or baseline are not known, or no stereo network ran.
        """
        if self.result.depth is None:
            raise RomaError(NO_NETWORK) if self.result.matches.disparity_px is None else CalibrationError(NOT_METRIC)
        return self.result.depth.depth_m

    @cached_property
    def disparity_px(self) -> FloatImage:
        """(H, W) float32, ``x_right = x_left - disparity``, NaN where unknown.

        Raises RomaError where no stereo network ran.
        """
        disparity_px = self.result.matches.disparity_px
        if disparity_px is None:
            raise RomaError(NO_NETWORK if self.result.depth is None else NO_DISPARITY)
        return np.where(self.result.valid, disparity_px, np.float32(np.nan))

    @property
    def confidence(self) -> FloatImage:
        """(H, W) float32 in [0, 1]: probability that the match of a pixel is right; 0 where no network ran."""
        return self.result.matches.certainty

    @property
    def known(self) -> Mask:
        """(H, W) bool: pixels with a value."""
        return self.result.known

    @property
    def left(self) -> Image:
        """The rectified left image, (H, W) grey or (H, W, 3) BGR uint8."""
        return self.result.images.left

    @property
    def right(self) -> Image:
        """The rectified right image, (H, W) grey or (H, W, 3) BGR uint8."""
        return self.result.images.right

    @property
    def rig(self) -> RectifiedRig:
        """Geometry of the rectified pair: ``focal_px``, ``baseline_m``, ``cx``, ``cy``, ``size``."""
        assert self.result.rig is not None
        return self.result.rig

    @property
    def pose(self) -> PoseEstimate | None:
        """Where visual odometry puts the rig (REP 103, 105); None unless ``task`` asks for the pose."""
        return self.result.pose

    @property
    def obstacles(self) -> ObstacleMap | None:
        """Ground plane, occupancy grid, laser scan and nearest obstacle; None unless ``task`` names obstacles."""
        return self.result.obstacles

    @property
    def times_ms(self) -> dict[str, float]:
        """Wall time of each stage in the order in which they ran."""
        return dict(self.result.times.stages_ms)

    @property
    def dropped(self) -> int:
        """Frames that were captured and never processed, so far."""
        return self.result.dropped

    def points(self, stride: int = 1) -> PointCloud:
        """The known pixels, every ``stride``-th of each row and column, as points in metres with their colours.

        Raises RomaError where there is no depth in metres, and for a stride below 1.
        """
        if not isinstance(stride, (int, np.integer)) or stride < 1:
            raise RomaError(f"stride must be a whole number from 1 on, not {stride!r}")
        left = self.left
        bgr = np.repeat(left[:, :, None], 3, axis=2) if left.ndim == 2 else left
        return back_project(self.depth_m, self.known, bgr, self.rig, stride)

    def __repr__(self) -> str:
        width, height = self.confidence.shape[::-1]
        return f"<DepthFrame {self.index}: {width}x{height} px, {100 * self.known.mean():.0f} % known>"
