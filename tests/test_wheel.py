"""What users install: the wheel in an empty environment, with the programs of the documentation and the examples."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import cv2
import pytest

from roma_device.app.cameras import open_camera
from roma_device.calibration.formats.own import save_calibration

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
SNIPPETS = [
    (f"{name}:{number}", text)
    for name in ("README.md", "docs/python.md")
    for number, text in enumerate(BLOCK.findall((ROOT / name).read_text(encoding="utf-8")), start=1)
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment that has the wheel, and the packages that it needs from this one by a .pth file."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    site = next((folder / "venv" / "lib").glob("python*")) / "site-packages"
    words = ["install", "--no-deps", "-q", "--target", str(site), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, cwd=folder)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    # As where OpenVINO is not installed: it compiles for seconds in each of the programs below.
    (site / "sitecustomize.py").write_text("import sys\n\nsys.modules['openvino'] = None\n")
    return python


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """left.png, right.png, rig.yaml and board/, all of the simulated rig."""
    folder = tmp_path_factory.mktemp("data")
    camera = open_camera("simulated:room")
    frame = next(iter(camera.frames()))
    assert camera.calibration is not None
    save_calibration(folder / "rig.yaml", camera.calibration)
    for side in ("left", "right"):
        cv2.imwrite(str(folder / f"{side}.png"), getattr(frame, side).image)
        (folder / "board" / side).mkdir(parents=True)
    for board in islice(open_camera("simulated:board?fps=2").frames(), 12):
        for side in ("left", "right"):
            name = f"{board.left.sequence:03d}.png"
            cv2.imwrite(str(folder / "board" / side / name), getattr(board, side).image)
    return folder


def run(python: Path, *words: str, cwd: Path) -> str:
    """Stdout of a Python program that must not say anything else."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(python), *words], check=False, cwd=cwd, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_environment_has_the_wheel_and_not_the_sources(python: Path, tmp_path: Path) -> None:
    where = run(
        python,
        "-c",
        "import roma_device, roma_device.app as app; print(roma_device.__file__, app.__file__)",
        cwd=tmp_path,
    )
    assert all(str(python.parent.parent) in path for path in where.split())


@pytest.mark.parametrize(("name", "text"), SNIPPETS, ids=[name for name, _ in SNIPPETS])
def test_every_program_of_the_documentation_runs(
    name: str, text: str, python: Path, data: Path, tmp_path: Path
) -> None:
    for path in data.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "program.py").write_text(text)
    assert run(python, "-W", "error::DeprecationWarning", "program.py", cwd=tmp_path) != ""


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_every_example_runs(path: Path, python: Path, tmp_path: Path) -> None:
    (tmp_path / path.name).write_text(path.read_text())
    assert run(python, path.name, cwd=tmp_path) != ""


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_programs_that_use_it_pass_mypy(python: Path, tmp_path: Path) -> None:
    for path in EXAMPLES:
        (tmp_path / path.name).write_text(path.read_text())
    names = [path.name for path in EXAMPLES]
    words = [
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        str(python),
        "--cache-dir",
        str(tmp_path / "cache"),
        *names,
    ]
    assert "Success: no issues found" in run(Path(sys.executable), *words, cwd=tmp_path)


def test_the_documentation_has_programs_enough() -> None:
    assert len(SNIPPETS) > 12 and len(EXAMPLES) == 7
