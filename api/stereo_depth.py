"""Depth from a stereo camera, or from pairs of one's own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from roma_device.app.cameras import Camera, open_camera
from roma_device.app.cameras.source import open_source
from roma_device.app.model_store import find_model
from roma_device.app.run.build_pipelines import RectificationFor, build_pipelines, rectifications
from roma_device.app.run.loop import ResizingPipeline, SinkSet, run_frames
from roma_device.app.run.open_outputs import open_recorder, open_sinks
from roma_device.app.settings.settings import Settings, load_settings
from roma_device.calibration.arrays import Image
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.engine import NpuOptions
from roma_device.runtime.odometry.stereo_odometry import OdometryOptions
from roma_device.runtime.pipeline import Pipeline

from .calibrations import load_calibration
from .depth_frame import DepthFrame
from .log import stay_silent
from .pairs import Pair, PairsCamera, stereo_frame

stay_silent()


class StereoDepth:
    """Rectification, matching network and depth behind one door; a context manager.

    Iterate for the frames of ``camera``, or call ``match`` with arrays. Everything that the options name is read
    when the object is made, and what is wrong with it raised as a RomaError; the camera opens with the first frame,
    the network with the first pair. One thread at a time may iterate or match; ``stop`` may be called from any.
    Leaving the ``with`` block, ``close`` or the end of the object frees camera, engine and files.
    """

    def __init__(
        self,
        camera: str | Camera | Iterable[Pair] | None = None,
        *,
        calibration: str | Path | StereoCalibration | None = None,
        rectified: bool = False,
        focal_px: float | None = None,
        baseline_m: float | None = None,
        model: str | Path = "stereo",
        engine: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        input_width: int | None = None,
        min_depth_m: float | None = None,
        max_depth_m: float | None = None,
        min_confidence: float | None = None,
        view: str = "native",
        task: str | tuple[str, ...] = "depth",
        frames: int | None = None,
        max_fps: float | None = None,
        output: str | Path | None = None,
        save: str | tuple[str, ...] = (),
        record: str | Path | None = None,
        npu: NpuOptions | None = None,
        odometry: OdometryOptions | None = None,
        config: str | Path | None = None,
    ) -> None:
        """``camera``: KIND:ARGUMENT as in ``roma-device run``, a Camera, or an iterable of pairs (arrays or
        StereoFrame). The other options are those of ``roma-device run`` and of its settings file, which ``config``
        may name: what is given here wins over it.

        ``calibration`` may be a file in any format that ``load_calibration`` reads. ``focal_px`` (px) and
        ``baseline_m`` (metres) are for pairs that are rectified already. Raises RomaError.
        """
        settings = Settings() if config is None else load_settings(Path(config))
        self._settings = settings.overridden(
            "StereoDepth",
            camera=camera if isinstance(camera, str) else None,
            rectified=(rectified or focal_px is not None) or None,
            focal_px=_number(focal_px),
            baseline_m=_number(baseline_m),
            model=None if str(model) == "stereo" and config else str(model),
            engine=_unless(engine, "auto", config),
            precision=_unless(precision, "auto", config),
            threads=threads or None,
            input_width=input_width,
            view=_unless(view, "native", config),
            task=None if config and task == "depth" else _names(task),
            frames=frames,
            max_fps=_number(max_fps),
            record=None if record is None else str(record),
            npu=None if npu is None else asdict(npu),
            odometry=None if odometry is None else asdict(odometry),
            depth={
                "min_m": _number(min_depth_m),
                "max_m": _number(max_depth_m),
                "min_confidence": _number(min_confidence),
            },
            output={"folder": None if output is None else str(output), "save": _names(save)},
        )
        self._camera = camera
        self._calibration = _calibration(calibration)
        self._card = find_model(self._settings.model)
        self._stop, self._stack = threading.Event(), ExitStack()
        self._pipelines: ResizingPipeline[Pipeline] | None = None
        self._frames: Iterator[DepthFrame] | None = None
        self._matched = 0
        weakref.finalize(self, self._stack.close)

    @classmethod
    def from_pair(
        cls,
        left: Image,
        right: Image,
        *,
        focal_px: float | None = None,
        baseline_m: float | None = None,
        calibration: str | Path | StereoCalibration | None = None,
        **options: Any,
    ) -> DepthFrame:
        """Depth of a single pair (H, W) or (H, W, 3) uint8: rectified, unless ``calibration`` says how to.

        ``options`` are those of StereoDepth. The network is opened and closed for it: for many pairs use ``match``.
        """
        rectified = calibration is None
        geometry: dict[str, Any] = {"focal_px": focal_px, "baseline_m": baseline_m, "rectified": rectified}
        with cls(calibration=calibration, **geometry, **options) as stereo:
            return stereo.match(left, right)

    def match(self, left: Image, right: Image, timestamp_ns: int | None = None) -> DepthFrame:
        """Depth of one pair of raw images (H, W) or (H, W, 3) uint8, BGR; raises RomaError.

        ``timestamp_ns`` must increase where the pose is asked for; by default it is the time of the call.
        """
        frame = stereo_frame(left, right, timestamp_ns, self._matched)
        if self._pipelines is None:
            self._pipelines = self._build(self._rectifications(PairsCamera(())))
            self._stack.callback(self._pipelines.close)
        pipeline = self._pipelines.for_size(frame.size)
        pipeline.submit(frame, self._matched)
        self._matched += 1
        return DepthFrame(pipeline.collect())

    def __iter__(self) -> Iterator[DepthFrame]:
        """Frames until the camera ends, ``frames`` are done or ``stop`` is called; each is saved before it is given."""
        if self._frames is None:
            self._frames = self._run()
            self._stack.callback(self._frames.close)  # type: ignore[attr-defined]
        return self._frames

    def _run(self) -> Iterator[DepthFrame]:
        settings = self._settings
        with ExitStack() as stack:
            camera = stack.enter_context(self._open_camera())
            sinks = SinkSet(open_sinks(settings))
            recorder = open_recorder(settings, camera, stack)
            source = open_source(camera, self._stop, settings.max_fps, recorder)
            pipelines = self._build(self._rectifications(camera))
            for result in run_frames(source, pipelines, sinks, settings.frames):
                yield DepthFrame(result)

    def _open_camera(self) -> Camera:
        if self._settings.camera is not None:
            return open_camera(self._settings.camera)
        if self._camera is None:
            return open_camera("simulated")
        return self._camera if hasattr(self._camera, "frames") else PairsCamera(self._camera)  # type: ignore[arg-type, return-value]

    def _rectifications(self, camera: Camera) -> RectificationFor:
        return rectifications(self._settings, camera, self._calibration)

    def _build(self, rectification_for: RectificationFor) -> ResizingPipeline[Pipeline]:
        return build_pipelines(self._settings, self._card, rectification_for)

    def stop(self) -> None:
        """Let the iteration end soon, from any thread."""
        self._stop.set()

    def close(self) -> None:
        """Free camera, engine and files; safe to call twice. Not from another thread than the one that iterates."""
        self._stop.set()
        self._stack.close()

    def __enter__(self) -> StereoDepth:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _calibration(given: str | Path | StereoCalibration | None) -> StereoCalibration | None:
    return load_calibration(given) if isinstance(given, (str, Path)) else given


def _names(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """Names, given one by one or with commas between them."""
    return tuple(name.strip() for name in given.split(",")) if isinstance(given, str) else tuple(given)


def _number(given: float | None) -> float | None:
    """Settings are strict: 1 is not 1.0, and NumPy's numbers are not Python's."""
    return None if given is None else float(given)


def _unless(given: str, default: str, config: str | Path | None) -> str | None:
    """A default does not win over the settings file."""
    return None if config is not None and given == default else given
