"""``roma-device recording export``: the table of formats, and an output that is whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from roma_device.calibration.storage.files import write_exit_code
from roma_device.runtime import registry

from .stored import ExportError, StoredRecording

EXPORTERS: dict[str, str] = {
    "rosbag2": "roma_device.app.replay_tools.bag:export_rosbag2",
    "mcap": "roma_device.app.replay_tools.bag:export_mcap",
    "euroc": "roma_device.app.replay_tools.euroc:export_euroc",
    "kitti": "roma_device.app.replay_tools.kitti:export_kitti",
    "video": "roma_device.app.replay_tools.video:export_video",
}
"""Format -> "module:function"; each takes the recording and a path that does not exist yet, and returns the pairs."""


def export(recording: StoredRecording, output: Path, format_name: str) -> int:
    """Write ``output``, which must not exist, and return how many pairs there are in it; raises RomaError."""
    exporter: Callable[[StoredRecording, Path], Any] = registry.load(EXPORTERS, format_name)
    with fresh(output) as path:
        return int(exporter(recording, path))


@contextlib.contextmanager
def fresh(output: Path) -> Iterator[Path]:
    """A path beside ``output`` that takes its name once the block has gone well; raises ExportError."""
    if output.exists() or output.is_symlink():
        raise ExportError(f"{output} is there already: give another name, or remove it")
    # The name within is the final one: formats name files after their folder.
    folder = output.parent / f".roma-{secrets.token_hex(6)}.tmp"
    try:
        folder.mkdir(parents=True)
        yield folder / output.name
        os.rename(folder / output.name, output)  # noqa: PTH104
    except OSError as error:
        message = f"cannot write {output}: {error.strerror or error}"
        raise ExportError(message, exit_code=write_exit_code(error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
