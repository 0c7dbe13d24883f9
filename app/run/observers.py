"""Observers of a run: whoever is told of each result when its sinks are done with it."""

from __future__ import annotations

from typing import Protocol

from roma_device.runtime.types import Result


class Observer(Protocol):
    """Watches a run; what fails in it stops nothing."""

    def observe(self, result: Result) -> None:
        """Take a result that went all the way through into account."""
