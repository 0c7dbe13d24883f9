"""One thing that the doctor looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from roma_device.app.settings.settings import Settings

Level = Literal["ok", "warn", "fail"]
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what helps where it is not well."""

    level: Level
    name: str
    text: str
    cure: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Patient:
    """The machine: ``root`` is / outside of tests; ``settings`` are the defaults where none can be read."""

    root: Path
    settings: Settings


class Check(Protocol):
    def __call__(self, patient: Patient) -> Iterator[Finding]: ...


def read_text(path: Path) -> str | None:
    """What a small file of the kernel says, None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
