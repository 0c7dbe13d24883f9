import json
import signal
import subprocess
import sys
import textwrap
from io import FileIO
from pathlib import Path

import pytest

from roma_device.app.sinks import SinkError, open_sink
from roma_device.app.sinks import results as results_module
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

    monkeypatch.setattr(results_module, "FileIO", AlmostFull)
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
