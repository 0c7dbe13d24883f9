"""The command line as a user types it."""

from __future__ import annotations

import sys

import pytest

from roma_device.app.cli import main


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``roma-device WORDS``."""
    argv, sys.argv = sys.argv, ["roma-device", *words]
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = argv
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err
