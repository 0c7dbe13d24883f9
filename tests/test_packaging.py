"""The package that users install is complete."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from roma_device.runtime.extras import PACKAGES, install_line

ROOT = Path(__file__).parent.parent
LAYERS = ("app", "runtime", "calibration", "configs")
SERVICE_FILES = (
    "service/config.yaml",
    "systemd/roma-device.service",
    "sysusers/roma-device.conf",
    "udev/engine-ax.rules",
)


def test_every_folder_with_code_is_listed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    folders = {path.parent for layer in LAYERS for path in (ROOT / layer).rglob("__init__.py")}
    names = {".".join(["roma_device", *folder.relative_to(ROOT).parts]) for folder in folders}
    assert listed == {"roma_device", *names}


def test_sentences_name_the_packages_of_each_extra() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    for name, packages in PACKAGES.items():
        assert tuple(line.partition(">")[0] for line in extras[name].split()) == packages
    assert install_line("zenoh") == "pip install eclipse-zenoh rosbags"


def test_nothing_promises_a_package_on_an_index() -> None:
    """roma-device is not on PyPI: whoever took its name could have its users run anything."""
    texts = [path for folder in (*LAYERS, "api", "docs", "contrib") for path in (ROOT / folder).rglob("*.*")]
    for path in [ROOT / "README.md", *texts]:
        if path.suffix in (".md", ".py", ".yaml", ".html"):
            assert not re.search(r"pip install\s+'?roma[-_]device(?!-)", path.read_text()), path


@pytest.mark.slow
def test_wheel_holds_code_and_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"roma_device/configs/default.yaml", "roma_device/configs/models/stereo/card.yaml"} <= names
    assert "roma_device/configs/models/stereo/matching.onnx" in names
    assert "roma_device/configs/models/two-view/two-view.onnx" in names
    assert {f"roma_device/configs/{name}" for name in SERVICE_FILES} <= names
    assert all(f"roma_device/{layer}/py.typed" in names for layer in LAYERS)
    assert {"roma_device/__init__.py", "roma_device/py.typed", "roma_device/stereo_depth.py"} <= names
    assert not [name for name in names if name.startswith(("model/", "tests/", "roma_device/model"))]


def test_help_loads_no_heavy_module() -> None:
    code = "import sys, roma_device.app.cli; print([m for m in ('cv2', 'torch', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
