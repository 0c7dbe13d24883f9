"""What ``shm:NAME`` is as a camera: none. It gives results that are finished."""

from __future__ import annotations

from typing import NoReturn

from roma_device.app.cameras.query import usage


class SharedMemoryCamera:
    """Its place in the table of cameras, so that the name is known."""

    @classmethod
    def from_spec(cls, argument: str) -> NoReturn:
        """Raises CameraError: there are no pairs that a network could be run on."""
        raise usage(
            f'shm:{argument} gives finished results, no pairs: read it in Python, StereoDepth("shm:{argument}")'
        )
