"""Diagnosis of a machine: checks of programs, hardware and state, each with what helps; here what all checks share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from roma_device.app.settings.settings import Settings

Level = Literal["ok", "warn", "fail"]
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of a check: what was looked at, how it is, and the fix where it is not well."""

    level: Level
    name: str
    text: str
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"level": self.level, "name": self.name, "text": self.text, "cure": self.fix}


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine: ``root`` is / outside of tests; ``settings`` are the defaults where none can be read."""

    root: Path
    settings: Settings
    npu_states: dict[str, Any] = field(default_factory=dict)  # what npu.py has found, by engine


class Check(Protocol):
    def __call__(self, machine: Machine) -> Iterator[CheckResult]: ...


def read_text(path: Path) -> str | None:
    """What a small file of the kernel says, None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
