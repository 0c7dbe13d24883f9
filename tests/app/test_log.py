"""Messages in the journal and on a terminal, and streams that are closed or full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loguru import logger

from roma_device.app.log import harmless, set_up_log, tell_failure

EVIL = "images:\n<0>the disk burns\x1b[2J\x9b1m\rover\x7f"


@contextmanager
def journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """stderr as systemd connects it."""
    with path.open("w") as file, monkeypatch.context() as patch:
        found = os.fstat(file.fileno())
        patch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        patch.setattr(sys, "stderr", file)
        yield
        logger.remove()


def test_why_a_service_ended_is_an_error_and_one_line_whatever_a_name_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with journal(tmp_path / "journal", monkeypatch):
        tell_failure(f"{EVIL} does not exist")
    said = (tmp_path / "journal").read_text()
    assert said == r"<3>images:\n<0>the disk burns\x1b[2J\x9b1m\x0dover\x7f does not exist" + "\n"


def test_every_line_of_a_message_has_its_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with journal(tmp_path / "journal", monkeypatch):
        set_up_log(2)
        for level in ("ERROR", "WARNING", "INFO", "DEBUG"):
            logger.log(level, "{}", EVIL)
    lines = (tmp_path / "journal").read_text().splitlines()
    assert [line[:3] for line in lines] == [f"<{p}>" for p in (3, 3, 4, 4, 6, 6, 7, 7)]
    assert lines[1] == "<3><0>the disk burns\\x1b[2J\\x9b1m\\x0dover\\x7f"


def test_a_terminal_gets_no_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    with (tmp_path / "terminal").open("w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        set_up_log(0)
        logger.warning("{}", EVIL)
        tell_failure(EVIL)
        logger.remove()
    text = (tmp_path / "terminal").read_text()
    assert text.startswith("WARNING images:\n") and "\nroma-device: images:\\n<0>" in text and "\x1b" not in text


def test_what_is_harmless_stays() -> None:
    assert harmless("Größe 3 µm\n\tok") == "Größe 3 µm\n\tok"


RUN = "from roma_device.app.cli import main; main()"


def outcome(*words: str, redirect: str) -> tuple[int, str, str]:
    command = f"exec {sys.executable} -c '{RUN}' {' '.join(words)} {redirect}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize(
    ("words", "redirect", "code", "said"),
    [
        (("--version",), ">/dev/full", os.EX_IOERR, "roma-device: cannot write to stdout: No space left on device\n"),
        (("run", "--camera", "nothing"), "2>/dev/full", os.EX_USAGE, ""),
        (("run", "--camera", "nothing"), "2>&-", os.EX_USAGE, ""),
        (("run", "--camera", "nothing"), "<&- >&- 2>&-", os.EX_USAGE, ""),
        (("--version",), ">&-", 0, ""),
    ],
)
def test_streams_that_are_full_or_closed_change_no_exit_code(
    words: tuple[str, ...], redirect: str, code: int, said: str
) -> None:
    assert outcome(*words, redirect=redirect) == (code, "", said)
