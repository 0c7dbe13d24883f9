"""Reasons for which tests may skip: with ``--skips`` a run fails that skips for any other.

Most of the tests of the engines skip without a C compiler, those of exports without torch: where continuous integration
lacks one of them, a green run would say little.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

MACHINE = (
    r"cameras need hardware$",
    r"^no Chromium on this machine$",
    r"^there is no mosquitto$",
    r"^Blender is not installed as a Python module$",
    r"^could not import '(rclpy|zenoh|distributed)\b",
    r"^there is no systemd-analyze here$",
    r"^this systemd cannot analyze units offline$",
    r"^neither qemu-user nor a cross compiler is on this machine$",
    r"^no /dev/full on this system$",
    r"^needs a file system without room for files$",
    r"is not installed: the published code is compared where it is$",
    r"shared/data\) are not on this machine$",
    r"^the real stereo pairs are not at ",
    r"is not among the data$",
)
"""What continuous integration may lack."""

OLDEST = (
    *MACHINE,
    r"^OpenCV 4 has no GridSample",
    r"^(torch|onnx|onnxruntime|openvino|mypy) is not installed",
    r"^the extra \w+ is not installed$",
    r"^could not import '(mcap|rosbags|google|paho|foxglove|websockets|onnxruntime|openvino|onnx|torch)\b",
)
"""And what the run with the oldest versions does without: extras."""

ALLOWED = {"newest": MACHINE, "oldest": OLDEST}


def is_allowed(reason: str, run: str) -> bool:
    return any(re.search(pattern, reason) for pattern in ALLOWED[run])


def reason_of(longrepr: Any) -> str:
    """What pytest was told, without the word that it puts in front of it."""
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return str(text).removeprefix("Skipped: ")


class SkipFloor:
    """Plugin that counts the skips whose reason is not allowed, and fails the run for them."""

    def __init__(self, run: str) -> None:
        self._run, self._found = run, Counter[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._look_at(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._look_at(report)

    def _look_at(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = reason_of(report.longrepr)
            if not is_allowed(reason, self._run):
                self._found[reason] += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._found and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for reason, count in self._found.items():
            terminalreporter.write_line(f"FAILED: {count} skipped for a reason not in tests/skips.py: {reason}")
