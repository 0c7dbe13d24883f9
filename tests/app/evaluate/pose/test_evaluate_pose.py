from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.evaluate.pose.report import Auc, pose_error_deg
from roma_device.calibration.pose import Pose
from tests.app.command_line import call


def test_auc_of_errors_that_rise_evenly() -> None:
    """Errors at the middle of equal steps: the curve is the straight line to (limit, 1), area one half."""
    auc = Auc.of(list(np.linspace(0, 5, 2001)[1:]))
    assert auc.auc5 == pytest.approx(0.5, abs=1e-3)
    assert auc.auc10 == pytest.approx(0.75, abs=1e-3)


def test_auc_of_none_and_of_all() -> None:
    assert Auc.of([180.0] * 4) == Auc(0, 0, 0)
    assert Auc.of([0.0] * 400).auc5 == pytest.approx(1, abs=1e-2)
    with pytest.raises(ValueError, match="no error"):
        Auc.of([])


def test_error_is_the_larger_angle_and_takes_no_notice_of_length() -> None:
    truth = Pose.from_rotation_vector([0, 0.1, 0], [1, 0, 0])
    turned = Pose.from_rotation_vector([0, 0.1 + np.deg2rad(3), 0], [7, 0, 0])
    aside = Pose(truth.rotation, np.array([np.cos(0.2), np.sin(0.2), 0]))
    assert pose_error_deg(turned, truth) == pytest.approx(3)
    assert pose_error_deg(aside, truth) == pytest.approx(np.rad2deg(0.2))
    assert pose_error_deg(Pose(truth.rotation, -truth.translation_m), truth) == pytest.approx(180)
    assert pose_error_deg(None, truth) == pose_error_deg(Pose(truth.rotation, np.zeros(3)), truth) == 180


@pytest.fixture
def few_pairs(shared_data: Path, tmp_path: Path) -> Path:
    """Two hard pairs and an ordinary one of the measured set."""
    index = json.loads((shared_data / "pose.json").read_text())
    chosen = [pair for pair in index["pairs"] if pair["id"] in ("mobilebrick_003", "mobilebrick_006", "lund_door_019")]
    for pair in chosen:
        pair["a"], pair["b"] = str(shared_data / pair["a"]), str(shared_data / pair["b"])
    path = tmp_path / "few.json"
    path.write_text(json.dumps({"pairs": chosen}))
    return path


@pytest.mark.slow
def test_real_pairs_twice_the_same_and_accurate(few_pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [call(capsys, "evaluate", "pose", str(few_pairs), "--json") for _ in range(2)]
    assert outputs[0] == outputs[1] and outputs[0][0] == 0
    report = json.loads(outputs[0][1])
    assert set(report["baseline"]) == {"sift", "orb"}
    assert set(report["baseline"]["sift"]["mean"]) == {"auc5", "auc10", "auc20"}
    assert report["mean"]["auc5"] > 0.85 and list(report["sets"]) == ["mobilebrick", "lund_door"]
    assert report["mean"]["auc5"] > report["baseline"]["sift"]["mean"]["auc5"]


@pytest.mark.thorough
def test_all_real_pairs_beat_sift(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = json.loads(call(capsys, "evaluate", "pose", str(shared_data / "pose.json"), "--json")[1])
    plain = report["baseline"]["sift"]
    assert report["mean"]["auc10"] > max(0.90, plain["mean"]["auc10"])
    for name, auc in report["sets"].items():
        assert auc["auc10"] >= plain["sets"][name]["auc10"]


def test_unknown_format_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("")
    code, _, err = call(capsys, "evaluate", "pose", str(tmp_path / "a.txt"), "--format", "other")
    assert code == 64 and "known: own, superglue" in err
