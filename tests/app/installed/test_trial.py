"""Trials of versions: they pass, go back, and are whole after a kill between any two steps."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from roma_device.app.installed import InstallError, trial
from roma_device.app.installed.settings import InstalledSettings
from roma_device.app.installed.trial import Slot, Terms, read_trial
from roma_device.calibration.storage.version_folder import BEFORE, HISTORY


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    """Three versions, the second of them in use."""
    store = InstalledSettings(tmp_path / "settings")
    for width in (320, 448, 640):
        store.add(b"input_width: %d\n" % width)
    store.slot.versions.use(1)
    store.slot.versions.use(2)
    return store.slot


def test_a_version_that_passes_stays(slot: Slot) -> None:
    slot.use_on_trial(3, Terms(good_frames=5))
    begun = slot.begin()
    assert begun is not None and begun.terms.good_frames == 5 and slot.versions.current() == 3
    slot.pass_trial(begun)
    assert slot.trial() is None and slot.versions.current() == 3 and slot.begin() is None
    assert slot.versions.roll_back() == 2


def test_a_version_that_fails_goes_back_and_says_why(slot: Slot) -> None:
    slot.use_on_trial(3, Terms())
    begun = slot.begin()
    assert begun is not None
    slot.give_up(begun, "no depth")
    returned = slot.latest_return()
    assert returned is not None and (returned.number, returned.back_to, returned.why) == (3, 2, "no depth")
    assert slot.versions.current() == 2 and slot.begin() is None
    assert slot.versions.roll_back() == 1


def test_a_run_that_broke_off_counts_against_the_version(slot: Slot) -> None:
    slot.use_on_trial(3, Terms())
    assert slot.begin() is not None  # and then the process is killed
    assert slot.begin() is None and slot.versions.current() == 2


def test_a_run_that_was_ended_in_order_does_not(slot: Slot) -> None:
    slot.use_on_trial(3, Terms())
    for _ in range(3):
        begun = slot.begin()
        assert begun is not None
        slot.end_in_order(begun)
    assert slot.versions.current() == 3


def test_one_power_cut_is_forgiven_and_no_second(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    slot.use_on_trial(3, Terms())
    for boot in ("first", "second"):
        monkeypatch.setattr(trial, "_boot_id", lambda boot=boot: boot)
        assert slot.begin() is not None
    monkeypatch.setattr(trial, "_boot_id", lambda: "third")
    assert slot.begin() is None and slot.versions.current() == 2


def test_nobody_goes_back_to_what_has_shown_nothing(slot: Slot) -> None:
    slot.use_on_trial(3, Terms())
    slot.use_on_trial(1, Terms())
    begun = slot.begin()
    assert begun is not None
    slot.give_up(begun, "worse")
    assert slot.versions.current() == 2


def test_a_choice_of_the_users_ends_the_trial(slot: Slot) -> None:
    slot.use_on_trial(3, Terms())
    slot.versions.use(3)
    assert slot.begin() is None and slot.versions.current() == 3


def test_a_full_disk_does_not_keep_a_version_from_going_back(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    slot.use_on_trial(3, Terms())
    begun = slot.begin()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trial, "write_atomic", full)
    assert begun is not None
    slot.give_up(begun, "no depth")
    assert slot.versions.current() == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"number": 3}', b'{"number": 3, "terms": {"good_frames": 1}}'])
def test_a_damaged_note_is_no_trial(slot: Slot, content: bytes) -> None:
    slot.use_on_trial(3, Terms())
    (slot.versions.folder / "trial.json").write_bytes(content)
    assert read_trial(slot.versions.folder) is None and slot.begin() is None and slot.versions.current() == 3


def test_unknown_versions_are_named(slot: Slot) -> None:
    with pytest.raises(InstallError, match=r"no version 9 in .*; known: 1, 2, 3"):
        slot.use_on_trial(9, Terms())


def killed_at(step: int, folder: Path, action: str) -> bool:
    """Do it in a process that is killed at the ``step``-th change of the folder; whether it came so far."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if writes or event in ("os.rename", "os.remove", "os.link"):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        slot = InstalledSettings(folder).slot
        if action == "use":
            slot.use_on_trial(3, Terms())
        else:
            begun = slot.begin()
            if begun is not None:
                slot.give_up(begun, "no depth")
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_kill_between_any_two_steps_of_use_leaves_the_old_or_the_new(slot: Slot) -> None:
    seen, step = set(), 0
    while True:
        slot.versions.write_history([1, 2])
        slot.versions.forget_trial()
        step += 1
        was_killed = killed_at(step, slot.versions.folder, "use")
        current, trial_now = slot.versions.current(), slot.trial()
        assert (current, trial_now is not None) in ((2, False), (3, True))
        seen.add(current)
        if not was_killed:
            break
    assert seen == {2, 3} and step > 3


def test_a_kill_between_any_two_steps_of_going_back_ends_with_the_old(slot: Slot) -> None:
    step, was_killed = 0, True
    while was_killed:
        slot.versions.write_history([1, 2])
        slot.use_on_trial(3, Terms())
        step += 1
        was_killed = killed_at(step, slot.versions.folder, "give up")
        for _ in range(2):  # the next starts: at most one more tries it
            slot.begin()
        assert slot.versions.current() == 2 and slot.versions.history() == [1, 2]
    assert step > 3 and not (slot.versions.folder / BEFORE).exists() and (slot.versions.folder / HISTORY).exists()
