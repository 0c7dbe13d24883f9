"""``run --output`` as a user types it twice, and a run that goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from roma_device.app.model_store import find_model
from roma_device.calibration.formats.exchange import load_calibration
from tests.app.command_line import call

CAMERA = "simulated:room?size=64x48&frames=3"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Three small frames into ``tmp_path / name``."""
    (tmp_path / "small.yaml").write_text("input_width: 64\nengine: opencv\n")
    words = ("run", "--config", str(tmp_path / "small.yaml"), "--camera", CAMERA, "--save", "disparity,results")

    def run_into(name: str, *more: str) -> tuple[int, str, str]:
        return call(capsys, *words, "--output", str(tmp_path / name), *more)

    return run_into


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def indices(folder: Path) -> list[int]:
    return [json.loads(line)["index"] for line in (folder / "results.jsonl").read_text().splitlines()]


def test_a_second_run_leaves_the_first_one_alone(tmp_path: Path, run: Run) -> None:
    assert [run("out")[0] for _ in range(2)] == [0, 0]
    first, second = files(tmp_path / "out"), files(tmp_path / "out-2")
    disparities = {name for name in first if name.endswith(".pfm")}
    assert len(disparities) == 3 and all(first[name] == second[name] for name in disparities)
    record = json.loads(first["run.json"])
    assert (record["state"], record["frames"]) == ("done", 3)
    assert record["settings"]["camera"] == CAMERA and record["calibration"]["source"] == "the camera"
    assert record["model"]["sha256"] == {kind: one.sha256 for kind, one in find_model("stereo").every_file.items()}
    (tmp_path / "rig.yaml").write_text(json.dumps(record["calibration"]["content"]))  # JSON is YAML
    baseline_m = load_calibration(tmp_path / "rig.yaml").baseline_m
    assert baseline_m == pytest.approx(record["calibration"]["baseline_m"], abs=1e-6)


def test_an_interrupted_run_goes_on_to_the_same_results(tmp_path: Path, run: Run) -> None:
    assert [run("whole")[0], run("part", "--frames", "2")[0]] == [0, 0]
    part, whole = tmp_path / "part", tmp_path / "whole"
    record = json.loads((part / "run.json").read_text())
    (part / "run.json").write_text(json.dumps({**record, "state": "running", "frames": 0}))  # as a crash leaves it
    assert run("part", "--resume")[0] == 0
    assert indices(part) == [0, 1, 2] and files(part).keys() == files(whole).keys()
    assert all(files(part)[name] == data for name, data in files(whole).items() if name.endswith(".pfm"))
    assert json.loads((part / "run.json").read_text())["frames"] == 3


def test_resuming_with_other_settings_is_refused(run: Run) -> None:
    assert run("out", "--frames", "1")[0] == 0
    code, _, err = run("out", "--resume", "--min-depth-m", "1")
    assert code == 64 and "depth.min_m is 0.2, not 1.0" in err and err.count("\n") == 1


def test_contradicting_options_are_refused(tmp_path: Path, run: Run) -> None:
    code, _, err = run("out", "--resume", "--existing", "refuse")
    assert code == 64 and "contradict" in err and not (tmp_path / "out").exists()
