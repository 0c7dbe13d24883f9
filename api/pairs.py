"""Arrays as stereo frames, and whatever a program iterates over as a camera."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from roma_device.app.cameras import Camera, CameraError, LiveCamera
from roma_device.calibration.arrays import Image, Size
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.types import Frame, StereoFrame

Pair: TypeAlias = "StereoFrame | tuple[Image, Image]"
CAMERA_MEMBERS = ("frames", "calibration", "__enter__", "__exit__")


def as_camera(given: Any) -> Camera:
    """A program's own camera, or pairs as one; raises CameraError for what is neither."""
    if not hasattr(given, "frames"):
        return PairsCamera(given)
    missing = [name for name in CAMERA_MEMBERS if not hasattr(given, name)]
    if missing:
        raise _bad(f"the camera, a {type(given).__name__}, has no {missing[0]}: derive its class from Camera")
    return CheckedLiveCamera(given) if isinstance(given, LiveCamera) else CheckedCamera(given)


class PairsCamera(Camera):
    """Pairs of images, or StereoFrames where the times of exposure are known."""

    def __init__(self, pairs: Any = ()) -> None:
        if not isinstance(pairs, Iterable) or isinstance(pairs, (str, bytes)):
            raise _bad(f"camera must be KIND:ARGUMENT, a Camera or an iterable of pairs, not {pairs!r}")
        self._pairs: Iterable[Any] = pairs

    def frames(self) -> Iterator[StereoFrame]:
        for sequence, pair in enumerate(self._pairs):
            yield _frame(pair, sequence)


class CheckedCamera(Camera):
    """A program's own camera; what it gives is looked at before it is used."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    @property
    def calibration(self) -> StereoCalibration | None:
        return self._camera.calibration

    def frames(self) -> Iterator[StereoFrame]:
        for sequence, frame in enumerate(self._camera.frames()):
            yield _frame(frame, sequence)

    def __enter__(self) -> CheckedCamera:
        self._camera.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._camera.__exit__(*error)


class CheckedLiveCamera(CheckedCamera, LiveCamera):
    """The same of a camera that does not wait for its reader."""

    def __init__(self, camera: LiveCamera) -> None:
        super().__init__(camera)
        self.counts, self._live = camera.counts, camera

    def stop(self) -> None:
        self._live.stop()


def stereo_frame(left: Image, right: Image, timestamp_ns: int | None = None, sequence: int = 0) -> StereoFrame:
    """Two arrays of one instant, by default now; raises CameraError for arrays that are no pair of images."""
    check_image("the left image", left)
    check_image("the right image", right)
    if left.shape[:2] != right.shape[:2]:
        raise _bad(f"the left image has {Size.of(left)} px, the right one {Size.of(right)}: no pair")
    if timestamp_ns is not None and not isinstance(timestamp_ns, (int, np.integer)):
        raise _bad(f"timestamp_ns must be a whole number of nanoseconds, not {timestamp_ns!r}")
    stamp = time.monotonic_ns() if timestamp_ns is None else int(timestamp_ns)
    return StereoFrame(Frame(left, stamp, sequence), Frame(right, stamp, sequence))


def check_image(name: str, image: Any) -> None:
    """Raises CameraError for what is no (H, W) or (H, W, 3) array of uint8."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or not _is_image(image.shape):
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise _bad(f"{name} must be a uint8 array (H, W) or (H, W, 3), not {found}")


def _is_image(shape: tuple[int, ...]) -> bool:
    return 0 not in shape and (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3))


def _frame(pair: Any, sequence: int) -> StereoFrame:
    if isinstance(pair, StereoFrame):
        stereo_frame(pair.left.image, pair.right.image)
        return pair
    if not isinstance(pair, (Sequence, np.ndarray)) or isinstance(pair, str) or len(pair) != 2:
        raise _bad(f"frame {sequence} must be (left, right) or a StereoFrame, not {type(pair).__name__}")
    return stereo_frame(pair[0], pair[1], sequence=sequence)


def _bad(message: str) -> CameraError:
    return CameraError(message, exit_code=os.EX_DATAERR)
