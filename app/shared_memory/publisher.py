"""Publisher into shared memory; without a reader it does nothing but look for one."""

from __future__ import annotations

import os

import numpy as np

from roma_device.app.sinks import SinkError
from roma_device.calibration.arrays import AnyArray
from roma_device.runtime.types import Result

from .greeting import address_of
from .layout import FIELDS, Layout, SharedMemoryError
from .ring import Ring
from .server import Server

DEFAULT_FIELDS = ("left", "depth", "confidence")


class SharedMemoryPublisher:
    """``shm:NAME[?fields=left,depth...]``; a context manager."""

    def __init__(self, name: str, fields: tuple[str, ...] = DEFAULT_FIELDS) -> None:
        self._name, self._fields = name, fields
        self._server: Server | None = None
        self._ring: Ring | None = None
        self._number = 0

    @classmethod
    def from_spec(cls, argument: str) -> SharedMemoryPublisher:
        """From ``NAME[?fields=A,B]``; raises SinkError."""
        name, _, query = argument.partition("?")
        try:
            address_of(name)
        except SharedMemoryError as error:
            raise SinkError(str(error), exit_code=os.EX_USAGE) from None
        return cls(name, _fields(query) if query else DEFAULT_FIELDS)

    def __enter__(self) -> SharedMemoryPublisher:
        self._server = Server(self._name)
        return self

    def write(self, result: Result) -> None:
        """Publish one result; never waits. Raises SinkError where there is no memory for a ring."""
        if self._server is None:
            raise ValueError("results are published inside the with block")
        if not self._server.has_readers(None if self._ring is None else self._ring.descriptor):
            return
        planes = self._planes(result)
        if self._ring is None or not self._ring.fits(planes):
            self._ring = self._new_ring(result, planes)
        self._number += 1
        self._ring.write(self._number, result, planes)
        self._server.wake(self._number)

    def _planes(self, result: Result) -> dict[str, AnyArray]:
        """What is asked for and there; disparity where there is no depth in metres."""
        planes: dict[str, AnyArray] = {}
        fields, depth, disparity_px = self._fields, result.depth, result.matches.disparity_px
        if "left" in fields:
            planes["left"] = result.images.left
        if "right" in fields:
            planes["right"] = result.images.right
        if "depth" in fields and depth is not None:
            planes["depth"] = depth.depth_m
        if disparity_px is not None and ("disparity" in fields or ("depth" in fields and depth is None)):
            planes["disparity"] = np.where(result.valid, disparity_px, np.float32(np.nan))
        if "confidence" in fields:
            planes["confidence"] = result.matches.certainty
        return planes

    def _new_ring(self, result: Result, planes: dict[str, AnyArray]) -> Ring:
        """One for images like these, in place of the one at hand."""
        try:
            fresh = Ring.create(Layout.of(result.frame.size, list(planes.items())))
        except OSError as error:
            raise SinkError(f"no shared memory for shm:{self._name}: {error.strerror}") from error
        assert self._server is not None
        self._server.change_ring(fresh.descriptor)
        if self._ring is not None:
            self._ring.close()
        return fresh

    def __exit__(self, *_: object) -> None:
        if self._ring is not None:
            self._ring.end()
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._ring is not None:
            self._ring.close()
            self._ring = None


def _fields(query: str) -> tuple[str, ...]:
    key, _, value = query.partition("=")
    names = FIELDS if value == "all" else tuple(value.split(","))
    unknown = [name for name in names if name not in FIELDS]
    if key != "fields" or unknown or not names:
        raise SinkError(
            f"shm:NAME?{query}: write fields= and some of {', '.join(FIELDS)}, or all", exit_code=os.EX_USAGE
        )
    return names
