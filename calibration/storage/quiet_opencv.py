"""OpenCV without its own report of a failure on stderr, where ours says the same in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """For the time of a ``with`` block. What libpng and libjpeg print by themselves is not touched."""
    module: Any = getattr(cv2.utils, "logging", None) or cv2  # the functions moved between versions
    if not hasattr(module, "setLogLevel"):
        yield
        return
    before = module.setLogLevel(0)
    try:
        yield
    finally:
        module.setLogLevel(before)
