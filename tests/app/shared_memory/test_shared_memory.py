"""Results in shared memory: readers and writers of several languages, which are killed and stopped."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_device.app.publishers import open_publisher
from roma_device.app.shared_memory import greeting, layout, server
from roma_device.app.shared_memory.layout import Layout, SharedMemoryError
from roma_device.app.shared_memory.publisher import SharedMemoryPublisher
from roma_device.app.shared_memory.reader import SharedMemoryReader
from roma_device.app.shared_memory.ring import Ring
from roma_device.app.sinks import SinkError
from roma_device.calibration.arrays import AnyArray, Size
from roma_device.runtime.types import Result

from .writer import made

HERE = Path(__file__).parent
PATIENCE_S = 60.0
SANITIZERS = {"address": ["-fsanitize=address,undefined"], "thread": ["-fsanitize=thread", "-Wno-tsan"]}
needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no C compiler")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"test-{os.getpid()}-{request.node.name[:24].replace('[', '-').replace(']', '')}"


@contextmanager
def writer(name: str, count: int, between_s: float = 0, readers: int = 0) -> Iterator[subprocess.Popen[str]]:
    """A program that publishes, and begins once something is written to its stdin."""
    words = [sys.executable, "-m", "tests.app.shared_memory.writer", name, str(count), str(between_s), str(readers)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(words, cwd=HERE.parents[2], **pipes)  # type: ignore[call-overload]
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def wait_for_reader(publisher: SharedMemoryPublisher) -> None:
    while not publisher.has_readers:
        os.sched_yield()


def compiled(folder: Path, source: str, *options: str) -> str:
    compiler = ["g++", "-std=c++17"] if source.endswith("pp") else ["gcc", "-std=c99", "-pedantic"]
    warnings = ["-Wall", "-Wextra", "-Werror"]
    program = str(folder / "reader")
    subprocess.run([*compiler, *warnings, "-O1", *options, str(HERE / source), "-o", program, "-pthread"], check=True)
    return program


@pytest.fixture
def published(name: str) -> Iterator[tuple[SharedMemoryPublisher, SharedMemoryReader]]:
    with open_publisher(f"shm:{name}?fields=all") as publisher, SharedMemoryReader(name) as reader:
        assert isinstance(publisher, SharedMemoryPublisher)
        yield publisher, reader


def test_without_a_reader_nothing_is_made(name: str) -> None:
    result = made(0)
    with open_publisher(f"shm:{name}") as publisher:
        publisher.write(result)
        assert isinstance(publisher, SharedMemoryPublisher) and publisher.flush(PATIENCE_S)
        assert publisher._writer is not None and publisher._writer._ring is None


def test_a_reader_gets_the_newest_frame_and_each_once(
    published: tuple[SharedMemoryPublisher, SharedMemoryReader],
) -> None:
    publisher, reader = published
    for index in range(7):
        publisher.write(made(index))
    assert publisher.flush(PATIENCE_S)
    result = reader.next(PATIENCE_S)
    assert result is not None and result.index == 6 and result.depth is not None
    assert (result.depth.depth_m == 6).all() and (result.images.left == 6).all()
    assert reader.next(0) is None


def test_every_frame_comes_where_the_reader_is_quick(
    published: tuple[SharedMemoryPublisher, SharedMemoryReader],
) -> None:
    publisher, reader = published
    for index in range(50):
        publisher.write(made(index))
        result = reader.next(PATIENCE_S)
        assert result is not None and result.index == index


def test_write_does_not_wait_for_the_copy_and_the_newest_wins(
    published: tuple[SharedMemoryPublisher, SharedMemoryReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher, reader = published
    copied, begun, go_on = [], threading.Event(), threading.Event()
    whole = Ring.write

    def slow(ring: Ring, number: int, result: Result, planes: Mapping[str, AnyArray]) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        copied.append(result.index)
        whole(ring, number, result, planes)

    publisher.write(made(9))  # makes the ring
    monkeypatch.setattr(Ring, "write", slow)
    publisher.write(made(0))
    assert begun.wait(PATIENCE_S)
    for index in range(1, 5):
        publisher.write(made(index))
    assert not copied and not publisher.flush(0)
    go_on.set()
    assert publisher.flush(PATIENCE_S) and copied == [0, 4]
    result = reader.next(PATIENCE_S)
    assert result is not None and result.index == 4


def test_no_memory_for_the_ring_is_told_of_each_result_and_tried_again(
    published: tuple[SharedMemoryPublisher, SharedMemoryReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher, reader = published
    with monkeypatch.context() as short:
        short.setattr(os, "memfd_create", fails)
        for index in range(3):
            with pytest.raises(SinkError, match=r"no shared memory for shm:.*: Cannot allocate memory"):
                publisher.write(made(index))
    publisher.write(made(3))
    result = reader.next(PATIENCE_S)
    assert result is not None and result.index == 3


def test_what_goes_wrong_while_copying_is_tried_again_or_told_at_the_end(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = None
    with pytest.raises(OSError, match="Cannot allocate"), SharedMemoryPublisher(name) as publisher:
        reader = SharedMemoryReader(name)
        publisher.write(made(0))
        with monkeypatch.context() as broken:
            broken.setattr(Ring, "write", fails)
            publisher.write(made(1))
            assert publisher.flush(PATIENCE_S)
            with pytest.raises(OSError, match="Cannot allocate"):
                publisher.write(made(2))
        publisher.write(made(3))
        result = reader.next(PATIENCE_S)
        assert result is not None and result.index == 3
        monkeypatch.setattr(Ring, "write", fails)
        publisher.write(made(4))
    assert reader is not None
    reader.close()


def fails(*_: object) -> int:
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def test_images_of_another_size_get_a_ring_of_their_own(
    published: tuple[SharedMemoryPublisher, SharedMemoryReader],
) -> None:
    publisher, reader = published
    for index, size in enumerate((Size(64, 48), Size(32, 16), Size(64, 48))):
        publisher.write(made(index, size))
        result = reader.next(PATIENCE_S)
        assert result is not None and (result.index, result.images.left.shape[::-1]) == (index, size)


def test_the_end_of_the_writer_ends_the_reader(name: str) -> None:
    with open_publisher(f"shm:{name}") as publisher:
        reader = SharedMemoryReader(name)
        publisher.write(made(3))
    assert [result.index for result in reader.results()] == [3]
    reader.close()


def test_what_was_not_published_is_said(name: str) -> None:
    with open_publisher(f"shm:{name}?fields=depth") as publisher, SharedMemoryReader(name) as reader:
        publisher.write(made(1))
        result = reader.next(PATIENCE_S)
        assert result is not None and np.isnan(result.matches.certainty).all()
        with pytest.raises(SharedMemoryError, match="left image was not published"):
            _ = result.images.left


@needs_compiler
@pytest.mark.parametrize("sanitizer", list(SANITIZERS))
def test_no_reader_sees_a_torn_frame(tmp_path: Path, name: str, sanitizer: str) -> None:
    program = compiled(tmp_path, "soak.c", "-g", *SANITIZERS[sanitizer])
    with writer(name, 1000, readers=4) as process:
        readers = subprocess.Popen([program, name, "4"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        begin(process)
        out, err = readers.communicate(timeout=2 * PATIENCE_S)
    assert readers.returncode == 0 and err == ""
    seen = [[int(word) for word in line.split()] for line in out.splitlines()]
    assert [(torn, outcome) for _, torn, outcome in seen] == [(0, -1)] * 4


@needs_compiler
def test_the_class_for_cpp_reads_depth_and_points(tmp_path: Path, name: str) -> None:
    program = compiled(tmp_path, "distance.cpp")
    publisher = SharedMemoryPublisher(name)
    with publisher, subprocess.Popen([program, name], stdout=subprocess.PIPE, text=True) as process:
        wait_for_reader(publisher)
        publisher.write(made(8))
        assert process.stdout is not None and process.stdout.readline() == "8 8 -5.7\n"  # (3 - 31.5) * 8 / 40
        publisher.__exit__()
        assert process.wait() == 0


def test_a_killed_writer_is_noticed_and_its_name_is_free_at_once(name: str) -> None:
    before = set(Path("/dev/shm").iterdir())
    with writer(name, 10**9, 0.001) as process, SharedMemoryReader(name) as reader:
        begin(process)
        assert reader.next(PATIENCE_S) is not None
        process.kill()
        process.wait()
        with pytest.raises(SharedMemoryError, match=f"published to shm:{name} died") as caught:
            list(reader.results())
        assert caught.value.exit_code == os.EX_UNAVAILABLE
    with open_publisher(f"shm:{name}"):
        pass
    assert {path for path in Path("/dev/shm").iterdir() if "roma" in path.name} <= before


def test_readers_that_stop_or_die_hold_nobody_up(name: str) -> None:
    with SharedMemoryPublisher(name) as publisher, SharedMemoryReader(name) as ours:
        words = [
            sys.executable,
            "-c",
            f"""
