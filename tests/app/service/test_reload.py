"""Settings that change while the program runs."""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from roma_device.app.service.notify import Notifier
from roma_device.app.service.reload import Reloader, changed_keys, reload_on_hangup
from roma_device.app.settings.settings import Settings, SettingsError, load_settings

BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Nine aliases of nine aliases of..., in 429 bytes."""


def test_marked_keys_are_told_from_those_that_need_a_restart() -> None:
    new = Settings().overridden(**{"depth.min_m": 0.5, "max_fps": 5.0, "input_width": 320, "npu.affinity": 1})
    assert dict(changed_keys(Settings(), new)) == {
        "depth.min_m": True,
        "max_fps": True,
        "input_width": False,
        "npu.affinity": False,
    }


@pytest.fixture
def applied() -> queue.Queue[Settings]:
    return queue.Queue()


def until(condition: Callable[[], object]) -> None:
    patience = threading.Event()
    for _ in range(2000):
        if condition():
            return
        patience.wait(0.01)
    raise AssertionError("it never came to that")


def frames_until(reloader: Reloader, condition: Callable[[], object]) -> None:
    """As the loop does between two frames."""

    def look() -> object:
        reloader.apply_new()
        return condition()

    until(look)


def test_hangup_reloads_between_two_frames_and_nonsense_changes_nothing(
    tmp_path: Path, applied: queue.Queue[Settings], log: list[str]
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("max_fps: 5.0\n")
    before = signal.getsignal(signal.SIGHUP)
    with Reloader(Settings(), lambda: load_settings(file), Notifier({})) as reloader, reload_on_hangup(reloader):
        os.kill(os.getpid(), signal.SIGHUP)  # before the loop: not the end of the program, and not forgotten
        reloader.apply_with(applied.put)
        frames_until(reloader, lambda: not applied.empty())
        assert applied.get().max_fps == 5.0 and reloader.current.max_fps == 5.0
        file.write_text("max_fps: -1\n")
        os.kill(os.getpid(), signal.SIGHUP)
        frames_until(reloader, lambda: "the settings stay as they are" in log[-1])
        file.unlink()
        log.append("")
        os.kill(os.getpid(), signal.SIGHUP)
        frames_until(reloader, lambda: "cannot read the settings" in log[-1])
    assert applied.empty() and reloader.current.max_fps == 5.0
    assert signal.getsignal(signal.SIGHUP) == before


def test_a_file_that_takes_long_or_a_bug_holds_up_no_frame(applied: queue.Queue[Settings], log: list[str]) -> None:
    go_on = threading.Event()

    def slow() -> Settings:
        go_on.wait(10)
        raise KeyError("a bug")

    with Reloader(Settings(), slow, Notifier({})) as reloader:
        reloader.apply_with(applied.put)
        reloader.ask()
        for _ in range(100):
            reloader.apply_new()  # the loop is not waiting for anything
        go_on.set()
        until(lambda: any("internal error" in line for line in log))
        reloader.ask()
        until(lambda: sum("internal error" in line for line in log) == 2)
    assert applied.empty()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "stands for more than"),
        ("x: " + "#" * (2 << 20), "characters long"),
        ("".join(f"k{number}: 1\n" for number in range(26_000)), "stands for more than"),
        ("#" * (9 << 20), "more than the 8 MiB"),
        ("max_fps: 1:30\n", "no plain number"),
        ("threads: 010\n", "no plain number"),
        (f"threads: {'9' * 5000}\n", "settings.yaml:1"),
        (f"{'k' * 1000}: 1\n", "unknown key"),
        (f"camera: {'k' * 100_000}\n", "unknown name"),
    ],
    ids=["aliases", "comment", "keys", "size", "base 60", "base 8", "digits", "a long key", "a long value"],
)
def test_evil_settings_are_one_short_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said) as caught:
        load_settings(file)
    assert len(str(caught.value)) < 500 + len(str(file))


def test_settings_that_are_a_pipe_or_a_device_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(SettingsError, match="cannot read the settings"):
            load_settings(file)


def test_systemd_hears_that_a_reload_begins_and_ends(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(10)
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        with closing(notifier), Reloader(Settings(), Settings, notifier) as reloader:
            reloader.apply_with(lambda _: None)
            reloader.ask()
            assert heard.recv(999).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            until(lambda: reloader._new is not None)
            reloader.apply_new()
            assert heard.recv(999) == b"READY=1\nSTATUS=settings reloaded"
