"""Two processes under a real scheduler of Dask on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from roma_device.app.workers import Finished, Workers, WorkersError, work_through
from roma_device.app.workers.dask_workers import DaskWorkers
from roma_device.app.workers.opening import open_workers
from roma_device.app.workers.suitable import Suitability, _comparison
from tests.app.workers.tasks import die_once, refuse, square, stop_once

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with open_workers("local:2") as opened:
        yield opened


def test_every_task_is_done_on_one_of_the_workers(workers: Workers) -> None:
    found = {over.key: over.result for over in work_through(workers, square, [(str(n), n) for n in range(20)])}
    assert found == {str(number): number * number for number in range(20)}
    assert workers.capacity == 2 and workers.pending == 0


def test_nobody_outside_this_machine_can_reach_them(workers: Workers) -> None:
    import psutil

    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    found = [one.laddr.ip for one in psutil.net_connections("tcp") if one.pid in ours and one.status == "LISTEN"]
    assert len(found) >= 6 and set(found) <= {"127.0.0.1", "::1"}


def test_an_error_arrives_as_its_sentence(workers: Workers) -> None:
    (over,) = work_through(workers, refuse, [("a", 1)])
    assert over.problem is not None and over.problem.sentence == "1 is too small: give --number"


@pytest.mark.parametrize("fault", [die_once, stop_once])
def test_a_worker_that_dies_or_hangs_loses_its_own_task_alone(workers: Workers, tmp_path: Path, fault: object) -> None:
    blamed: list[str] = []

    def again(over: Finished[object]) -> bool:
        if over.problem is not None and over.problem.was_killed:
            blamed.append(over.key)
        return over.problem is not None

    marks = [("fatal", tmp_path / "fatal")]
    for number in range(6):
        (tmp_path / str(number)).touch()
        marks.append((str(number), tmp_path / str(number)))
    found = {over.key: over.result for over in work_through(workers, fault, marks, again)}  # type: ignore[arg-type]
    assert found == dict.fromkeys([name for name, _ in marks], "alive")
    assert "fatal" in blamed  # a busy machine may make the other worker look as if it hung, before or after


def test_tasks_are_done_though_all_workers_went_at_once(workers: Workers, tmp_path: Path) -> None:
    """The scheduler keeps what it has when nobody suits, and forgets it: it has to be told once more."""
    marks = [(str(number), tmp_path / str(number)) for number in range(4)]
    for _, mark in marks[2:]:
        mark.touch()
    outcomes = work_through(workers, die_once, marks, lambda over: over.problem is not None)
    assert {over.key: over.result for over in outcomes} == dict.fromkeys("0123", "alive")


def test_a_worker_of_another_version_gets_no_task(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(workers, DaskWorkers)
    monkeypatch.setattr("roma_device.app.workers.suitable.fingerprint", lambda model: "of another version")
    other = Suitability(workers._client, None)
    while other.refused < 2:  # one may still be replaced
        workers.next(0.05)
        other.look()
    assert other.count == 0
    monkeypatch.setattr("roma_device.app.workers.dask_workers.START_S", 0.0)
    impatient = DaskWorkers(workers._client, workers._stack.__class__(), other)
    with pytest.raises(WorkersError, match="no worker has this program's versions"):
        while True:
            impatient.next(0.01)


def test_the_comparison_travels_to_workers_that_lack_this_program() -> None:
    import cloudpickle

    without = "import sys; sys.modules['roma_device'] = None; import cloudpickle"
    code = f"{without}; plugin = cloudpickle.load(sys.stdin.buffer); print(plugin.setup.__name__)"
    data = cloudpickle.dumps(_comparison("roma-device-abc", None))
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert done.stdout.split() == [b"setup"]
