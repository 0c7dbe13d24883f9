"""Sinks: wherever results go. One file each, named in SINKS."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from roma_device.calibration.errors import RomaError
from roma_device.runtime import registry
from roma_device.runtime.types import Result

SINKS: dict[str, str] = {
    "disparity": "roma_device.app.sinks.images:DisparitySink",
    "depth": "roma_device.app.sinks.images:DepthSink",
    "confidence": "roma_device.app.sinks.images:ConfidenceSink",
    "preview": "roma_device.app.sinks.preview:PreviewSink",
    "ply": "roma_device.app.sinks.ply:PlySink",
    "mcap": "roma_device.app.sinks.mcap:McapSink",
    "mcap-raw": "roma_device.app.sinks.mcap:McapRawSink",
    "rosbag2": "roma_device.app.sinks.rosbag2:Rosbag2Sink",
    "trajectory": "roma_device.app.sinks.trajectory:TrajectorySink",
    "scan": "roma_device.app.sinks.obstacles:ScanSink",
    "grid": "roma_device.app.sinks.obstacles:GridSink",
    "results": "roma_device.app.sinks.results:ResultsSink",
}
"""Name (as in ``--save``) -> "module:Class"; each class takes the output folder."""

DENSE_SINKS = ("disparity", "depth", "confidence", "preview", "ply")
"""Those that have nothing to write where no network ran."""


class SinkError(RomaError):
    """A result that could not be written."""

    exit_code = os.EX_IOERR


class Sink(AbstractContextManager["Sink"], Protocol):
    """Takes each result while its ``with`` block runs."""

    def write(self, result: Result) -> None:
        """Store one result; raises SinkError."""

    def __exit__(self, *_: object) -> None:
        """Closes what is open; a sink without anything to close leaves it as it is."""
        return


@runtime_checkable
class ResumableSink(Sink, Protocol):
    """A sink that can go on with what an earlier run wrote."""

    def resume(self) -> None:
        """Called before the ``with`` block: keep what is there, and add to it."""


@runtime_checkable
class DeferringSink(Sink, Protocol):
    """A sink that goes on with a result after ``write`` has returned."""

    def flush(self) -> bool:
        """Wait until it has no more use for what it was given."""


def open_sink(name: str, folder: Path, *, resumed: bool = False) -> Sink:
    """Make the sink ``name`` that writes into the existing folder ``folder``.

    ``resumed``: an earlier run's results are there and shall stay. Raises SinkError.
    """
    if name not in SINKS:
        raise SinkError(f"cannot save {name!r}; known: {', '.join(SINKS)}", exit_code=os.EX_USAGE)
    factory: Any = registry.load(SINKS, name)
    sink: Sink = factory(folder)
    if resumed:
        if not isinstance(sink, ResumableSink):
            message = f"{name} cannot go on with what an earlier run wrote: let this run have a folder of its own"
            raise SinkError(message, exit_code=os.EX_USAGE)
        sink.resume()
    return sink
