"""Event loop over the producers of a socket: from their messages to checked pairs of images."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from roma_device.app.cameras import CaptureCounts
from roma_device.app.cameras.v4l2.frame_check import PairCheck
from roma_device.app.cameras.v4l2.timestamp_pairing import TimestampPairer
from roma_device.calibration.arrays import Image
from roma_device.runtime.types import Frame, StereoFrame

from .complaints import Complaints
from .listener import Listener
from .producer import Gone, Producer
from .spec import PipeSpec
from .wire import SIDES, FrameMessage, WireError

STALE_NS = 1_000_000_000
"""A frame that is older has lain in the socket since before anybody looked."""

MOST_PRODUCERS = 8
MOST_ROUNDS = 32
"""Messages of one producer that are taken in one look: nobody can keep the loop from looking up."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An image in our memory that waits for its partner."""

    image: Image
    timestamp_ns: int
    sequence: int

    def as_frame(self) -> Frame:
        return Frame(self.image, self.timestamp_ns, self.sequence)


class PipeSession:
    """Listens from construction to ``close``. Producers come and go; one that breaks the rules is dropped."""

    def __init__(self, spec: PipeSpec, counts: CaptureCounts, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._spec, self._counts, self._clock_ns = spec, counts, clock_ns
        self._listener = Listener(spec.socket)
        self._producers: list[Producer] = []
        self._pairer: TimestampPairer[Taken] = TimestampPairer(round(1e6 * spec.max_skew_ms))
        self._newest_ns = [0, 0]
        self._check = PairCheck()
        self.complaints = Complaints()

    def close(self) -> None:
        for producer in self._producers:
            producer.close("the program that takes the frames ends")
        self._producers.clear()
        self._listener.close()

    def missing_sides(self) -> list[str]:
        """Sides that no producer feeds now."""
        fed = {side for producer in self._producers for side in producer.sizes}
        return [name for side, name in enumerate(SIDES) if side not in fed]

    def pairs(self, timeout_s: float) -> Iterator[StereoFrame]:
        """Pairs that are there within ``timeout_s``, of several only the newest."""
        if self._wait(timeout_s):
            self._accept()
        newest: StereoFrame | None = None
        for pair in self._new_pairs():
            if newest is not None:
                self._counts.drop("stale", 2)
            newest = pair
        self._drop_silent()
        if newest is not None and self._is_good(newest):
            self._counts.pairs += 1
            yield newest

    def _wait(self, timeout_s: float) -> bool:
        """Whether somebody wants to connect; returns early where there is a message too."""
        poll = select.poll()
        for each in (self._listener.socket, *(producer.connection for producer in self._producers)):
            poll.register(each, select.POLLIN)
        return self._listener.socket.fileno() in dict(poll.poll(1000 * timeout_s))

    def _accept(self) -> None:
        while (connection := self._listener.accept()) is not None:
            producer = Producer(connection, self._clock_ns)
            if len(self._producers) < MOST_PRODUCERS:
                self._producers.append(producer)
            else:
                self._drop(producer, f"{MOST_PRODUCERS} producers are connected already")

    def _new_pairs(self) -> Iterator[StereoFrame]:
        """One message of each producer in turn, so that neither side runs ahead."""
        for _ in range(MOST_ROUNDS):
            frames = [(producer, self._receive(producer)) for producer in tuple(self._producers)]
            if not any(frame for _, frame in frames):
                return
            for producer, frame in frames:
                taken = None if frame is None else self._take(producer, frame)
                pair = None if frame is None or taken is None else self._pairer.push(frame.side, taken)
                self._counts.drop("unpaired", len(self._pairer.rejected))
                self._pairer.rejected.clear()
                if pair is not None:
                    yield StereoFrame(pair[0].as_frame(), pair[1].as_frame())

    def _receive(self, producer: Producer) -> FrameMessage | None:
        try:
            frame = producer.receive()
            if frame is not None:
                self._check_company(producer, frame)
            return frame
        except Gone:
            self._drop(producer)
        except WireError as error:
            self._drop(producer, str(error))
        return None

    def _check_company(self, producer: Producer, frame: FrameMessage) -> None:
        """Each side has one producer, and both sides one size."""
        for other in self._producers:
            if other is not producer and frame.side in other.sizes:
                raise WireError(f"the {SIDES[frame.side]} image comes from process {other.pid} already")
            size = other.sizes.get(1 - frame.side, frame.size)
            if size != frame.size:
                sizes = f"{frame.size[0]}x{frame.size[1]} px, the other side has {size[0]}x{size[1]}"
                raise WireError(f"the {SIDES[frame.side]} image has {sizes}")

    def _take(self, producer: Producer, frame: FrameMessage) -> Taken | None:
        """The image in our own memory; its slot goes back at once. None where it is no good."""
        try:
            image = producer.read(frame) if self._is_usable(frame) else None
            producer.give_back(frame)
        except Gone:
            self._drop(producer)
            return None
        except WireError as error:
            self._counts.drop("torn")
            self._drop(producer, str(error))
            return None
        return None if image is None else Taken(image, frame.timestamp_ns, frame.sequence)

    def _is_usable(self, frame: FrameMessage) -> bool:
        if frame.is_damaged:
            self._counts.drop("damaged")
        elif frame.timestamp_ns <= self._newest_ns[frame.side]:  # of the producer before this one
            self._counts.drop("timestamp")
        elif self._clock_ns() - frame.timestamp_ns > STALE_NS:
            self._counts.drop("stale")
        else:
            self._newest_ns[frame.side] = frame.timestamp_ns
            return True
        return False

    def _is_good(self, pair: StereoFrame) -> bool:
        fault = self._check.fault(pair.left.image, pair.right.image)
        if fault is not None:
            self._counts.drop(fault)
        return fault is None

    def _drop_silent(self) -> None:
        for producer in tuple(self._producers):
            if producer.silence_s > self._spec.timeout_s:
                self._drop(producer, f"it has sent no frame for {self._spec.timeout_s:g} s")

    def _drop(self, producer: Producer, reason: str = "") -> None:
        if producer in self._producers:
            self._producers.remove(producer)
        if reason:
            self.complaints.say(f"{producer} at {self._spec.socket} was dropped: {reason}")
        elif producer.sizes:
            self.complaints.say(f"{producer} at {self._spec.socket} has gone")
        producer.close(reason)
