"""errno of a V4L2 call -> one sentence for the user: what it means for a camera, and what helps."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from roma_device.app.cameras import CameraError


def explain(path: str, action: str, error: OSError) -> CameraError:
    """What the kernel's number means for a camera, and what helps."""
    number = error.errno or 0
    exit_code = {errno.EACCES: os.EX_NOPERM, errno.EPERM: os.EX_NOPERM, errno.ENOENT: os.EX_NOINPUT}.get(number)
    what = {
        errno.ENOENT: f"camera {path} does not exist: `roma-device cameras` lists those that do",
        errno.EACCES: f"no permission to use {path}: add the user to the group of that file ({_group(path)})",
        errno.EPERM: f"no permission to use {path}: the service's unit has to allow it (DeviceAllow=)",
        errno.EBUSY: f"camera {path} is in use by another program: `fuser {path}` names it",
        errno.ENODEV: f"camera {path} is gone: it was unplugged, or its driver gave up",
        errno.ENXIO: f"camera {path} is gone: it was unplugged, or its driver gave up",
        errno.ENOSPC: f"the USB bus has no bandwidth left for {path} (the disk is fine): take MJPG, a lower rate or "
        "size, or plug the cameras into different controllers",
        errno.ENOTTY: f"{path} is no camera: it does not answer as a V4L2 device",
    }.get(number)
    message = what or f"cannot {action} camera {path}: {error.strerror or error}"
    return CameraError(message, exit_code=exit_code)


def _group(path: str) -> str:
    with suppress(OSError, KeyError):
        return Path(path).group()
    return "video"
