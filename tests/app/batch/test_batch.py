"""``roma-device batch`` in one process: each item once and whole, whatever happened before."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from roma_device.app.batch.folders import BatchFolder
from roma_device.app.batch.job import Job
from roma_device.app.batch.process import Work, process
from roma_device.app.recording.layout import SESSION
from roma_device.app.run_folder.folder import RunFolder
from roma_device.app.run_folder.lock import FolderLock
from roma_device.app.settings.settings import Settings
from roma_device.app.sinks import SinkError
from tests.app.batch.conftest import Batch, done_of, scenes
from tests.app.command_line import call


def poisoned(path: Path) -> Path:
    """A recording that looks like one from outside."""
    path.mkdir(parents=True)
    (path / SESSION).write_text('{"format": "roma-device-recording", "version": 1}')
    (path / "000000.pairs").write_bytes(b"ROMAPAIR" + b"x" * 5000)
    (path / "000001.pairs").write_bytes(b"ROMAPAIR")
    return path


def test_items_are_what_run_gives_of_each(tmp_path: Path, batch: Batch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = batch(*scenes(2))
    assert code == 0 and out.startswith("2 of 2 items done (4 frames)")
    alone = ("--camera", scenes(1)[0], "--input-width", "64", "--passes", "0", "--engine", "opencv", "--threads", "1")
    assert call(capsys, "run", *alone, "--output", str(tmp_path / "alone"), "--save", "disparity")[0] == 0
    first = next(iter(done_of(tmp_path / "out")))
    for path in (tmp_path / "alone").glob("*.pfm"):
        assert (tmp_path / "out" / "items" / first / path.name).read_bytes() == path.read_bytes()
    record = json.loads((tmp_path / "out" / "items" / first / "run.json").read_text())
    assert record["state"] == "done" and record["settings"]["output"]["folder"].endswith(f"out/items/{first}")


def test_the_second_call_does_only_what_is_left(tmp_path: Path, batch: Batch) -> None:
    inputs = scenes(3)
    assert batch(*inputs)[0] == 0
    before = done_of(tmp_path / "out")
    lost = sorted(before)[1]
    for path in (tmp_path / "out" / "items" / lost).iterdir():
        path.unlink()
    (tmp_path / "out" / "items" / lost).rmdir()
    code, out, _ = batch("--json", small=False)  # no inputs, no settings: the job is there
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [line["item"] for line in lines[:-1]] == [lost] and lines[-1]["summary"]["done"] == 3
    after = done_of(tmp_path / "out")
    assert {name: one["content_sha256"] for name, one in after.items()} == {
        name: one["content_sha256"] for name, one in before.items()
    }
    assert all(after[name] == before[name] for name in before if name != lost)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--min-depth-m", "1"), "settings.depth.min_m is 0.2, not 1.0"),
        (("--model", "stereo-large"), "model.name is 'stereo', not 'stereo-large'"),
        ((scenes(3)[2],), "another batch of 1 items, which has"),
    ],
)
def test_another_job_is_refused(tmp_path: Path, batch: Batch, words: tuple[str, ...], told: str) -> None:
    assert batch(scenes(1)[0])[0] == 0
    code, _, err = batch(scenes(1)[0], *words)
    assert code == 64 and told in err and err.count("\n") == 1
    assert len(done_of(tmp_path / "out")) == 1


def test_a_batch_of_other_software_is_refused(tmp_path: Path, batch: Batch) -> None:
    assert batch(scenes(1)[0])[0] == 0
    path = tmp_path / "out" / "batch.json"
    path.write_text(path.read_text().replace('"opencv": "', '"opencv": "0.'))
    code, _, err = batch(scenes(1)[0])
    assert code == 64 and "software.opencv is '0." in err


def test_a_poisoned_item_fails_alone_with_its_sentence(tmp_path: Path, batch: Batch) -> None:
    bad = poisoned(tmp_path / "bad")
    code, out, err = batch(str(bad), *scenes(2))
    assert code == 65 and "2 of 3 items done" in out and "1 failed" in out
    assert "bad: " in out and f"{bad}/000000.pairs is damaged at byte 8" in out and "damaged at byte 8" in err
    failure = json.loads((tmp_path / "out" / "failed" / "bad.json").read_text())
    assert failure["tries"] == 1 and failure["exit_code"] == 65
    assert not (tmp_path / "out" / ".attempts").exists()
    page = (tmp_path / "out" / "report.html").read_text()
    assert "damaged at byte 8" in page


def test_an_item_that_was_mended_is_done_the_next_time(tmp_path: Path, batch: Batch) -> None:
    bad = poisoned(tmp_path / "bad")
    assert batch(str(bad), scenes(1)[0])[0] == 65
    source = "simulated:room?size=64x48&frames=2"
    for path in bad.iterdir():
        path.unlink()
    bad.rmdir()
    _record(source, bad)
    assert batch()[0] == 0
    assert done_of(tmp_path / "out")["bad"]["frames"] == 2 and not (tmp_path / "out" / "failed").exists()


def _record(camera: str, folder: Path) -> None:
    from roma_device.app.cameras import open_camera
    from roma_device.app.recording.recorder import Recorder, new_session

    with open_camera(camera) as source:
        made = new_session(folder.parent / "made", {}, source.calibration)
        with Recorder(made, wait=True, min_free_bytes=0) as recorder:
            for frame in source.frames():
                recorder.offer(frame)
    made.rename(folder)


def test_an_input_that_changed_after_it_was_done_is_told(tmp_path: Path, batch: Batch) -> None:
    _record("simulated:room?size=64x48&frames=2", tmp_path / "rec")
    assert batch(str(tmp_path / "rec"))[0] == 0
    os.utime(tmp_path / "rec" / "000000.pairs", (1, 1))
    code, _, err = batch(str(tmp_path / "rec"))
    assert code == 65 and "has changed since" in err and "rec" in done_of(tmp_path / "out")


def test_a_full_disk_ends_the_batch_and_leaves_nothing_half_done(
    tmp_path: Path, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("roma_device.app.sinks.file_sink.DiskRoom.check", refuse)
        code, _, err = batch(*scenes(2))
    assert code == 74 and "No space left" in err and "make room, and give the same command again" in err
    assert done_of(tmp_path / "out") == {} and not (tmp_path / "out" / ".attempts").exists()
    assert not (tmp_path / "out" / "failed").exists()
    assert batch(*scenes(2))[0] == 0 and len(done_of(tmp_path / "out")) == 2


def test_a_failure_that_may_pass_is_tried_again(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [SinkError("a cable was loose"), SinkError("a cable was loose")]

    def process_late(work: Work) -> object:
        if left:
            monkeypatch.setattr("roma_device.app.batch.process.open_camera", lambda _: _raise(left.pop()))
        else:
            monkeypatch.undo()
        return process(work)

    def _raise(error: Exception) -> None:
        raise error

    monkeypatch.setattr("roma_device.app.batch.command.process", process_late)
    code, _, err = batch(scenes(1)[0])
    assert code == 0 and err.count("is tried again: a cable was loose") == 2


def test_a_second_batch_in_the_same_folder_is_refused(tmp_path: Path, batch: Batch) -> None:
    (tmp_path / "out").mkdir()
    lock = FolderLock.take(tmp_path / "out")
    assert lock is not None
    code, _, err = batch(scenes(1)[0])
    lock.release()
    assert code == 75 and "another batch is at work" in err


def test_abandoned_attempts_are_swept_and_living_ones_left_alone(tmp_path: Path, batch: Batch) -> None:
    folder = BatchFolder(tmp_path / "out")
    folder.attempts.mkdir(parents=True)
    abandoned, living = folder.new_attempt("a"), folder.new_attempt("b")
    abandoned.mkdir()
    (abandoned / "000000_depth.png").write_bytes(b"half")
    with RunFolder.claim(living) as held:
        held.begin({}, {}, {})
        assert batch(scenes(1)[0])[0] == 0
        assert living.exists() and not abandoned.exists() and list(folder.under_way()) == ["b"]


def test_of_two_attempts_at_an_item_the_first_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a worker that was given up goes on after all."""
    from roma_device.app.batch.items import find_items

    settings = Settings().overridden(input_width=64, passes=0, engine="opencv", **{"output.save": ("disparity",)})
    (item,) = find_items(scenes(1, frames=1))
    job = Job.of(settings, [item])
    folder = BatchFolder(tmp_path)
    work = Work(tmp_path, item.name, job.key(item), job.settings_of(item))
    assert process(work).state == "done"
    first = folder.done(item.name)
    with monkeypatch.context() as blind:
        blind.setattr(BatchFolder, "done", lambda *_: None)
        assert process(work).state == "done"
    assert folder.done(item.name) == first and not list(folder.attempts.glob("*"))


def test_without_frames_an_item_has_failed(tmp_path: Path, batch: Batch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / SESSION).write_text('{"format": "roma-device-recording", "version": 1}')
    code, out, _ = batch(str(empty), "--rectified")
    assert code == 65 and "holds not one pair" in out


def test_status_tells_what_is_done_and_what_waits(
    tmp_path: Path, batch: Batch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(str(poisoned(tmp_path / "bad")), *scenes(1))[0] == 65
    job = json.loads((tmp_path / "out" / "batch.json").read_text())
    job["items"].append({"name": "later", "camera": "simulated", "settings": {}})
    (tmp_path / "out" / "batch.json").write_text(json.dumps(job))
    code, out, _ = call(capsys, "batch", "status", str(tmp_path / "out"), "--json")
    status = json.loads(out)
    assert code == 0 and (status["items"], status["done"], status["waiting"], status["running"]) == (3, 1, 1, False)
    assert "damaged" in status["failed"]["bad"]
    assert "1 of 3 items done" in call(capsys, "batch", "status", str(tmp_path / "out"))[1]
    assert call(capsys, "batch", "status", str(tmp_path))[0] == 66
