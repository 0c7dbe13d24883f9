"""A test may skip for want of an optional package: a name that does not exist would skip for ever."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.skips import is_allowed

ROOT = Path(__file__).parent.parent
MODULES = {
    "eclipse-zenoh": "zenoh",
    "foxglove-sdk": "foxglove",
    "opencv-python-headless": "cv2",
    "paho-mqtt": "paho",
    "protobuf": "google",
    "pyyaml": "yaml",
}
"""Package -> module, where the two differ."""

NO_EXTRAS = {"bpy", "rclpy"}
"""Blender as a module is for making images alone; rclpy comes with ROS 2, and not from PyPI."""


def optional_modules() -> set[str]:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = "\n".join(setup["options.extras_require"].values()).splitlines()
    packages = {re.split(r"[^\w.-]", line.strip())[0] for line in lines if line.strip()}
    return NO_EXTRAS | {MODULES.get(name, name.replace("-", "_")) for name in packages}


def skipped_without() -> Iterator[tuple[str, str]]:
    """File and first word of each ``importorskip``."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.importorskip":
                argument = node.args[0]
                if isinstance(argument, ast.Constant):
                    yield str(path.relative_to(ROOT)), str(argument.value).partition(".")[0]


@pytest.mark.parametrize(
    ("reason", "newest", "oldest"),
    [
        ("v4l2 cameras need hardware", True, True),
        ("could not import 'zenoh': No module named 'zenoh'", True, True),
        ("could not import 'mcap.reader': No module named 'mcap'", False, True),
        ("torch is not installed: the tests of model/ need it", False, True),
        ("OpenCV 4 has no GridSample", False, True),
        ("there is no C compiler", False, False),
        ("could not import 'onxruntime': No module named 'onxruntime'", False, False),
    ],
)
def test_reasons_are_those_of_the_list(reason: str, newest: bool, oldest: bool) -> None:
    assert (is_allowed(reason, "newest"), is_allowed(reason, "oldest")) == (newest, oldest)


def test_a_run_fails_for_another_reason(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        "import pytest\n\n\n"
        "@pytest.mark.parametrize('reason', ['no Chromium on this machine', 'it is Monday'])\n"
        "def test_skips(reason):\n    pytest.skip(reason)\n"
    )
    words = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", os.devnull]
    words += ["--rootdir", str(tmp_path), "--skips=newest", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "FAILED: 1 skipped for a reason not in tests/skips.py: it is Monday" in done.stdout
    assert "Chromium" not in done.stdout


def test_what_tests_skip_without_are_extras_of_the_package() -> None:
    found = list(skipped_without())
    assert len(found) > 10
    assert {(path, name) for path, name in found if name not in optional_modules()} == set()
