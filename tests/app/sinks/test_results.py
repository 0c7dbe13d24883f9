import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from io import FileIO
from pathlib import Path

import pytest

from roma_device.app.sinks import SinkError, growing_file, open_sink
from roma_device.app.sinks.results import ResultsSink


def read(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_each_line_is_readable_before_the_run_ends(tmp_path, make_result):
    with open_sink("results", tmp_path) as sink:
        for index in range(3):
            sink.write(make_result(index))
            assert [line["index"] for line in read(tmp_path)] == list(range(index + 1))


def test_a_new_run_begins_a_new_file(tmp_path, make_result):
    for index in (1, 2):
        with open_sink("results", tmp_path) as sink:
            sink.write(make_result(index))
    assert [line["index"] for line in read(tmp_path)] == [2]


def test_what_was_written_survives_a_kill(tmp_path):
    program = """
        import os, signal, sys
        from pathlib import Path
        import numpy as np
        from roma_device.app.sinks import open_sink
        from roma_device.runtime.types import Frame, Matches, Result, StageTimes, StereoFrame
        image = np.zeros((4, 6), np.uint8)
        ones = np.ones((4, 6), np.float32)
        frame = StereoFrame(Frame(image, 1, 0), Frame(image, 2, 0))
        with open_sink("results", Path(sys.argv[1])) as sink:
            for index in range(50):
                matches = Matches(ones, ones)
                sink.write(Result(frame, index, matches, ones > 0, None, None, None, StageTimes()))
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [line["index"] for line in read(tmp_path)] == list(range(50))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_device_that_is_really_full_is_a_sink_error(tmp_path, make_result):
    (tmp_path / "results.jsonl").symlink_to("/dev/full")
    with open_sink("results", tmp_path) as sink, pytest.raises(SinkError, match="No space left on device"):
        sink.write(make_result())


def test_a_short_write_is_taken_back(tmp_path, make_result, monkeypatch):
    class AlmostFull(FileIO):
        room = 10_000

        def write(self, data):
            written = super().write(data[: AlmostFull.room])
            AlmostFull.room -= written
            return written

    monkeypatch.setattr(growing_file, "FileIO", AlmostFull)
    with open_sink("results", tmp_path) as sink:
        sink.write(make_result(0))
        AlmostFull.room = 30
        with pytest.raises(SinkError, match="No space left"):
            sink.write(make_result(1))
        AlmostFull.room = 10_000
        sink.write(make_result(2))
    assert [line["index"] for line in read(tmp_path)] == [0, 2]


def test_writing_outside_the_block_is_a_mistake(tmp_path, make_result):
    with pytest.raises(ValueError, match="with block"):
        ResultsSink(tmp_path).write(make_result())


def test_a_file_that_is_removed_is_begun_anew(tmp_path, make_result):
    """What went on into a file without a name was lost without a word."""
    with open_sink("results", tmp_path) as sink:
        sink.write(make_result(0))
        (tmp_path / "results.jsonl").unlink()
        sink.write(make_result(1))
    assert [line["index"] for line in read(tmp_path)] == [1]


def test_trouble_that_left_half_a_line_is_cut_off(tmp_path, make_result, monkeypatch):
    class Torn(FileIO):
        is_torn = False

        def write(self, data):
            if Torn.is_torn:
                super().write(data[:40])
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().write(data)

        def truncate(self, size=None):
            if Torn.is_torn:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().truncate(size)

    monkeypatch.setattr(growing_file, "FileIO", Torn)
    with open_sink("results", tmp_path) as sink:
        sink.write(make_result(0))
        Torn.is_torn = True
        with pytest.raises(SinkError, match="Input/output error"):
            sink.write(make_result(1))
        Torn.is_torn = False
        sink.write(make_result(2))
    assert [line["index"] for line in read(tmp_path)] == [0, 2]


def test_lines_reach_the_disk_twice_a_second(tmp_path, make_result, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    with open_sink("results", tmp_path) as sink:
        sink.write(make_result(0))
        assert synced == []
        monkeypatch.setattr(growing_file, "SYNC_S", 0.0)
        sink.write(make_result(1))
        assert len(synced) == 1


def test_a_resumed_run_goes_on_behind_the_lines_that_are_there(tmp_path, make_result):
    with open_sink("results", tmp_path) as sink:
        sink.write(make_result(0))
    sink = open_sink("results", tmp_path)
    sink.resume()
    with sink:
        sink.write(make_result(1))
    assert [line["index"] for line in read(tmp_path)] == [0, 1]


def test_a_file_in_whose_place_another_one_stands_is_left(tmp_path, make_result):
    """As a rotation of logs does it: the lines go where the name leads."""
    with open_sink("results", tmp_path) as sink:
        sink.write(make_result(0))
        (tmp_path / "results.jsonl").rename(tmp_path / "results.old")
        (tmp_path / "results.jsonl").touch()
        sink.write(make_result(1))
    assert [line["index"] for line in read(tmp_path)] == [1]
    assert json.loads((tmp_path / "results.old").read_text())["index"] == 0
