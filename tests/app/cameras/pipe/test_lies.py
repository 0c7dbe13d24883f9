"""Producers that lie are dropped with a sentence, which they get too; nothing else happens."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loguru import logger

from roma_device.app.cameras import CameraError, CaptureCounts
from roma_device.app.cameras.pipe.complaints import BURST, PERIOD_S, Complaints
from roma_device.app.cameras.pipe.listener import Listener
from roma_device.app.cameras.pipe.session import PipeSession
from roma_device.app.cameras.pipe.spec import PipeSpec
from roma_device.runtime.types import StereoFrame

from .raw_producer import SLOT_BYTES, SLOTS, RawProducer, frame, hello, shared

RELEASE, REFUSAL = 3, 4


@pytest.fixture
def sentences() -> Iterator[list[str]]:
    found: list[str] = []
    handler = logger.add(lambda text: found.append(str(text)), level="WARNING", format="{message}")
    yield found
    logger.remove(handler)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[PipeSession]:
    session = PipeSession(PipeSpec(str(tmp_path / "socket")), CaptureCounts())
    yield session
    session.close()


@pytest.fixture
def producer(session: PipeSession, tmp_path: Path) -> Iterator[RawProducer]:
    producer = RawProducer(tmp_path / "socket")
    yield producer
    producer.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def look(session: PipeSession) -> list[StereoFrame]:
    """Twice, as a connection that is new is heard in the second look only."""
    return [*session.pairs(0), *session.pairs(0)]


def noise(memory: int, length: int = SLOTS * SLOT_BYTES) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, length, np.uint8).tobytes()
    os.pwrite(memory, pixels, 0)
    return pixels


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([b"hello"], "a message of 5 bytes is none"),
        ([b"x" * 64], "begins with b'xxxx'"),
        ([hello(version=9)], "speaks version 9, this program version 1"),
        ([hello(slots=0)], "0 slots are not from 1 to 64"),
        ([hello(slot_bytes=1 << 40)], "are not from 1 to"),
        ([hello(slots=64)], "need 393216 bytes, the memory has 24576"),
        ([hello(), hello()], "greets once"),
        ([frame()], "a frame came before the greeting"),
        ([hello(), frame(slot=4)], "slot 4 of 4 does not exist"),
        ([hello(), frame(side=2)], "side 2 is neither"),
        ([hello(), frame(format=b"H264")], "format 'H264' is not one of GREY, NV12, YUYV"),
        ([hello(), frame(width=0)], "0x48 px is not from"),
        ([hello(), frame(stride=63)], "a stride of 63 bytes is less than a row of 64 px GREY"),
        ([hello(), frame(stride=64, format=b"YUYV")], "is less than a row of 64 px YUYV"),
        ([hello(), frame(height=400)], "takes 25600 bytes, a slot has 6144"),
        ([hello(), frame(offset=2**32 - 1)], "a slot has 6144"),
        ([hello(), frame(sequence=5), frame(sequence=5)], "sequence does not rise: 5 follows 5"),
        ([hello(), frame(timestamp_ns=10**9), frame(sequence=1, timestamp_ns=10**9 - 1)], "goes back by 0.000 ms"),
        ([hello(), frame(timestamp_ns=2**63)], "in the future: CLOCK_MONOTONIC is meant"),
        ([hello(), frame()[:-1]], "of type 2 has 64 bytes, not 63"),
        ([hello(), frame() + b"x" * 400], "longer than any"),
    ],
)
def test_a_lie_is_said_to_both(
    session: PipeSession, producer: RawProducer, sentences: list[str], messages: list[bytes], words: str
) -> None:
    for message in messages:
        producer.send(message, *([producer.memory] if message[6:7] == b"\1" else []))
    assert look(session) == []
    assert len(sentences) == 1 and words in sentences[0] and "was dropped" in sentences[0]
    assert words in [body for kind, body in producer.answers() if kind == REFUSAL][-1].decode()
    assert session._producers == []


@pytest.mark.parametrize("path", ["/dev/null", __file__])
def test_memory_is_shared_memory_of_which_there_is_one(
    session: PipeSession, producer: RawProducer, sentences: list[str], path: str
) -> None:
    with Path(path).open("rb") as file:
        producer.greet(None, file.fileno())
        look(session)
        assert "is no shared memory" in sentences[0]


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_greeting_carries_one_descriptor(
    session: PipeSession, producer: RawProducer, sentences: list[str], count: int
) -> None:
    before = open_descriptors()
    producer.send(hello(), *[producer.memory] * count)
    look(session)
    assert f"carries one descriptor, not {count}" in sentences[0]
    assert open_descriptors() <= before


def test_memory_that_is_cut_short_later_is_no_crash(
    session: PipeSession, producer: RawProducer, sentences: list[str]
) -> None:
    producer.greet()
    look(session)
    os.ftruncate(producer.memory, 100)
    producer.send(frame())
    look(session)
    assert "ends before the image does" in sentences[0]


def test_padded_rows_and_offsets_are_read_as_they_lie(session: PipeSession, producer: RawProducer) -> None:
    pixels = np.frombuffer(noise(producer.memory), np.uint8)
    producer.greet()
    stamp_ns = time.monotonic_ns()
    size = {"width": 32, "height": 16, "timestamp_ns": stamp_ns}
    producer.send(frame(**size, stride=100))
    producer.send(frame(**size, stride=100, side=1, format=b"YUYV", slot=1, offset=32))
    (pair,) = look(session)
    rows = pixels[: 16 * 100].reshape(16, 100)
    np.testing.assert_array_equal(pair.left.image, rows[:, :32])
    start = SLOT_BYTES + 32
    np.testing.assert_array_equal(pair.right.image, pixels[start : start + 1600].reshape(16, 100)[:, :64:2])
    assert [kind for kind, _ in producer.answers()] == [RELEASE, RELEASE]


def test_a_slot_may_be_written_anew_once_it_is_back(session: PipeSession, producer: RawProducer) -> None:
    before = np.frombuffer(noise(producer.memory)[: 64 * 48], np.uint8).reshape(48, 64)
    producer.greet()
    for side in (0, 1):
        producer.send(frame(side=side, slot=side))
    (pair,) = look(session)
    os.pwrite(producer.memory, bytes(SLOTS * SLOT_BYTES), 0)
    np.testing.assert_array_equal(pair.left.image, before)


def test_a_side_has_one_producer_and_both_one_size(
    session: PipeSession, producer: RawProducer, sentences: list[str], tmp_path: Path
) -> None:
    producer.greet()
    producer.send(frame())
    look(session)
    for changes, words in (
        ({}, "comes from process"),
        ({"side": 1, "width": 32}, "32x48 px, the other side has 64x48"),
    ):
        other = RawProducer(tmp_path / "socket")
        other.greet()
        other.send(frame(**changes))
        look(session)
        assert words in sentences[-1]
        other.close()
    assert len(session._producers) == 1


def test_who_does_not_take_his_slots_back_is_dropped(
    session: PipeSession, producer: RawProducer, sentences: list[str]
) -> None:
    producer.greet()
    for number in range(3000):
        producer.send(frame(sequence=number, timestamp_ns=time.monotonic_ns()))
        list(session.pairs(0))
        if sentences:
            break
    assert "does not read the slots that it gets back" in sentences[0]


def test_a_damaged_or_stale_frame_is_counted(session: PipeSession, producer: RawProducer) -> None:
    producer.greet()
    producer.send(frame(timestamp_ns=time.monotonic_ns() - 2 * 10**9))
    producer.send(frame(sequence=1, flags=1))
    look(session)
    assert session._counts.dropped["stale"] == session._counts.dropped["damaged"] == 1
    assert len(producer.answers()) == 2


def test_sentences_come_at_a_limited_rate(sentences: list[str]) -> None:
    now_s = 0.0
    complaints = Complaints(lambda: now_s)
    for _ in range(100):
        complaints.say("it lies")
    assert len(sentences) == BURST
    now_s = PERIOD_S + 1
    complaints.say("it lies")
    assert sentences[-1].strip() == f"it lies ({100 - BURST} more were not written)"


def test_a_socket_is_taken_over_from_the_dead_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with pytest.raises(CameraError, match="another program takes frames"):
        _listen_twice(path)
    left_behind = Listener(str(path))
    left_behind.socket.close()  # as when the program is killed
    Listener(str(path)).close()
    path.write_text("precious")
    with pytest.raises(CameraError, match="is no socket"):
        Listener(str(path))
    with pytest.raises(CameraError, match=r"folder of the socket .* does not exist"):
        Listener(str(tmp_path / "none" / "socket"))
    assert path.read_text() == "precious"


def _listen_twice(path: Path) -> None:
    first = Listener(str(path))
    try:
        Listener(str(path))
    finally:
        first.close()


@pytest.mark.parametrize("text", ["", "x" * 200, "a?fps=30", "a?max_skew_ms=x"])
def test_names_that_make_no_sense_are_usage_errors(text: str) -> None:
    with pytest.raises(CameraError) as caught:
        PipeSpec.parse(text)
    assert caught.value.exit_code == os.EX_USAGE


NUMBERS = st.sampled_from([0, 1, 2, 15, 16, 47, 48, 63, 64, 65, 400, 2**16, 2**31, 2**32 - 1])
LONG_NUMBERS = st.one_of(NUMBERS, st.sampled_from([2**63, 2**64 - 1]))
FIELDS = {
    **dict.fromkeys(("slot", "side", "width", "height", "stride", "flags", "offset"), NUMBERS),
    **dict.fromkeys(("sequence", "timestamp_ns", "reserved"), LONG_NUMBERS),
    "format": st.sampled_from([b"GREY", b"NV12", b"YUYV", b"H264", b"\xff\0\0\0"]),
}
FRAMES = st.fixed_dictionaries({}, optional=FIELDS).map(lambda changes: frame(**changes))
HELLOS = st.builds(hello, NUMBERS, LONG_NUMBERS, st.integers(0, 2), st.sampled_from([b"RPIP", b"RPIQ"]))


def _spoiled(message: bytes, at: int, byte: int, length: int) -> bytes:
    whole = bytearray(message)
    whole[at] = byte
    return bytes(whole)[:length]


SPOILED = st.builds(
    _spoiled, st.one_of(FRAMES, HELLOS), st.integers(0, 63), st.integers(0, 255), st.sampled_from([0, 7, 63, 64])
)
MESSAGES = st.one_of(FRAMES, HELLOS, SPOILED, st.binary(max_size=300), st.just(hello()))
MEMORIES: list[Callable[[], int]] = [shared, lambda: shared(0), lambda: shared(100), lambda: os.open("/", os.O_RDONLY)]
SENT = st.lists(st.tuples(MESSAGES, st.lists(st.sampled_from(MEMORIES), max_size=3)), min_size=1, max_size=6)


def _say_all(folder: Path, examples: int) -> int:
    """Messages that were sent; nothing may raise, leak or end up as a pair without two images."""
    path = folder / "socket"
    session = PipeSession(PipeSpec(str(path)), CaptureCounts())
    sent = 0

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(SENT, st.booleans())
    def say(messages: list[tuple[bytes, list[Callable[[], int]]]], greets: bool) -> None:
        nonlocal sent
        producer = RawProducer(path)
        if greets:
            producer.greet()
        for message, memories in messages:
            descriptors = [make() for make in memories]
            producer.send(message, *descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            sent += 1
        look(session)
        producer.close()
        look(session)
        assert session._producers == []

    before = open_descriptors()
    say()
    gc.collect()
    assert open_descriptors() == before
    session.close()
    return sent


@pytest.mark.slow
def test_a_thousand_malformed_messages_give_sentences_only(tmp_path: Path) -> None:
    assert _say_all(tmp_path, 600) >= 1000


@pytest.mark.thorough
def test_ten_thousand_malformed_messages_give_sentences_only(tmp_path: Path) -> None:
    assert _say_all(tmp_path, 6000) >= 10_000
