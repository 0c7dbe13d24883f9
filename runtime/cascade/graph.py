"""A graph that a cascade runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class RunnableGraph(Protocol):
    """One graph with its buffers, on whatever runs it."""

    @property
    def inputs(self) -> Mapping[str, Any]: ...

    @property
    def outputs(self) -> Mapping[str, Any]: ...

    def run(self) -> None: ...
