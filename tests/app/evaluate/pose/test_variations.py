"""Varied pairs: where a point lies in the changed image is where the changed camera and pose say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.evaluate.pose.variations import CROPS, VARIATIONS, Variation, variations
from roma_device.calibration.arrays import FloatArray, Image, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from tests.app.command_line import call
from tests.app.evaluate.pose.test_evaluate_pose import few_pairs

__all__ = ["few_pairs"]

CAMERA_A = CameraModel.pinhole(Size(320, 240), 300, 310, 155.5, 123.5)
CAMERA_B = CameraModel.pinhole(Size(300, 260), 290, 280, 149.5, 135.5)
B_FROM_A = Pose.from_rotation_vector([0.05, -0.1, 0.2], [0.3, 0.1, 0])
POINT_M = np.array([[0.03, -0.05, 2.0]])


def spotted(camera: CameraModel, point_m: FloatArray) -> Image:
    """A bright spot where the point is seen, exact to parts of a pixel."""
    y, x = np.mgrid[: camera.size.height, : camera.size.width]
    at = camera.project(point_m)[0]
    return np.asarray(np.round(250 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 18)), np.uint8)


def spot(image: Image) -> FloatArray:
    weight = np.maximum(image.astype(float) - 20, 0)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


CHANGES = [
    *(Variation("roll", roll_deg=angle) for angle in (15, 90, 200, 315)),
    *(Variation("scale", scale=scale) for scale in (0.5, 2.0)),
    *(Variation("crop", corner=corner) for corner in CROPS),
    Variation("both", 225, 1.6),
]


@pytest.mark.parametrize("variation", CHANGES, ids=lambda one: one.name)
def test_truth_follows_the_image(variation: Variation) -> None:
    seen_m = B_FROM_A.apply(POINT_M)
    views = (spotted(CAMERA_A, POINT_M), CAMERA_A), (spotted(CAMERA_B, seen_m), CAMERA_B)
    a, b, b_from_a = variation.of(*views, B_FROM_A)
    for (image, camera), points_m in ((a, POINT_M), (b, b_from_a.apply(POINT_M))):
        assert Size.of(image) == camera.size
        assert np.abs(spot(image) - camera.project(points_m)[0]).max() < 0.25


def test_a_roll_crops_nothing_and_a_zoom_enlarges() -> None:
    image = np.full((240, 320), 90, np.uint8)
    image[:, :40] = 200
    views = (image, CAMERA_A), (image, CAMERA_A)
    turned = Variation("roll", roll_deg=90).of(*views, B_FROM_A)[1]
    assert turned[0].shape[0] > turned[0].shape[1]
    assert (turned[0] > 150).mean() == pytest.approx(40 / 320, abs=0.01)
    zoomed = Variation("scale", scale=2.0).of(*views, B_FROM_A)[1]
    assert zoomed[0].shape == (120, 160) and zoomed[1].fx == CAMERA_A.fx


def test_kinds_are_all_there_and_each_once() -> None:
    names = [one.name for one in variations([*VARIATIONS, "roll"])]
    assert len(names) == len(set(names)) and names[0] == "as they are"


def test_an_unknown_kind_is_one_sentence(few_pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "evaluate", "pose", str(few_pairs), "--vary", "roll,colour")
    assert code == 64 and "'colour'; known: roll, scale, crop, both" in err
    code, _, err = call(capsys, "evaluate", "pose", str(few_pairs), "--plot", "a.png")
    assert code == 64 and "--vary" in err


def test_table_json_and_plot(few_pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One small pair; crops are the cheapest kind."""
    pairs = [pair for pair in json.loads(few_pairs.read_text())["pairs"] if pair["set"] == "mobilebrick"][:1]
    few_pairs.write_text(json.dumps({"pairs": pairs}))
    words = ("evaluate", "pose", str(few_pairs), "--matcher", "orb", "--size", "320", "--no-baseline", "--vary", "crop")
    code, out, _ = call(capsys, *words, "--json", "--plot", str(tmp_path / "auc.png"))
    report = json.loads(out)
    assert code == 0 and [one["kind"] for one in report["variations"]] == ["crop"] * 4
    assert all(len(one["pairs"]) == 1 for one in report["variations"])
    assert (tmp_path / "auc.png").read_bytes()[:4] == b"\x89PNG"
    assert "crop at top left" in call(capsys, *words)[1]
