"""Ring of slots in shared memory (memfd), each guarded by a sequence (a seqlock): the writer never waits.

A slot's sequence is ``2 n - 1`` while frame ``n`` is being written, ``2 n`` once it is whole. ``newest`` is the last
whole frame. A reader copies and looks at the sequence again: if it has changed, the copy is worth nothing.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import AnyArray
from roma_device.runtime.types import Result

from .barrier import barrier
from .layout import (
    CHECKED_BYTES,
    ENDED,
    FIELDS,
    NEWEST_AT,
    PRESENT_AT,
    SLOT_HEADER_BYTES,
    STATE_AT,
    Layout,
    SharedMemoryError,
    decode,
)
from .record import Header, Record
from .record import decode as decode_record

F_ADD_SEALS, F_GET_SEALS = 1033, 1034
SEAL_SEAL, SEAL_SHRINK, SEAL_GROW, SEAL_FUTURE_WRITE = 1, 2, 4, 16


class Ring:
    """A ring that is mapped: by its writer, or by a reader."""

    def __init__(self, descriptor: int, layout: Layout, memory: mmap.mmap) -> None:
        self.descriptor, self.layout, self._memory = descriptor, layout, memory
        self._words = memoryview(memory)[: layout.total_bytes].cast("Q")  # each read and written as a whole
        self._starts = [layout.first_slot + slot * layout.slot_bytes for slot in range(layout.slots)]
        self._planes = [self._views(start) for start in self._starts]
        self._present = sum(1 << FIELDS.index(plane.name) for plane in layout.planes if plane.name in FIELDS)
        self._like = {name: (view.shape, view.dtype) for name, view in self._planes[0].items()}
        self._header = Header()

    def _views(self, start: int) -> dict[str, AnyArray]:
        size = self.layout.size
        return {
            plane.name: np.frombuffer(
                self._memory, plane.type, plane.bytes(size) // plane.type.itemsize, start + plane.offset
            ).reshape(plane.shape(size))
            for plane in self.layout.planes
        }

    @classmethod
    def create(cls, layout: Layout) -> Ring:
        """A new one, to be written; raises OSError."""
        descriptor = os.memfd_create("roma-device", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.fchmod(descriptor, 0o640)
            os.ftruncate(descriptor, layout.total_bytes)
            memory = mmap.mmap(descriptor, layout.total_bytes)
            with suppress(OSError, AttributeError):  # fewer pages to look up for each copy, where the kernel has them
                memory.madvise(mmap.MADV_HUGEPAGE)
            memory[:CHECKED_BYTES] = layout.encode()
            _seal(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor, layout, memory)

    @classmethod
    def attach(cls, descriptor: int) -> Ring:
        """A ring of another program, to be read; it owns ``descriptor``. Raises SharedMemoryError."""
        try:
            if fcntl.fcntl(descriptor, F_GET_SEALS) & SEAL_SHRINK == 0:
                raise SharedMemoryError("the ring could be cut short while it is read (it is not sealed)")
            there = os.fstat(descriptor).st_size
            layout = decode(os.pread(descriptor, CHECKED_BYTES, 0), there)
            return cls(descriptor, layout, mmap.mmap(descriptor, there, prot=mmap.PROT_READ))
        except OSError as error:
            os.close(descriptor)
            raise SharedMemoryError(f"what came as the ring cannot be read: {error.strerror}") from None
        except SharedMemoryError:
            os.close(descriptor)
            raise

    @property
    def newest(self) -> int:
        """Number of the last whole frame, 0 where there is none."""
        return self._words[NEWEST_AT // 8]

    @property
    def has_ended(self) -> bool:
        """Whether the writer has said that it ends, as opposed to dying."""
        return int.from_bytes(self._memory[STATE_AT : STATE_AT + 4], "little") == ENDED

    def fits(self, planes: Mapping[str, AnyArray]) -> bool:
        """Whether these are the planes that it was made for."""
        like = self._like
        for name, image in planes.items():
            if like.get(name) != (image.shape, image.dtype):
                return False
        return len(planes) == len(like)

    def write(self, number: int, result: Result, planes: Mapping[str, AnyArray]) -> None:
        """Put frame ``number``, whose ``planes`` are those of the layout, where the oldest one was.

        Whatever ran since the last frame has emptied the processor's caches, so that each function that is called, not
        only each byte, takes microseconds: single numbers are written without numpy.
        """
        slot = number % len(self._starts)
        words, start, header, views = self._words, self._starts[slot], self._header, self._planes[slot]
        header.encode(number, result, self._present)
        words[start // 8] = 2 * number - 1
        barrier()
        self._memory[start + 8 : start + SLOT_HEADER_BYTES] = header.behind_sequence
        for name, image in planes.items():
            views[name][...] = image
        barrier()
        words[start // 8] = 2 * number
        barrier()
        words[NEWEST_AT // 8] = number

    def end(self) -> None:
        """Tell the readers that nothing more comes."""
        barrier()
        self._memory[STATE_AT : STATE_AT + 4] = ENDED.to_bytes(4, "little")

    def read(self, number: int) -> tuple[Record, dict[str, npt.NDArray[np.generic]]] | None:
        """A copy of frame ``number``, None where it was overwritten meanwhile."""
        slot = number % self.layout.slots
        start = self._starts[slot]
        if self._words[start // 8] != 2 * number:
            return None
        barrier()
        data = self._memory[start : start + SLOT_HEADER_BYTES]
        present = int.from_bytes(data[PRESENT_AT : PRESENT_AT + 4], "little")
        views = self._planes[slot].items()
        planes = {name: view.copy() for name, view in views if name in FIELDS and present >> FIELDS.index(name) & 1}
        barrier()
        if self._words[start // 8] != 2 * number:
            return None
        record = decode_record(data)
        if record is None or int(record["number"]) != number:
            raise SharedMemoryError(f"frame {number} of the ring does not have its checksum: it is damaged")
        return record, planes

    def close(self) -> None:
        """Give the memory back; others keep theirs."""
        os.close(self.descriptor)
        del self._words, self._planes
        with suppress(BufferError):  # somebody still looks at a view: it goes with that one
            self._memory.close()


def _seal(descriptor: int) -> None:
    """Nobody may resize the ring, and where the kernel can (from 5.1 on) nobody else may write to it."""
    fcntl.fcntl(descriptor, F_ADD_SEALS, SEAL_SHRINK | SEAL_GROW)
    try:
        fcntl.fcntl(descriptor, F_ADD_SEALS, SEAL_FUTURE_WRITE | SEAL_SEAL)
    except OSError:
        fcntl.fcntl(descriptor, F_ADD_SEALS, SEAL_SEAL)
