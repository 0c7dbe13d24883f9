"""One JSON line per frame."""

from __future__ import annotations

import json
from io import FileIO
from pathlib import Path

from roma_device.runtime.types import Result

from .file_sink import append_whole, sink_error
from .result_record import result_record


class ResultsSink:
    """``results.jsonl``, begun anew by each run; what is written stays valid when the run is killed.

    The file is unbuffered and each line goes out in one piece. A line that does not fit on the
    disk is taken back, so that the next one does not continue it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "results.jsonl"
        self._file: FileIO | None = None

    def __enter__(self) -> ResultsSink:
        try:
            self._file = FileIO(self._path, "w")
        except OSError as error:
            raise sink_error(f"cannot write {self._path}", error) from error
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, result: Result) -> None:
        """Append one line; raises SinkError."""
        if self._file is None:
            raise ValueError("results are written inside the sink's with block")
        line = json.dumps(result_record(result), allow_nan=False) + "\n"
        try:
            append_whole(self._file, line.encode("utf-8"))
        except OSError as error:
            raise sink_error(f"cannot write {self._path}", error) from error
