"""``calibrate check`` and the monitor of ``run``: knocks are reported, corrections proposed and never applied."""

from __future__ import annotations

import json

import pytest

from .conftest import BOARD, Run, sentence


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bump", "code", "words"),
    [
        ("", 0, "Calibration: good"),
        ("&bump=roll:0.1", 1, "turned in roll by +0."),
        ("&bump=pitch:0.1", 1, "turned in pitch by +0."),
        ("&bump=yaw:0.1", 1, "turned in yaw by +0."),
    ],
)
def test_each_knock_is_told_from_the_others(run: Run, bump: str, code: int, words: str) -> None:
    camera = f"simulated:board?seed=1&fps=2{bump}"
    result = run("calibrate", "check", "--camera", camera, "--board", BOARD, "--frames", "4")
    assert result.return_value == code, result.output
    assert words in result.stdout
    turned = [axis for axis in ("roll", "pitch", "yaw") if f"turned in {axis}" in result.stdout]
    assert turned == ([bump[6:].partition(":")[0]] if bump else [])


@pytest.mark.slow
def test_a_correction_is_proposed_as_a_version_and_not_applied(run: Run) -> None:
    camera = "simulated:board?seed=1&fps=2&bump=roll:0.3"
    result = run("calibrate", "check", "--camera", camera, "--frames", "3", "--propose", "--json")
    assert json.loads(result.stdout.splitlines()[0])["rows"]["roll"]["degrees"] == pytest.approx(0.3, abs=0.02)
    assert "no stored calibration is in use" in sentence(run("calibration", "show"))
    (version,) = json.loads(run("calibration", "list", "--json").stdout)
    assert not version["in_use"]
    again = run("calibrate", "check", "--camera", camera, "--frames", "3", "--calibration", version["file"])
    assert again.return_value == 0, again.output


def test_a_stated_distance_shows_a_wrong_yaw_of_a_wall(run: Run) -> None:
    words = ("calibrate", "check", "--camera", "simulated:board?seed=1&fps=2&bump=yaw:0.4", "--frames", "1")
    result = run(*words, "--distance-m", "0.54", "--json")
    (depth,) = json.loads(result.stdout)["depths"]
    assert depth["yaw"]["degrees"] == pytest.approx(0.4, abs=0.1)


def test_what_cannot_be_checked_is_one_sentence(run: Run) -> None:
    words = ("calibrate", "check", "--camera", "simulated:room?frames=1", "--board", "charuco:8x6:30mm:22mm")
    assert "hold it into both images" in sentence(run(*words))


def test_a_run_notices_that_the_rig_was_knocked(run: Run) -> None:
    result = run("run", "--camera", "simulated:room?frames=1&size=320x200&bump=pitch:0.3", "--json")
    figures = json.loads(result.stdout.splitlines()[-1])["calibration"]
    assert figures["pitch_deg"] == pytest.approx(0.3, abs=0.05)
    assert figures["vertical_px"] > 0.8
