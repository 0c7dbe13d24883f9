"""Versions are kept, none is overwritten."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from roma_device.app.simulation.worlds.rigs import virtual_rig
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.store import CalibrationStore, default_folder

RIG = virtual_rig((640, 400))


def test_versions_are_numbered_used_and_rolled_back(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path / "deep" / "store")
    assert store.versions() == []
    assert store.current() is None
    numbers = [store.add(RIG).number for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert store.current() is None
    for number in (1, 2, 3, 3):
        assert store.use(number).in_use
    assert [version.in_use for version in store.versions()] == [False, False, True]
    assert store.rollback().number == 2
    assert store.rollback().number == 1
    with pytest.raises(CalibrationError, match="no other version"):
        store.rollback()
    assert store.current() == store.version(1)
    assert store.version(2).load().baseline_m == RIG.baseline_m


def test_an_old_version_is_never_written_again(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path)
    first = store.add(RIG)
    before = first.path.read_bytes()
    store.add(virtual_rig((640, 400), variant=3))
    assert first.path.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001.yaml", "0002.yaml"]


def test_two_programs_at_once_get_versions_of_their_own(tmp_path: Path) -> None:
    numbers: list[int] = []
    threads = [
        threading.Thread(target=lambda: numbers.append(CalibrationStore(tmp_path).add(RIG).number)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 9))


def test_an_unknown_version_is_named_with_those_there_are(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path)
    store.add(RIG)
    with pytest.raises(CalibrationError, match=r"no version 7 .* known: 1") as caught:
        store.use(7)
    assert caught.value.exit_code == os.EX_NOINPUT


def test_a_damaged_history_is_no_catastrophe(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path)
    store.add(RIG)
    (tmp_path / "history").write_bytes(b"1\nx\xff\n")
    assert store.current() == store.version(1)


def test_the_folder_is_that_of_systemd_or_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/roma-device")
    assert default_folder() == Path("/var/lib/roma-device/calibration")
    monkeypatch.delenv("STATE_DIRECTORY")
    assert default_folder() == Path("/x/roma-device/calibration")


def test_the_ten_thousandth_version_is_one_like_the_others(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path)
    (tmp_path / "9999.yaml").write_bytes(store.add(RIG).path.read_bytes())
    assert store.add(RIG).number == 10_000 and store.use(10_000).in_use
    assert [version.number for version in store.versions()] == [1, 9999, 10_000]
    (tmp_path / "history").write_text(f"1\n{'9' * 5000}\n9999\n")
    assert store.current() == store.version(9999) and store.rollback().number == 1


def test_four_writers_lose_no_line_of_the_history(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path)
    numbers = [store.add(RIG).number for _ in range(4)]
    begin = threading.Barrier(4)

    def use(number: int) -> None:
        begin.wait()
        for _ in range(10):
            CalibrationStore(tmp_path).use(number)

    writers = [threading.Thread(target=use, args=(number,)) for number in numbers]
    for each in (threading.Thread.start, threading.Thread.join):
        for writer in writers:
            each(writer)
    assert sorted(map(int, (tmp_path / "history").read_text().split())) == sorted(numbers * 10)
