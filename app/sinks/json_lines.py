"""Files of JSON lines: one record per frame, valid however the run ends."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from roma_device.runtime.types import Result

from .growing_file import GrowingFile


class JsonLinesSink(ABC):
    """A file begun anew unless the run is resumed; each line goes out in one piece, and is on the disk in 0.5 s."""

    file_name: ClassVar[str]
    content: ClassVar[str]  # in the plural, for messages

    def __init__(self, folder: Path) -> None:
        self._file = GrowingFile(folder / self.file_name)
        self._is_resumed = self._is_open = False

    @abstractmethod
    def record(self, result: Result) -> dict[str, Any]:
        """What the line of one frame says."""

    def resume(self) -> None:
        """Lines go behind those that are there."""
        self._is_resumed = True

    def __enter__(self) -> JsonLinesSink:
        self._file.begin(resume=self._is_resumed)
        self._is_open = True
        return self

    def __exit__(self, *error: object) -> None:
        self._is_open = False
        self._file.close()

    def write(self, result: Result) -> None:
        """Append one line; raises SinkError."""
        if not self._is_open:
            raise ValueError(f"{self.content} are written inside the sink's with block")
        self._file.append((json.dumps(self.record(result), allow_nan=False) + "\n").encode("utf-8"))
