"""Stereo frames from video files and network streams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count

from loguru import logger

from roma_device.runtime.types import Frame, StereoFrame

from . import Camera, CameraError
from .stream import StreamCamera
from .video_stream import URL, Stream, broken, check_sizes, is_endless, sides, split_names


class VideoCamera(Camera):
    """One side-by-side video, or a left and a right one that are paired frame by frame: files, or URLs of such."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Opens the files or URLs; raises CameraError where one is missing, no video, or of a wrong size."""
        with ExitStack() as stack:
            self._streams = [stack.enter_context(closing(Stream(name))) for name in names]
            check_sizes(self._streams)
            self._stack = stack.pop_all()

    @classmethod
    def from_spec(cls, argument: str) -> Camera:
        """From ``FILE_OR_URL`` (left and right half side by side) or ``LEFT,RIGHT``; a StreamCamera if it has no end.

        A comma in a URL separates only where another ``scheme://`` follows it.
        """
        names = split_names(argument)
        if URL.match(names[0]) and is_endless(names[0]):
            return StreamCamera(names)
        return cls(names)

    @property
    def total_frames(self) -> int | None:
        """As the shorter container says; None where one does not."""
        return min(stream.expected_frames for stream in self._streams) or None

    def frames(self) -> Iterator[StereoFrame]:
        """Frames from where the video stands; raises CameraError after the last good one where it breaks off.

        Both images carry the left one's time in its stream.
        """
        timestamp_ns = -1
        for sequence in count():
            images = [stream.read() for stream in self._streams]
            if any(image is None for image in images):
                return self._check_end(sequence, [image is None for image in images])
            timestamp_ns = self._streams[0].timestamp_after(timestamp_ns)
            left, right = sides([image for image in images if image is not None])
            yield StereoFrame(Frame(left, timestamp_ns, sequence), Frame(right, timestamp_ns, sequence))

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _check_end(self, taken: int, ended: list[bool]) -> None:
        """Raises CameraError unless the video, or both videos, ended where they should; of two, one may end a little
        earlier, as where two programs were stopped one after the other."""
        for stream, has_ended in zip(self._streams, ended, strict=True):
            if has_ended and taken < stream.least_frames:
                message = f"{stream.name} breaks off after {taken} of {stream.expected_frames} frames"
                raise CameraError(message) if URL.match(stream.name) else broken(message)
        if not all(ended):
            short, long = self._streams if ended[0] else reversed(self._streams)
            words = f"{short.name} ends after {taken} frames, but {long.name} goes on"
            if taken < long.least_frames:
                raise broken(f"{words}: are they one recording?")
            logger.warning("{}: its last frames have no partner", words)
