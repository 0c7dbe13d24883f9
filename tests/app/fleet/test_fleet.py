"""Twenty boards on loopback: well, unwell, stalled, dead, and what is no board, all told apart in time."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from roma_device.app.fleet.ask import ask_all
from roma_device.app.fleet.boards import Board, Fleet, FleetError, load_fleet, parse_board
from roma_device.app.fleet.report import FleetReport
from roma_device.app.service.health import Health
from roma_device.app.service.live_stats import LiveStats
from roma_device.app.service.monitor import Monitor
from roma_device.app.service.notify import Notifier
from tests.app.command_line import call
from tests.app.service.conftest import LiveStub, result

MADE_AT = "2026-01-02T03:04:05+00:00"
SERVING = {
    "program": "0.1.0",
    "model": {"name": "stereo", "setting": "installed", "fingerprint": "0123456789ab"},
    "calibration": {"source": "rig.yaml", "made_at": MADE_AT, "verdict": "good", "epipolar_px": 0.2, "serial": "7"},
}
RETURNED = {"version": 3, "on_trial": False, "returned": {"version": 4, "why": "no depth", "at": MADE_AT}}


class Yard:
    """Boards on loopback, each behind a port of its own."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def board(self, *, is_well: bool = True, **installed: Any) -> int:
        """A real monitor, of a run with three frames or with none."""
        stats = LiveStats(LiveStub())
        monitor = self._stack.enter_context(Monitor(Health(stats, 3600.0), Notifier({}), None))
        monitor.tell(lambda: {"serving": SERVING, "installed": installed})
        monitor.serve("127.0.0.1:0", False, "stereo")
        assert monitor.web is not None
        for index in range(3 if is_well else 0):
            monitor.observe(result(index))
        return monitor.web.port

    def listener(self) -> socket.socket:
        listener = self._stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        return listener

    def stalled(self) -> int:
        """The kernel takes the connection, as for a stopped process, and nobody reads."""
        return int(self.listener().getsockname()[1])

    def answering(self, *parts: bytes, forever: bool = False) -> int:
        """Says ``parts`` to everybody, or the last of them again and again."""
        listener = self.listener()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        for part in parts:
                            connection.sendall(part)
                        while forever:
                            connection.sendall(parts[-1])
                            time.sleep(0.05)
                except OSError:
                    if listener.fileno() < 0:
                        return

        threading.Thread(target=serve, daemon=True).start()
        return int(listener.getsockname()[1])

    def dead(self) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])


@pytest.fixture
def yard() -> Iterator[Yard]:
    with ExitStack() as stack:
        yield Yard(stack)


def boards(**ports: int) -> Fleet:
    return Fleet(tuple(parse_board(name, f"http://127.0.0.1:{port}") for name, port in ports.items()))


