"""A test may skip for want of an optional package: a name that does not exist would skip for ever."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULES = {"eclipse-zenoh": "zenoh", "paho-mqtt": "paho", "pyyaml": "yaml", "opencv-python-headless": "cv2"}
"""Package -> module, where the two differ."""

NO_PACKAGES = {"rclpy"}
"""Comes with ROS 2, and not from PyPI."""


def optional_modules() -> set[str]:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = "\n".join(setup["options.extras_require"].values()).splitlines()
    packages = {re.split(r"[^\w.-]", line.strip())[0] for line in lines if line.strip()}
    return NO_PACKAGES | {MODULES.get(name, name.replace("-", "_")) for name in packages}


def skipped_without() -> Iterator[tuple[str, str]]:
    """File and first word of each ``importorskip``."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.importorskip":
                argument = node.args[0]
                if isinstance(argument, ast.Constant):
                    yield str(path.relative_to(ROOT)), str(argument.value).partition(".")[0]


def test_what_tests_skip_without_are_extras_of_the_package() -> None:
    found = list(skipped_without())
    assert len(found) > 10
    assert {(path, name) for path, name in found if name not in optional_modules()} == set()
