"""Run folders: which one a run gets, who may write there, and what ``run.json`` says of it afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from roma_device.app.run_folder.contents import drop_lines_from, holds_results, last_index
from roma_device.app.run_folder.folder import RunFolder
from roma_device.app.run_folder.record import NAME, DamagedRecordError, read_record
from roma_device.app.sinks import SinkError

SETTINGS = {"camera": "images:a,b", "depth": {"min_m": 0.2}, "task": ["depth"]}
MODEL = {"name": "stereo", "sha256": {"onnx": "ab"}}
CALIBRATION = {"source": "rig.yaml", "sha256": "cd", "baseline_m": 0.1}


def begin(folder: RunFolder, **changes: Any) -> None:
    redo_last = changes.pop("redo_last", True)
    folder.begin({**SETTINGS, **changes}, MODEL, CALIBRATION, redo_last=redo_last)


def finished(path: Path, frames: int = 2) -> Path:
    """The folder of a run of ``frames`` frames that is done."""
    with RunFolder.claim(path) as folder:
        begin(folder)
        for index in range(frames):
            add_frame(folder, index)
    return folder.path


def add_frame(folder: RunFolder, index: int) -> None:
    (folder.path / f"{index:06d}_depth.png").write_bytes(b"depth")
    with (folder.path / "results.jsonl").open("a") as file:
        file.write(json.dumps({"index": index}) + "\n")
    folder.observe(None)


def content(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_the_record_tells_what_the_run_was_made_of_and_how_it_ended(tmp_path: Path) -> None:
    with RunFolder.claim(tmp_path / "out") as folder:
        begin(folder)
        running = read_record(folder.path)
        add_frame(folder, 0)
    done = read_record(folder.path)
    assert running is not None and running.state == "running" and running.process == os.getpid()
    assert done is not None and (done.state, done.frames, done.ended_at is not None) == ("done", 1, True)
    assert done.settings == SETTINGS and done.model == MODEL and done.calibration == CALIBRATION


def test_a_failure_is_told_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(SinkError), RunFolder.claim(tmp_path) as folder:
        begin(folder)
        raise SinkError("the disk is full")
    record = read_record(tmp_path)
    assert record is not None and (record.state, record.reason) == ("failed", "the disk is full")


@pytest.mark.parametrize("times", [1, 3])
def test_every_run_has_a_folder_of_its_own(tmp_path: Path, times: int) -> None:
    first = finished(tmp_path / "out")
    before = content(first)
    names = [finished(tmp_path / "out").name for _ in range(times)]
    assert names == [f"out-{number}" for number in range(2, times + 2)]
    assert content(first) == before


def test_numbers_go_on_above_the_highest(tmp_path: Path) -> None:
    finished(tmp_path / "out")
    (tmp_path / "out-7").mkdir()
    (tmp_path / "out-old").mkdir()
    assert finished(tmp_path / "out").name == "out-8"


def test_where_the_parent_is_closed_the_next_run_lies_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = finished(tmp_path / "out")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    assert finished(tmp_path / "out") == first / "run-2"


def test_refused_where_that_is_wanted(tmp_path: Path) -> None:
    finished(tmp_path / "out")
    with pytest.raises(SinkError, match=r"holds the run of .*\(done, 2 frames\): give another --output, or") as caught:
        RunFolder.claim(tmp_path / "out", "refuse")
    assert caught.value.exit_code == os.EX_CANTCREAT


def test_what_older_versions_left_is_another_run_too(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "000000_depth.png").write_bytes(b"x")
    assert finished(tmp_path / "out").name == "out-2"
    with pytest.raises(SinkError, match="left no run"):
        RunFolder.claim(tmp_path / "out", "resume")


def test_files_of_the_user_are_no_run(tmp_path: Path) -> None:
    for name in ("000000.png", "notes.txt", "left.png"):
        (tmp_path / name).write_bytes(b"x")
    assert not holds_results(tmp_path) and finished(tmp_path) == tmp_path


def test_a_run_without_a_frame_is_replaced(tmp_path: Path) -> None:
    finished(tmp_path / "out", frames=0)
    assert finished(tmp_path / "out") == tmp_path / "out"


def test_a_run_that_never_began_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="camera"), RunFolder.claim(tmp_path / "out"):
        raise ValueError("no camera")
    assert not (tmp_path / "out").exists()


def test_two_writers_never_share_a_folder(tmp_path: Path) -> None:
    with RunFolder.claim(tmp_path / "out") as first:
        begin(first)
        with RunFolder.claim(tmp_path / "out") as second:
            assert second.path == tmp_path / "out-2"
        for existing in ("resume", "refuse"):
            with pytest.raises(SinkError, match="another run is writing into") as caught:
                RunFolder.claim(tmp_path / "out", existing)
            assert caught.value.exit_code == os.EX_TEMPFAIL


CRASH = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {root!r})
    from roma_device.app.run_folder.folder import RunFolder
    from tests.app.run_folder.test_run_folder import add_frame, begin
    folder = RunFolder.claim(Path({path!r}))
    begin(folder)
    for index in range(3):
        add_frame(folder, index)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """The folder of a run that was killed after three frames, the last of which has only one of its two results."""
    root = str(Path(__file__).parents[3])
    program = textwrap.dedent(CRASH).format(root=root, path=str(tmp_path / "out"))
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    return tmp_path / "out"


def test_a_run_that_was_killed_is_called_crashed(crashed: Path) -> None:
    left = read_record(crashed)
    assert left is not None and left.state == "running"
    before = content(crashed)
    assert finished(crashed).name == "out-2"
    found = read_record(crashed)
    assert found is not None and (found.state, found.frames) == ("crashed", 3)
    assert {**content(crashed), NAME: b""} == {**before, NAME: b""}


@pytest.mark.parametrize(("redo_last", "first"), [(True, 2), (False, 3)])
def test_a_crashed_run_goes_on(crashed: Path, redo_last: bool, first: int) -> None:
    with (crashed / "results.jsonl").open("a") as file:
        file.write('{"index": 3, "ti')  # torn by the crash
    with RunFolder.claim(crashed, "resume") as folder:
        begin(folder, redo_last=redo_last)
        assert folder.first_index == first
        for index in range(first, 5):
            add_frame(folder, index)
    record = read_record(crashed)
    assert record is not None and (record.state, record.frames, len(record.resumed_at)) == ("done", 5, 1)
    assert [json.loads(line)["index"] for line in (crashed / "results.jsonl").read_text().splitlines()] == [*range(5)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"camera": "images:c,d"}, "camera is 'images:a,b', not 'images:c,d'"),
        ({"depth": {"min_m": 1.0}}, "depth.min_m is 0.2, not 1.0"),
        ({"task": ["depth", "pose"]}, "poses are told from"),
    ],
)
def test_another_run_is_not_gone_on_with(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    finished(tmp_path)
    before = content(tmp_path)
    with pytest.raises(SinkError, match=said), RunFolder.claim(tmp_path, "resume") as folder:
        begin(folder, **changes)
    assert content(tmp_path) == before


def test_resuming_where_nothing_is_begins(tmp_path: Path) -> None:
    with RunFolder.claim(tmp_path / "out", "resume") as folder:
        begin(folder)
        assert not folder.is_resumed and folder.first_index == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', '{"format": "roma-device-run", "version": 1}'])
def test_a_damaged_record_is_one_sentence_and_its_folder_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / NAME).write_text(text)
    with pytest.raises(DamagedRecordError, match=NAME):
        read_record(tmp_path / "out")
    assert finished(tmp_path / "out").name == "out-2"


def test_lines_are_cut_before_an_index(tmp_path: Path) -> None:
    assert last_index(tmp_path) is None
    (tmp_path / "results.jsonl").write_text('{"index": 0}\n{"index": 1}\nnonsense\n{"index": 2}\n{"index')
    assert last_index(tmp_path) == 2
    drop_lines_from(tmp_path, 2)
    assert (tmp_path / "results.jsonl").read_text() == '{"index": 0}\n{"index": 1}\n'
