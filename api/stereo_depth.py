"""Depth from a stereo camera, or from pairs of one's own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from roma_device.app.cameras import Camera
from roma_device.calibration.arrays import Image
from roma_device.calibration.errors import RomaError
from roma_device.calibration.rectify import View
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.engine import NpuOptions, Precision
from roma_device.runtime.filters.options import Preset
from roma_device.runtime.odometry.stereo_odometry import OdometryOptions

from .calibrations import load_calibration
from .depth_frame import DepthFrame
from .log import stay_silent
from .options import as_path, is_rectified, make_settings
from .pairs import Pair, stereo_frame
from .session import Session
from .turn import Turn
from .words import in_keywords

stay_silent()

CLOSED = "this StereoDepth is closed: make a new one"


class StereoDepth:
    """Rectification, matching network and depth behind one door; a context manager and an iterator.

    Iterate for the frames of ``camera``, or call ``match`` with arrays. What the options name is read when the object
    is made, and what is wrong with it raised as a RomaError; the camera opens with the first frame, the network with
    the first pair. The ``with`` block, ``close`` or the end of the object frees camera, engine and files.

    One thread at a time may iterate, match or close: another one gets a RomaError. ``stop`` may be called from any.
    """

    @in_keywords
    def __init__(
        self,
        camera: str | Camera | Iterable[Pair] | None = None,
        *,
        calibration: str | Path | StereoCalibration | None = None,
        rectified: bool | None = None,
        focal_px: float | None = None,
        baseline_m: float | None = None,
        model: str | Path | None = None,
        passes: int | None = None,
        engine: str | None = None,
        precision: Precision | None = None,
        threads: int | None = None,
        input_width: int | None = None,
        min_depth_m: float | None = None,
        max_depth_m: float | None = None,
        min_confidence: float | None = None,
        preset: Preset | None = None,
        view: View | None = None,
        task: str | Sequence[str] | None = None,
        frames: int | None = None,
        max_fps: float | None = None,
        output: str | Path | None = None,
        save: str | Sequence[str] | None = None,
        existing: str | None = None,
        publish: str | Sequence[str] | None = None,
        record: str | Path | None = None,
        npu: NpuOptions | None = None,
        odometry: OdometryOptions | None = None,
        config: str | Path | None = None,
    ) -> None:
        """None stands for what ``config``, a settings file, says, and where it is silent for the default.

        camera: KIND:ARGUMENT as in ``roma-device run``, a Camera, or an iterable of (left, right) or StereoFrame;
            shm:NAME takes the results of a program that publishes them there.
        calibration: of the rig, for raw pairs; a file or folder in any format that ``load_calibration`` reads.
        rectified: the pairs are rectified already; so they are where ``focal_px`` or ``baseline_m`` is given.
        focal_px, baseline_m: of rectified pairs, px at camera resolution and metres; without them no metric depth.
        model: a bundled name or a bundle's folder [stereo; on an NPU stereo-large once it is compiled].
        passes: how often a model's second stage runs, 0 for the first alone [as the model's card says].
        engine: auto, axcl, ax, openvino, onnx, opencv, or a registered name [auto].
        precision: auto, fp32 or int8, of a host engine [auto].
        threads: of a host engine; 0 is its own choice [0].
        input_width: of the network's input in px [640].
        min_depth_m, max_depth_m: depths that count [0.2, 50].
        min_confidence: least certainty that counts, in [0, 1] [as the model's card says].
        preset: raw, obstacles, dense or smooth: how maps are cleaned [raw].
        view: native, full or inside: what the rectified image shows [native].
        task: depth, pose or both ("depth,pose"), "depth,obstacles" [depth].
        frames: after how many the iteration ends [when the camera does].
        max_fps: at most so many frames per second.
        output, save: folder, and what the iteration writes there: names of sinks as of ``roma-device run --save``.
        existing: where ``output`` holds another run: number (OUTPUT-2...), resume or refuse [number].
        publish: whom the iteration gives results besides, such as "shm:NAME".
        record: folder for a recording of the raw pairs.
        npu, odometry: choices for a board's NPU, and for ``task`` pose.

        Raises RomaError.
        """
        keywords = {name: value for name, value in locals().items() if name not in ("self", "config", "calibration")}
        keywords["camera"] = camera if isinstance(camera, str) else None
        keywords["model"] = str(model) if isinstance(model, Path) else model
        keywords["rectified"] = is_rectified(calibration, rectified, focal_px, baseline_m)
        self._session = Session(make_settings(config, keywords), camera, _read(calibration))
        self._lock = threading.Lock()
        weakref.finalize(self, self._session.close)

    @classmethod
    def from_pair(
        cls,
        left: Image,
        right: Image,
        *,
        calibration: str | Path | StereoCalibration | None = None,
        focal_px: float | None = None,
        baseline_m: float | None = None,
        model: str | Path | None = None,
        passes: int | None = None,
        engine: str | None = None,
        precision: Precision | None = None,
        threads: int | None = None,
        input_width: int | None = None,
        min_depth_m: float | None = None,
        max_depth_m: float | None = None,
        min_confidence: float | None = None,
        preset: Preset | None = None,
        view: View | None = None,
        npu: NpuOptions | None = None,
        config: str | Path | None = None,
    ) -> DepthFrame:
        """Depth of a single pair, (H, W) or (H, W, 3) BGR uint8; the keywords are those of StereoDepth.

        The pair is rectified already unless ``calibration`` or ``config`` says how to do it; without ``focal_px`` (px)
        and ``baseline_m`` (metres) there is disparity alone. The network is opened and closed for it: for many pairs
        make a StereoDepth once and call ``match``. Raises RomaError.
        """
        keywords: dict[str, Any] = {
            key: value for key, value in locals().items() if key not in ("cls", "left", "right")
        }
        rectified = True if calibration is None and config is None else None
        with cls(rectified=rectified, **keywords) as stereo:
            return stereo.match(left, right)

    @in_keywords
    def match(self, left: Image, right: Image, timestamp_ns: int | None = None) -> DepthFrame:
        """Depth of one pair as the cameras gave it, (H, W) or (H, W, 3) BGR uint8; raises RomaError.

        Its network is its own: a loop over the camera goes on undisturbed, and nothing is saved. It is opened anew
        when the size changes. ``timestamp_ns`` has to increase where ``task`` names the pose; None is now.
        """
        with self._alone():
            frame = stereo_frame(left, right, timestamp_ns)
            return DepthFrame(self._session.match(frame))

    def __iter__(self) -> StereoDepth:
        """Itself, as a file does: a second loop goes on where the first was left."""
        return self

    @in_keywords
    def __next__(self) -> DepthFrame:
        """The next frame, already saved; ends with the camera, after ``frames`` or after ``stop``; raises RomaError."""
        with self._alone():
            return DepthFrame(self._session.next_result())

    @property
    def failed(self) -> tuple[str, ...]:
        """What could not be written so far: names of sinks, and "record"; the loop goes on without them."""
        recorder = self._session.recorder
        broken = ("record",) if recorder is not None and recorder.problem else ()
        return (*sorted(self._session.sinks.failed), *broken)

    @property
    def output(self) -> Path | None:
        """The folder that the iteration writes into, known with its first frame; None where nothing is written.

        It is ``output``, or a numbered one beside it where that holds another run.
        """
        return self._session.output

    def stop(self) -> None:
        """Let the iteration end with the frame at hand; from any thread or signal handler."""
        self._session.stop.set()

    @in_keywords
    def close(self) -> None:
        """Free camera, engine and files; safe to call twice. Raises RomaError while another thread is inside."""
        self._session.stop.set()
        if not self._session.is_closed:
            with self._alone():
                self._session.close()

    @in_keywords
    def __enter__(self) -> StereoDepth:
        with self._alone():
            return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _alone(self) -> Turn:
        if self._session.is_closed:
            raise RomaError(CLOSED)
        return Turn(self._lock)


def _read(calibration: Any) -> StereoCalibration | None:
    if calibration is None or isinstance(calibration, StereoCalibration):
        return calibration
    return load_calibration(as_path(calibration, "calibration"))
