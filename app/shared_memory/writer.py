"""The writer's side of one name: its ring, made anew where images change, and the readers that are given it."""

from __future__ import annotations

import numpy as np

from roma_device.app.sinks import SinkError
from roma_device.calibration.arrays import AnyArray, Size
from roma_device.runtime.types import Result

from .layout import Layout
from .ring import Ring
from .server import Server


class Writer:
    """Of ``shm:NAME``, for one thread; raises SinkError where the name cannot be had."""

    def __init__(self, name: str, fields: tuple[str, ...]) -> None:
        self._name, self._fields = name, fields
        self._server = Server(name)
        self._ring: Ring | None = None
        self._number = 0

    @property
    def is_read(self) -> bool:
        """Whether there was a reader when a result was written last."""
        return self._server.is_read

    def needs_ring(self, size: Size) -> bool:
        """Whether images of ``size`` need one that is not there yet."""
        return self._ring is None or self._ring.layout.size != size

    def write(self, result: Result) -> None:
        """Put one result where readers find it, if there are any. Raises SinkError without memory for a ring."""
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
        self._server.change_ring(fresh.descriptor)
        if self._ring is not None:
            self._ring.close()
        return fresh

    def is_called(self) -> bool:
        """Whether somebody wants to read who has not been let in yet; another thread than the writer's may ask."""
        return self._server.is_called()

    def close(self) -> None:
        """Tell the readers that this is the end."""
        if self._ring is not None:
            self._ring.end()
        self._server.close()
        if self._ring is not None:
            self._ring.close()
            self._ring = None
