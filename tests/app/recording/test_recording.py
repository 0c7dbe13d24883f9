"""Record and replay: to the bit, whatever happens to the disk and to the power."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import FileIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.app.cameras import CameraError, open_camera
from roma_device.app.cameras.simulated import virtual_rig
from roma_device.app.cameras.source import open_source
from roma_device.app.recording import recorder as recorder_module
from roma_device.app.recording.layout import CALIBRATION, HEADER, MAGIC, SESSION, RecordingError
from roma_device.app.recording.recorder import Recorder, new_session
from roma_device.app.sinks import disk_room
from roma_device.runtime.types import Frame, StereoFrame


def pairs(count: int, channels: int = 3, size: tuple[int, int] = (32, 24)) -> list[StereoFrame]:
    rng = np.random.default_rng(count)
    shape = (size[1], size[0], 3)[: 2 + (channels == 3)]
    return [
        StereoFrame(
            Frame(rng.integers(0, 256, shape, np.uint8), 10**12 + number * 33_000_000, number),
            Frame(rng.integers(0, 256, shape, np.uint8), 10**12 + number * 33_000_000 + 999, number + 5),
        )
        for number in range(count)
    ]


def record(parent: Path, frames: list[StereoFrame]) -> Path:
    folder = new_session(parent, {"camera": "test"}, virtual_rig((32, 24)))
    with Recorder(folder, wait=True, min_free_bytes=0) as recorder:
        for frame in frames:
            recorder.offer(frame)
    assert not recorder.problem
    return folder


def replay(spec: str | Path) -> list[StereoFrame]:
    with open_camera(f"recording:{spec}") as camera:
        return list(camera.frames())


def assert_same(one: StereoFrame, other: StereoFrame) -> None:
    for left, right in ((one.left, other.left), (one.right, other.right)):
        assert left.image.dtype == right.image.dtype == np.uint8
        np.testing.assert_array_equal(left.image, right.image)
        assert (left.timestamp_ns, left.sequence) == (right.timestamp_ns, right.sequence)


@pytest.mark.parametrize("channels", [1, 3])
def test_replay_is_equal_to_the_bit(tmp_path: Path, channels: int) -> None:
    frames = pairs(7, channels)
    record(tmp_path, frames)
    replayed = replay(tmp_path)  # the folder above: it holds a single recording
    assert len(replayed) == 7
    for one, other in zip(frames, replayed, strict=True):
        assert_same(one, other)
    assert replayed[0].left.image.flags.writeable


def test_the_calibration_goes_with_the_pairs(tmp_path: Path) -> None:
    folder = record(tmp_path, pairs(1))
    with open_camera(f"recording:{folder}") as camera:
        assert camera.calibration is not None and camera.calibration.baseline_m == virtual_rig((32, 24)).baseline_m
    (folder / CALIBRATION).unlink()
    with open_camera(f"recording:{folder}") as camera:
        assert camera.calibration is None


def test_long_recordings_go_on_in_further_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "CHUNK_BYTES", 10_000)
    folder = record(tmp_path, pairs(9))
    assert len(list(folder.glob("*.pairs"))) == 3
    assert [frame.left.sequence for frame in replay(folder)] == list(range(9))


def test_the_name_of_every_new_file_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[set[str]] = []
    flush = recorder_module.flush_folder

    def watched(folder: Path) -> None:
        flushed.append({path.name for path in folder.glob("*.pairs")})
        flush(folder)

    monkeypatch.setattr(recorder_module, "CHUNK_BYTES", 10_000)
    monkeypatch.setattr(recorder_module, "flush_folder", watched)
    folder = record(tmp_path, pairs(9))
    names = sorted(path.name for path in folder.glob("*.pairs"))
    assert len(names) > 1 and flushed == [set(names[: count + 1]) for count in range(len(names))]


def test_rounds_go_on_in_time(tmp_path: Path) -> None:
    record(tmp_path, pairs(3))
    stamps = [frame.timestamp_ns for frame in replay(f"{tmp_path}?loop=3")]
    assert len(stamps) == 9 and stamps == sorted(set(stamps))


def test_at_recorded_speed_it_takes_as_long_as_it_took(tmp_path: Path) -> None:
    record(tmp_path, pairs(5))
    begun = time.monotonic()
    assert len(replay(f"{tmp_path}?speed=2")) == 5
    assert time.monotonic() - begun >= 4 * 0.033 / 2


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 5 * (HEADER.size + 2 * 32 * 24)))
def test_a_torn_end_costs_only_the_pair_that_it_tears(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = record(tmp_path_factory.mktemp("torn"), pairs(5, channels=1))
    chunk = folder / "000000.pairs"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[: max(0, len(whole) - cut)])
    record_bytes = HEADER.size + 2 * 32 * 24
    assert len(replay(folder)) == 5 - -(-cut // record_bytes)


def test_an_end_of_zeros_is_a_torn_one(tmp_path: Path) -> None:
    """As file systems leave it that had given out the blocks but not written them."""
    folder = record(tmp_path, pairs(3))
    with (folder / "000000.pairs").open("ab") as file:
        file.write(bytes(5000))
    assert len(replay(folder)) == 3


def test_half_a_record_and_zeros_are_a_torn_end(tmp_path: Path) -> None:
    folder = record(tmp_path, pairs(3, channels=1))
    chunk = folder / "000000.pairs"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[: len(whole) - 32 * 24] + bytes(9000))
    assert len(replay(folder)) == 2


@pytest.mark.parametrize("width", [33, 640, 16000])
def test_a_header_that_lies_about_its_size_hides_nothing(tmp_path: Path, width: int) -> None:
    """It looked like a torn end, and all pairs after it were gone with exit code 0."""
    folder = record(tmp_path, pairs(3, channels=1))
    chunk = folder / "000000.pairs"
    data = bytearray(chunk.read_bytes())
    at = data.index((32).to_bytes(2, "little") + (24).to_bytes(2, "little"))
    data[at : at + 2] = width.to_bytes(2, "little")
    chunk.write_bytes(data)
    with pytest.raises(CameraError, match="damaged at byte 8"):
        replay(folder)


def test_a_stop_ends_a_wait_for_the_next_pair(tmp_path: Path) -> None:
    one, other = pairs(2)
    late = StereoFrame(replace(other.left, timestamp_ns=10**12 + 3600 * 10**9), other.right)
    folder, stop = record(tmp_path, [one, late]), threading.Event()
    with open_camera(f"recording:{folder}?speed=1") as camera:
        frames = open_source(camera, stop).frames()
        next(frames)
        threading.Timer(0.1, stop.set).start()
        assert list(frames) == []


def test_damage_in_the_middle_is_an_error_with_its_place(tmp_path: Path) -> None:
    folder = record(tmp_path, pairs(3, channels=1))
    chunk = folder / "000000.pairs"
    data = bytearray(chunk.read_bytes())
    data[len(MAGIC) + HEADER.size + 2 * 32 * 24 + 100] ^= 1
    chunk.write_bytes(data)
    with open_camera(f"recording:{folder}") as camera:
        source = camera.frames()
        next(source)
        with pytest.raises(CameraError, match="damaged at byte 1") as caught:
            next(source)
    assert caught.value.exit_code == os.EX_DATAERR


class SmallDisk(FileIO):
    """Has room for 5000 bytes, all files together."""

    room = 5000

    def write(self, data: object) -> int:  # type: ignore[override]
        size = min(memoryview(data).nbytes, SmallDisk.room)  # type: ignore[arg-type]
        SmallDisk.room -= size
        if size == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(memoryview(data).cast("B")[:size])  # type: ignore[arg-type]


def test_a_full_disk_stops_the_recording_and_keeps_what_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "FileIO", SmallDisk)
    folder = new_session(tmp_path, {}, None)
    with Recorder(folder, wait=True, min_free_bytes=0) as recorder:
        for frame in pairs(20, channels=1):
            recorder.offer(frame)
    assert "No space left on device" in recorder.problem and recorder.written == 3 and recorder.failures
    assert len(replay(folder)) == 3


def test_the_recording_stops_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "SYNC_S", 0.0)
    monkeypatch.setattr(disk_room, "KEPT_SHARE", 1.0)
    folder = new_session(tmp_path, {}, None)
    with Recorder(folder, wait=True, min_free_bytes=1 << 60) as recorder:
        for frame in pairs(5):
            recorder.offer(frame)
    assert "MiB are left" in recorder.problem and len(replay(folder)) == recorder.written == 1


class TroubledDisk(FileIO):
    """Refuses to write while ``trouble`` is one."""

    trouble: Exception | None = None

    def write(self, data: object) -> int:  # type: ignore[override]
        if TroubledDisk.trouble is not None:
            raise TroubledDisk.trouble
        return super().write(data)  # type: ignore[arg-type]


def until(condition: Callable[[], bool]) -> None:
    patience = threading.Event()
    for _ in range(2000):
        if condition():
            return
        patience.wait(0.01)
    raise AssertionError("it never came to that")


@pytest.mark.parametrize("trouble", [OSError(errno.EIO, os.strerror(errno.EIO)), MemoryError(), ValueError("a bug")])
def test_after_trouble_of_any_kind_the_recording_goes_on_in_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    monkeypatch.setattr(recorder_module, "FileIO", TroubledDisk)
    monkeypatch.setattr(TroubledDisk, "trouble", None)
    folder, frames = new_session(tmp_path, {}, None), pairs(6)
    with Recorder(folder, min_free_bytes=0) as recorder:
        recorder.offer(frames[0])
        until(lambda: recorder.written == 1)
        TroubledDisk.trouble = trouble
        recorder.offer(frames[1])
        until(lambda: bool(recorder.problem))
        recorder.offer(frames[2])
        assert recorder.lost == 2 and (str(trouble) or type(trouble).__name__).split("] ")[-1] in recorder.problem
        TroubledDisk.trouble = None
        until(lambda: not recorder.problem)
        recorder.offer(frames[3])
    assert recorder.as_json()["failures"] >= 1 and recorder.written == 2
    assert [frame.left.sequence for frame in replay(folder)] == [0, 3]


def test_what_trouble_tore_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torn record in a file that is not the last one would be damage for whoever replays it."""
    monkeypatch.setattr(recorder_module, "FileIO", SmallDisk)
    monkeypatch.setattr(SmallDisk, "room", 5000)
    folder, frames = new_session(tmp_path, {}, None), pairs(6, channels=1)
    with Recorder(folder, min_free_bytes=0) as recorder:
        for frame in frames[:4]:
            recorder.offer(frame)
        until(lambda: bool(recorder.problem))
        SmallDisk.room = 1 << 30
        until(lambda: not recorder.problem)
        recorder.offer(frames[5])
    assert [frame.left.sequence for frame in replay(folder)] == [0, 1, 2, 5]


