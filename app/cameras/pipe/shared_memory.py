"""Shared memory of a producer (memfd): luma planes are read out of it, once, into memory of our own.

It is read as a file and never mapped: a producer that cuts its memory short gives a short read, not SIGBUS.
"""

from __future__ import annotations

import fcntl
import os

import numpy as np

from roma_device.calibration.arrays import Image

from .wire import FrameMessage, Hello, WireError

F_GET_SEALS = 1034
"""Only shared memory answers it: another file's file system could let a read wait for ever."""


def check_memory(descriptor: int, hello: Hello) -> None:
    """Raises WireError where the descriptor is not that much shared memory."""
    try:
        fcntl.fcntl(descriptor, F_GET_SEALS)
    except OSError:
        raise WireError("the descriptor that came with the greeting is no shared memory (memfd_create)") from None
    wanted, there = hello.slots * hello.slot_bytes, os.fstat(descriptor).st_size
    if there < wanted:
        raise WireError(f"{hello.slots} slots of {hello.slot_bytes} bytes need {wanted} bytes, the memory has {there}")


def read_luma(descriptor: int, frame: FrameMessage, slot_bytes: int) -> Image:
    """(H, W) grey in memory of its own; raises WireError where the memory ends too early.

    Rows that lie one after the other are copied once, padded rows and YUYV twice: with what is between, then without.
    """
    width, height = frame.size
    start = frame.slot * slot_bytes + frame.offset
    if frame.stride == frame.row_bytes and frame.format != "YUYV":
        image = np.empty((height, width), np.uint8)
        _read(descriptor, image.data.cast("B"), start)
        return image
    rows = np.empty((height, frame.stride), np.uint8)
    _read(descriptor, rows.data.cast("B")[: frame.luma_bytes], start)
    step = frame.row_bytes // width
    return np.ascontiguousarray(rows[:, : frame.row_bytes : step])


def _read(descriptor: int, target: memoryview, start: int) -> None:
    done = 0
    while done < len(target):
        try:
            count = os.preadv(descriptor, [target[done:]], start + done)
        except OSError as error:
            raise WireError(f"the shared memory cannot be read: {error.strerror}") from None
        if count == 0:
            raise WireError("the shared memory ends before the image does: it was cut short")
        done += count
