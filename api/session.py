"""Session: what a StereoDepth has open."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from roma_device.app.cameras import Camera, open_camera
from roma_device.app.cameras.source import RateLimit, open_source
from roma_device.app.model_store import find_model
from roma_device.app.recording.recorder import Recorder
from roma_device.app.run.from_settings import (
    begin_run,
    build_pipelines,
    open_recorder,
    open_run_folder,
    open_sinks,
    sink_names,
)
from roma_device.app.run.geometry import choose_geometry
from roma_device.app.run.loop import ResizingPipeline, run_frames
from roma_device.app.settings.settings import Settings
from roma_device.app.shared_memory.reader import SharedMemoryReader
from roma_device.app.sinks.sink_set import SinkSet
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.pipeline import Pipeline
from roma_device.runtime.types import Result, StereoFrame

from .options import SHARED, check_shared, usage
from .pairs import Pair, PairsCamera, as_camera


class Session:
    """Camera, networks, sinks and recorder, each opened on first use; from one thread at a time, besides ``stop``.

    It knows nothing of the StereoDepth that it belongs to, so that the end of that object can close it.
    """

    def __init__(
        self, settings: Settings, camera: str | Camera | Iterable[Pair] | None, calibration: StereoCalibration | None
    ) -> None:
        """``camera`` and ``calibration`` win over those of ``settings``; raises RomaError."""
        own = None if camera is None or isinstance(camera, str) else as_camera(camera)
        if own is None and (settings.camera or "").startswith(SHARED):
            check_shared(settings, calibration)
        self.settings, self._calibration, self._card = settings, calibration, find_model(settings.model)
        self.stop, self.is_closed = threading.Event(), False
        self.sinks, self.recorder, self.output = SinkSet({}), None, None
        self._own, self._camera, self._stack = own, None, ExitStack()
        self._results: Generator[Result, None, None] | None = None
        self._matching: ResizingPipeline[Pipeline] | None = None
        self._matched = 0

    sinks: SinkSet
    output: Path | None
    recorder: Recorder | None
    _camera: Camera | None

    def next_result(self) -> Result:
        """The next frame of the camera; raises StopIteration at the end, and RomaError."""
        if self._results is None:
            self._results = self._run_shared() if self._is_shared else self._run(self._open_camera())
            self._stack.callback(self._results.close)
        return next(self._results)

    def _run(self, camera: Camera) -> Generator[Result, None, None]:
        settings = self.settings
        with ExitStack() as stack:
            folder = open_run_folder(settings, stack)
            self.output = None if folder is None else folder.path
            geometry = choose_geometry(settings, camera, self._calibration)
            self.recorder = open_recorder(settings, camera, geometry.calibration, stack)
            source = open_source(camera, self.stop, settings.max_fps, self.recorder)
            self.sinks = SinkSet(open_sinks(settings, sink_names(settings, geometry, source.is_live), folder))
            begin_run(folder, settings, self._card, camera, geometry)
            pipelines = build_pipelines(settings, self._card, geometry.rectification)
            first_index = folder.first_index if folder else 0
            for result in run_frames(source, pipelines, self.sinks, settings.frames, first_index):
                if folder is not None:
                    folder.observe(result)
                self.sinks.flush()  # from here on the arrays are the user's
                yield result
            if folder is not None:
                folder.end(self.sinks.problem)

    def _run_shared(self) -> Generator[Result, None, None]:
        """What another program publishes, with sinks of our own."""
        settings, limit = self.settings, RateLimit(self.settings.max_fps)
        name = (settings.camera or "").partition(":")[2]
        with ExitStack() as stack:
            folder = open_run_folder(settings, stack)
            if folder is not None:
                self.output = folder.path
                folder.begin(settings.model_dump(mode="json"), {}, {}, redo_last=False)
            self.sinks = SinkSet(open_sinks(settings, settings.output.save or ("results",), folder))
            reader = stack.enter_context(SharedMemoryReader(name))
            for sink in self.sinks.sinks.values():
                stack.enter_context(sink)
            for result in islice(reader.results(self.stop), settings.frames):
                self.sinks.write(result)
                if folder is not None:
                    folder.observe(result)
                limit.count()
                yield result
                limit.wait(self.stop)
            if folder is not None:
                folder.end(self.sinks.problem)

    @property
    def _is_shared(self) -> bool:
        return self._own is None and (self.settings.camera or "").startswith(SHARED)

    def match(self, frame: StereoFrame) -> Result:
        """One frame through a network of its own, whatever the camera does; raises RomaError."""
        if self._matching is None:
            self._matching = self._build(self._camera_of_match())
            self._stack.callback(self._matching.close)
        try:
            pipeline = self._matching.for_size(frame.size)
            pipeline.submit(frame, self._matched)
            result = pipeline.collect()
        except BaseException:  # nothing half done may come out of it next time
            self._matching.close()
            raise
        self._matched += 1
        return result

    def _build(self, camera: Camera) -> ResizingPipeline[Pipeline]:
        geometry = choose_geometry(self.settings, camera, self._calibration)
        return build_pipelines(self.settings, self._card, geometry.rectification)

    def _camera_of_match(self) -> Camera:
        """Whose calibration counts where the options name none: the camera's, if there is one."""
        is_known = self._calibration or self.settings.calibration or self.settings.rectified
        has_camera = self._own is not None or self.settings.camera is not None
        return self._open_camera() if has_camera and not is_known else PairsCamera()

    def _open_camera(self) -> Camera:
        if self._camera is None:
            if self._own is None and self.settings.camera is None:
                raise usage('there is no camera: give camera=, such as "simulated", or call match with arrays')
            self._camera = self._stack.enter_context(self._own or open_camera(self.settings.camera or ""))
        return self._camera

    def close(self) -> None:
        """Free everything, in reverse order of its opening; safe to call twice."""
        self.is_closed = True
        self.stop.set()
        self._stack.close()