def test_a_folder_that_vanishes_is_made_again_with_all_that_replay_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "SYNC_S", 0.01)
    folder, frames = new_session(tmp_path, {"who": "a test"}, None), pairs(4)
    with Recorder(folder, min_free_bytes=0) as recorder:
        recorder.offer(frames[0])
        until(lambda: recorder.written == 1)
        shutil.rmtree(folder)
        until(lambda: recorder.failures == 1 and not recorder.problem)
        recorder.offer(frames[1])
    assert [frame.left.sequence for frame in replay(folder)] == [1]
    assert json.loads((folder / SESSION).read_text())["who"] == "a test"


def test_a_disk_that_is_too_slow_costs_pairs_but_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = new_session(tmp_path, {}, None)
    recorder = Recorder(folder, min_free_bytes=0)
    for frame in pairs(recorder_module.QUEUE_PAIRS + 4):
        recorder.offer(frame)  # its thread does not run yet
    assert recorder.lost == 4
    with recorder:
        pass
    assert len(replay(folder)) == recorder_module.QUEUE_PAIRS


def test_what_was_written_reaches_the_disk_within_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is the interval between two syncs, also when no more pairs come."""
    synced: list[float] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda number: (synced.append(time.monotonic()), real(number)))
    assert recorder_module.SYNC_S <= 0.5
    monkeypatch.setattr(recorder_module, "SYNC_S", 0.05)
    with Recorder(new_session(tmp_path, {}, None), min_free_bytes=0) as recorder:
        recorder.offer(pairs(1)[0])
        time.sleep(0.3)
        assert synced


def test_sessions_are_never_mixed_up(tmp_path: Path) -> None:
    record(tmp_path, pairs(1))
    record(tmp_path, pairs(2))
    with pytest.raises(CameraError, match="holds 2 recordings: name one") as caught:
        replay(tmp_path)
    assert caught.value.exit_code == os.EX_USAGE


def test_images_of_two_sizes_cannot_be_recorded_and_cost_themselves_alone(tmp_path: Path) -> None:
    left, right = pairs(1)[0].left, pairs(1, size=(16, 8))[0].right
    folder = new_session(tmp_path, {}, None)
    with Recorder(folder, min_free_bytes=0) as recorder:
        recorder.offer(StereoFrame(left, right))
        until(lambda: "cannot be recorded" in recorder.problem)
        until(lambda: not recorder.problem)
        recorder.offer(pairs(1)[0])
    assert len(replay(folder)) == 1 and recorder.lost == 1


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match="cannot make a recording in") as caught:
        new_session(tmp_path / "file" / "below", {}, None)
    assert caught.value.exit_code == os.EX_CANTCREAT


BAD_SESSIONS = {
    "not JSON": b"{",
    "something else": b'{"format": "video"}',
    "a list": b"[1]",
    "of a later version": json.dumps({"format": "roma-device-recording", "version": 9}).encode(),
}


@pytest.mark.parametrize("kind", list(BAD_SESSIONS))
def test_a_session_that_is_none(tmp_path: Path, kind: str) -> None:
    folder = record(tmp_path, pairs(1))
    (folder / SESSION).write_bytes(BAD_SESSIONS[kind])
    with pytest.raises(CameraError) as caught:
        replay(folder)
    assert caught.value.exit_code == os.EX_DATAERR


@pytest.mark.parametrize("query", ["speed=-1", "speed=x", "loop=-1", "speeed=1"])
def test_wrong_usage(tmp_path: Path, query: str) -> None:
    with pytest.raises(CameraError) as caught:
        replay(f"{tmp_path}?{query}")
    assert caught.value.exit_code == os.EX_USAGE


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bytes]]:
    folder = record(tmp_path_factory.mktemp("fuzz"), pairs(3, channels=1, size=(8, 6)))
    yield folder, (folder / "000000.pairs").read_bytes()


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 10**6), value=st.integers(0, 255), cut=st.integers(0, 400), extra=st.binary(max_size=80))
def test_damaged_files_give_typed_errors_or_whole_pairs(
    whole: tuple[Path, bytes], place: int, value: int, cut: int, extra: bytes
) -> None:
    folder, data = whole
    spoiled = bytearray(data)
    spoiled[place % len(data)] = value
    (folder / "000000.pairs").write_bytes(bytes(spoiled[: len(data) - cut]) + extra)
    try:
        found = replay(folder)
    except CameraError as error:
        assert error.exit_code == os.EX_DATAERR
    else:
        for frame in found:
            assert_same(frame, pairs(3, channels=1, size=(8, 6))[frame.left.sequence])


def test_a_file_that_was_removed_is_told_and_the_recording_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is still there, and writing into a file without a name meets no error."""
    monkeypatch.setattr(recorder_module, "SYNC_S", 0.01)
    monkeypatch.setattr(recorder_module, "FIRST_PAUSE_S", 0.01)
    folder, frames = new_session(tmp_path, {}, None), pairs(2)
    with Recorder(folder, wait=True, min_free_bytes=0) as recorder:
        recorder.offer(frames[0])
        until(lambda: recorder.written == 1)
        next(folder.glob("*.pairs")).unlink()
        until(lambda: recorder.failures == 1 and not recorder.problem)
        recorder.offer(frames[1])
    assert [one.left.sequence for one in replay(folder)] == [frames[1].left.sequence]