import time
from roma_device.app.shared_memory.reader import SharedMemoryReader
reader = SharedMemoryReader({name!r})
print("there", flush=True)
time.sleep(600)""",
        ]
        others = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(2)]
        for other in others:
            assert other.stdout is not None and other.stdout.readline() == b"there\n"
        others[0].send_signal(signal.SIGSTOP)
        for index in range(2000):  # more than the socket of one that does not listen can hold
            publisher.write(made(index))
            assert publisher.flush(PATIENCE_S)
        others[1].kill()
        others[1].wait()
        publisher.write(made(2000))
        assert publisher.flush(PATIENCE_S)
        result = ours.next(PATIENCE_S)
        assert result is not None and result.index == 2000
        others[0].kill()
        for other in others:
            other.communicate()


@needs_compiler
def test_another_layout_version_is_refused_in_words(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = compiled(tmp_path, "distance.cpp")
    monkeypatch.setattr(greeting, "VERSION", 2)
    with SharedMemoryPublisher(name) as publisher:
        with subprocess.Popen([program, name], stdout=subprocess.PIPE, text=True) as process:
            wait_for_reader(publisher)
            publisher.write(made(0))
            out, _ = process.communicate(timeout=PATIENCE_S)
        assert "the writer speaks layout version 2, this program version 1" in out
        reader = SharedMemoryReader(name)
        publisher.write(made(1))
        assert publisher.flush(PATIENCE_S)
        monkeypatch.setattr(greeting, "VERSION", 1)
        with pytest.raises(SharedMemoryError, match="layout version 2, this program reads version 1"):
            reader.next(PATIENCE_S)
        reader.close()


def test_a_ring_of_another_version_is_refused_too() -> None:
    data = bytearray(Layout.of(Size(8, 8), [("left", np.zeros((8, 8), np.uint8))]).encode())
    data[8] = 7
    with pytest.raises(SharedMemoryError, match="layout version 7, this program reads version 1"):
        layout.decode(bytes(data), 1 << 20)


@given(st.integers(0, layout.CHECKED_BYTES - 1), st.integers(1, 255))
def test_a_header_that_was_changed_anywhere_is_refused(place: int, change: int) -> None:
    whole = Layout.of(Size(8, 8), [("left", np.zeros((8, 8), np.uint8)), ("depth", np.zeros((8, 8), np.float32))])
    data = bytearray(whole.encode())
    assert layout.decode(bytes(data), whole.total_bytes) == whole
    data[place] ^= change
    with pytest.raises(SharedMemoryError):
        layout.decode(bytes(data), whole.total_bytes)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("shm:", "shm: is no name"),
        ("shm:a/b", "shm:a/b is no name"),
        ("shm:depth?fields=red", "write fields= and some of left, right"),
        ("shm:depth?colour=red", "write fields= and some of left, right"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(spec: str, sentence: str) -> None:
    with pytest.raises(SinkError, match=sentence.replace("?", r"\?")) as caught:
        open_publisher(spec)
    assert caught.value.exit_code == os.EX_USAGE


def test_a_name_has_one_writer(name: str) -> None:
    with open_publisher(f"shm:{name}"), pytest.raises(SinkError, match=r"publishes to .* already"):
        open_publisher(f"shm:{name}").__enter__()


def test_a_reader_without_rights_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "may_read", lambda reader: False)
    with open_publisher(f"shm:{name}") as publisher, SharedMemoryReader(name) as reader:
        result: Result = made(0)
        publisher.write(result)
        with pytest.raises(SharedMemoryError, match="is for the user and group of its writer") as caught:
            reader.next(PATIENCE_S)
    assert caught.value.exit_code == os.EX_NOPERM
