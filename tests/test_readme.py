"""README's commands are run, each with small inputs of this test's own, and do and give what README says of them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pytest

from roma_device.app.cameras import open_camera
from roma_device.app.cli import cli
from roma_device.app.evaluate.stereo.ground_truth import read_disparity
from roma_device.app.evaluate.stereo.index import load_index
from roma_device.app.sinks import SINKS
from roma_device.app.sinks.pfm import read_pfm
from roma_device.calibration.formats.own import save_calibration
from tests.app.command_line import call

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
LINES = "\n".join(BLOCKS).replace("\\\n", " ").splitlines()
COMMANDS = [shlex.split(line, comments=True)[1:] for line in LINES if line.startswith("roma-device ")]
SAVED = re.findall(r"^\| `([\w-]+)` \| `([\w./-]+)` \|", TEXT, re.MULTILINE)

CAMERA = "images:DIR"
BOARD_CAMERA = "simulated:board?frames=3"
SMALL = ["--input-width", "96", "--engine", "opencv"]
NAME = f"readme-{os.getpid()}"


@dataclass(frozen=True)
class Recipe:
    """What of a command is made small, and what it has to give."""

    changes: Mapping[str, str] = field(default_factory=dict)  # words of README -> ours
    more: Sequence[str] = ()
    files: tuple[str, ...] = ()
    said: str = ""  # a pattern, in stdout or stderr
    codes: tuple[int, ...] = (0,)
    needs: str = ""  # a module


RECIPES: dict[str, Recipe] = {
    "run --camera simulated:street": Recipe(
        {"simulated:street": "simulated:street?size=192x120", "20": "2"},
        SMALL,
        ("out/000001_preview.png", "out/000000_depth.png", "out/run.json"),
        "2 frames done",
    ),
    "run --camera images:left.png,right.png": Recipe(
        {},
        SMALL,
        tuple(f"out/000000{end}" for end in ("_disparity.pfm", "_depth.png", "_preview.png", ".ply")),
        r"focal length 995 px, baseline 193.0 mm",
    ),
    "run --camera images:DIR": Recipe(
        {}, SMALL, ("out/000000_depth.png", "out/000000_preview.png", "out/results.jsonl"), "calibration: rig.yaml"
    ),
    "run --camera video:both.mp4": Recipe({"video:both.mp4": "video:both.avi"}, SMALL, (), r'"median_depth_m": \d'),
    "calibrate --camera CAMERA": Recipe(
        {"CAMERA": "simulated:board?fps=4&seed=2", "chessboard:9x6:25mm": "chessboard:9x6:30mm"},
        ["--pairs", "6"],
        (),
        r"Verdict: .*[\s\S]*at +5 m: +[\d.]+ % += +[\d.]+ cm",
        (0, 1),
    ),
    "calibrate check": Recipe(
        {"CAMERA": BOARD_CAMERA, "chessboard:9x6:25mm": "chessboard:9x6:30mm"}, [], (), "Calibration: ", (0, 1, 2)
    ),
    "cameras": Recipe(codes=(0, 66, 69)),
    "run --camera v4l2:LEFT,RIGHT --calibration rig.yaml --record": Recipe(
        {"v4l2:LEFT,RIGHT": CAMERA}, SMALL, ("recordings/*/*.pairs",)
    ),
    "run --camera recording:recordings": Recipe({}, SMALL, (), "2 frames done"),
    "run --camera v4l2:LEFT,RIGHT --calibration rig.yaml --publish": Recipe(
        {"v4l2:LEFT,RIGHT": CAMERA, "shm:depth": f"shm:{NAME}"}, SMALL, (), "published", needs="zenoh"
    ),
    "recording export": Recipe({"recordings/NAME": "recordings/one"}, [], ("bag/metadata.yaml",), needs="rosbags"),
    "batch recordings/": Recipe(
        {"local:4": "local:1"},
        SMALL,
        ("results/batch.json", "results/items/*/done.json"),
        "DIR|done",
    ),
    "batch status": Recipe(files=("results/batch.json",)),
    "service install": Recipe(more=["--dry-run"], said="would write"),
    "doctor": Recipe(said=r"(ok  |WARN|FAIL)  packages: roma-device", codes=(0, 1, 2)),
    "evaluate stereo": Recipe({}, ["--engine", "opencv", "--passes", "0"], (), "(?s)stereo.*sgbm"),
    "run --task pose": Recipe(
        {"images:A,B": "images:left.png,right.png", "FX,FY,CX,CY": "120,120,95.5,59.5"},
        ["--matcher", "orb"],
        codes=(0, 1),
    ),
    "bench": Recipe({}, ["--repeat", "1", "--warmup", "0", "--engine", "opencv"], (), r"engine:[\s\S]*rate: "),
    "verify stereo": Recipe({}, ["--size", "64x64"], (), "", (0, 1), "onnxruntime"),
}
"""By how a command begins; the longest that fits counts."""

SLOW = {"calibrate check", "bench", "verify stereo"}
THOROUGH = {"calibrate --camera CAMERA"}


NO_RECIPE = "a new command of README: give it a recipe"


def recipe_of(words: list[str]) -> tuple[str, Recipe]:
    line = " ".join(words)
    begin = max((begin for begin in RECIPES if line.startswith(begin)), key=len, default=f"{NO_RECIPE}: {line}")
    return begin, RECIPES.get(begin, Recipe(more=["--help"]))


def parameters() -> list[Any]:
    marked = []
    for words in COMMANDS:
        name = recipe_of(words)[0]
        marks = [
            getattr(pytest.mark, mark) for mark, those in (("slow", SLOW), ("thorough", THOROUGH)) if name in those
        ]
        marked.append(pytest.param(words, id=" ".join(words)[:60], marks=marks))
    return marked


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What README's commands name: a pair, folders, a video, a calibration, a recording, an index."""
    folder = tmp_path_factory.mktemp("readme")
    with open_camera("simulated:room?size=192x120&frames=1") as camera:
        (frame,) = camera.frames()
        assert camera.calibration is not None
        save_calibration(folder / "rig.yaml", camera.calibration)
    images = {"left": frame.left.image, "right": frame.right.image}
    for side, image in images.items():
        (folder / "DIR" / side).mkdir(parents=True)
        for path in (folder / f"{side}.png", *(folder / "DIR" / side / f"00000{number}.png" for number in range(2))):
            cv2.imwrite(str(path), image)
    both = np.hstack([np.atleast_3d(image).repeat(1 if image.ndim == 3 else 3, axis=2) for image in images.values()])
    video = cv2.VideoWriter(str(folder / "both.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 25, both.shape[1::-1])
    for _ in range(2):
        video.write(both)
    video.release()
    cv2.imwrite(str(folder / "truth.png"), np.full(images["left"].shape[:2], 9, np.uint8))
    entry = {"left": "left.png", "right": "right.png", "disparity": "truth.png", "scale": 1, "invalid": 0}
    (folder / "index.json").write_text(json.dumps({"pairs": [{"id": "one", **entry}]}))
    return folder


@pytest.fixture
def workplace(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for each command, with links to the material."""
    for path in material.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(capsys: pytest.CaptureFixture[str]) -> None:
    """A recording, as the command before makes it."""
    code, _, err = call(
        capsys, "run", "--camera", CAMERA, "--calibration", "rig.yaml", "--record", "recordings", *SMALL
    )
    assert code == 0, err
    (made,) = Path("recordings").iterdir()
    made.rename("recordings/one")


def test_readme_has_its_commands() -> None:
    assert len(COMMANDS) >= 17
    assert {recipe_of(words)[0] for words in COMMANDS} == set(RECIPES)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_of_readme_is_one(words: list[str]) -> None:
    command: click.Command = cli
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    assert command is not cli
    with command.make_context("roma-device", list(words)) as context:
        assert context.command is command


@pytest.mark.parametrize("words", parameters())
def test_each_command_of_readme_does_what_it_says(
    words: list[str], workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, recipe = recipe_of(words)
    if recipe.needs:
        pytest.importorskip(recipe.needs)
    if "recording" in " ".join(words[:3]):
        record(capsys)
    if words[:2] == ["batch", "status"]:
        assert call(capsys, "batch", "DIR", "--output", "results", "--calibration", "rig.yaml", *SMALL)[0] == 0
    code, out, err = call(capsys, *(recipe.changes.get(word, word) for word in words), *recipe.more)
    assert code in recipe.codes, out + err
    assert re.search(recipe.said, out + err), out + err
    assert [name for name in recipe.files if not list(workplace.glob(name))] == []


def test_the_table_of_saved_files_is_true(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind that a plain run can save writes the file that README names; none is left out of the table."""
    named = dict(SAVED)
    assert set(SINKS) - set(named) <= {"trajectory", "scan", "grid"}
    packages = {"mcap": "mcap", "mcap-raw": "mcap", "rosbag2": "rosbags"}
    kinds = [kind for kind in named if kind not in packages or find_spec(packages[kind])]
    code, _, err = call(
        capsys,
        "run",
        "--camera",
        CAMERA,
        "--calibration",
        "rig.yaml",
        *SMALL,
        "--save",
        ",".join(kinds),
        "--output",
        "out",
    )
    assert code == 0, err
    for kind in kinds:
        assert (workplace / "out" / named[kind].replace("NNNNNN", "000001")).exists(), kind


@pytest.mark.slow
def test_the_python_of_readme_runs(tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    text = program.replace("frames=10", "frames=1")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert re.fullmatch(r"\d\.\d+ m, certainty 0\.\d+\n", done.stdout), done.stderr


MOTORCYCLE, KITTI = "mb14_motorcycle_q", "kitti12_000070"


@pytest.mark.slow
@pytest.mark.parametrize("name", [MOTORCYCLE, KITTI])
def test_depth_is_true_in_metres(
    name: str, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], in_words: Callable[..., list[str]]
) -> None:
    """README's command for a rectified pair, with the pair whose numbers stand there and with another one."""
    pair = next(pair for pair in load_index(shared_data / "stereo.json") if pair.id == name)
    assert pair.K is not None and pair.baseline_m is not None
    doffs = pair.doffs or 0.0
    words = in_words(f"images:{pair.left},{pair.right}", pair.K[0], pair.baseline_m, doffs, tmp_path / "out")
    code, _, err = call(capsys, *words)
    assert code == 0, err
    truth_px = read_disparity(pair.disparity, pair.scale, pair.invalid)
    depth_mm = cv2.imread(str(tmp_path / "out" / "000000_depth.png"), cv2.IMREAD_UNCHANGED)
    found_px = read_pfm(tmp_path / "out" / "000000_disparity.pfm")
    known = np.isfinite(truth_px) & (depth_mm > 0)
    truth_m = pair.K[0] * pair.baseline_m / (truth_px[known] + doffs)
    assert np.isfinite(found_px[known]).all() and known.mean() > 0.2
    assert float(np.median(np.abs(depth_mm[known] / 1000 / truth_m - 1))) < 0.02


@pytest.fixture
def in_words() -> Callable[..., list[str]]:
    """README's words for a rectified pair with other numbers."""
    (words,) = (words for words in COMMANDS if "--rectified" in words)

    def filled(camera: str, *numbers: object) -> list[str]:
        places = ("--focal-px", "--baseline-m", "--doffs", "--output")
        values = {"--camera": camera, **dict(zip(places, map(str, numbers), strict=True)), "--save": "disparity,depth"}
        return [values.get(before, word) for before, word in zip(["", *words], words, strict=False)]

    return filled