def test_twenty_boards_are_told_apart_by_one_deadline(
    yard: Yard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = b"HTTP/1.1 404 Not Found\r\n\r\n<html>"
    kinds: dict[str, Callable[[], int]] = {
        **{f"ok-{number}": yard.board for number in range(9)},
        "ok-returned": lambda: yard.board(model=RETURNED),
        **{f"unwell-{number}": lambda: yard.board(is_well=False) for number in range(3)},
        **{f"stalled-{number}": yard.stalled for number in range(2)},
        "stalled-trickling": lambda: yard.answering(b"HTTP/1.1 200 OK\r\n\r\n{", b" ", forever=True),
        **{f"dead-{number}": yard.dead for number in range(2)},
        "odd-page": lambda: yard.answering(page),
        "odd-ssh": lambda: yard.answering(b"SSH-2.0-OpenSSH_9.2\r\n"),
    }
    lines = [f"  {name}: http://127.0.0.1:{kind()}" for name, kind in kinds.items()]
    path = tmp_path / "hosts.yaml"
    path.write_text("\n".join(["boards:", *lines]))
    assert len(kinds) == 20
    code, out, _ = call(capsys, "fleet", "status", str(path), "--json")
    assert code == 1
    found = {facts["board"]: facts for facts in json.loads(out)}
    assert {name: facts["state"] for name, facts in found.items()} == {name: name.split("-")[0] for name in kinds}
    assert found["ok-1"]["model"] == "stereo 012345" and found["ok-1"]["calibration"]["age_days"] > 0
    assert found["unwell-0"]["problems"] == {"camera": "there was no frame yet"}
    code, out, _ = call(capsys, "fleet", "status", str(path))
    assert "model version 4 went back: no depth" in out and "connection refused" in out
    assert "20 boards: 10 ok, 3 unwell, 3 stalled, 2 dead, 2 odd; models: stereo 012345 on 13" in out


def test_all_well_is_exit_code_0_and_answers_do_not_reach_the_terminal_raw(yard: Yard) -> None:
    report = FleetReport(ask_all(boards(one=yard.board(), two=yard.board()), 30))
    assert report.exit_code == 0
    evil = b'HTTP/1.1 503 x\r\n\r\n{"healthy": false, "problems": {"\\u001b[2J": "x\\ny"}, "serving": 3, "fps": true}'
    text = FleetReport(ask_all(boards(evil=yard.answering(evil)), 30)).as_text()
    assert "\x1b" not in text and "\\x1b[2J: x y" in text


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ``ssh`` that leads to this machine's ports, writes down its words, and knows no host called gone."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = f"""#!{sys.executable}
import os, socket, sys
with open({str(folder / "words")!r}, "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[-1] == "gone":
    sys.exit("ssh: Could not resolve hostname gone: Name or service not known")
host, port = sys.argv[sys.argv.index("-W") + 1].split(":")
connection = socket.create_connection((host, int(port)))
connection.sendall(os.read(0, 4096))
while data := connection.recv(4096):
    os.write(1, data)
"""
    (folder / "ssh").write_text(script)
    (folder / "ssh").chmod(0o755 | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_boards_behind_ssh_are_asked_on_their_own_loopback(yard: Yard, fake_ssh: Path) -> None:
    names = {
        "well": f"ssh://pi@gate-1:2222?port={yard.board()}",
        "gone": "ssh://gone",
        "stalled": f"ssh://gate-2?port={yard.stalled()}",
    }
    fleet = Fleet(tuple(parse_board(name, url) for name, url in names.items()))
    # A deadline is waited for, so that it cannot be long: a busy machine starts three programs within it.
    answers = {answer.board.name: answer for answer in ask_all(fleet, 5)}
    assert {name: answer.state for name, answer in answers.items()} == {
        "well": "ok",
        "gone": "dead",
        "stalled": "stalled",
    }
    assert "Could not resolve hostname gone".lower() in answers["gone"].detail
    words = (fake_ssh / "words").read_text()
    assert "-p 2222 -W 127.0.0.1:" in words and "pi@gate-1" in words and "BatchMode=yes" in words


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", ":1: a mapping with boards is wanted"),
        ("boards: {}", ":1: a mapping with boards is wanted"),
        ("boards:\n  a: ftp://x", ":2: a: 'ftp://x' is no address"),
        ("boards:\n  a: http://x\n  b: http://-oProxyCommand=x", ":3: b: 'http://-oProxyCommand=x' has no host"),
        ("boards:\n  a: ssh://-oProxyCommand=x@host", "has no host"),
        ("boards:\n  a: ssh://h?port=99999", "'99999' is no port"),
        ("boards:\n  a: http://h:99999", "[Pp]ort"),
        ("boards:\n  a: http://u@h", "users are for ssh alone"),
        ("boards:\n  a: 3", ":2: a: an address is wanted"),
        ("boards:\n  'a b': http://h", ":2: 'a b' is no name"),
        ("boards: {a: http://h}\nport: 3", ":2: port: unknown key; known: boards, ca"),
        ("boards: {a: http://h", ":"),
    ],
)
def test_a_list_that_is_wrong_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(text)
    with pytest.raises(FleetError, match=sentence) as caught:
        load_fleet(path)
    assert caught.value.exit_code == os.EX_DATAERR and str(caught.value).startswith(str(path))


def test_targets_are_those_of_prometheus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("boards: {a: 'http://10.0.0.7', b: 'https://[fe80::1]:99', c: 'ssh://pi@gate'}")
    code, out, err = call(capsys, "fleet", "targets", str(path))
    assert code == 0 and "left out" in err and err.strip().endswith(": c")
    assert json.loads(out) == [
        {"targets": ["10.0.0.7:9470"], "labels": {"board": "a", "__scheme__": "http"}},
        {"targets": ["[fe80::1]:99"], "labels": {"board": "b", "__scheme__": "https"}},
    ]
    assert load_fleet(path).boards[2] == Board("c", "ssh", "gate", 22, "pi", 9470)
