"""The bundled two-view network on real images."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.app.matchers import open_matcher
from roma_device.calibration.arrays import FloatArray, Image
from roma_device.runtime.matching_network import NetworkOptions
from tests.app.command_line import call
from tests.runtime.matching.test_features import facade, seen_from_aside

SIZE = (640, 480)
pytestmark = pytest.mark.skipif(int(cv2.__version__.split(".")[0]) < 5, reason="OpenCV 4 has no GridSample")


def photo_of(shared_data: Path, place: str) -> Image:
    pairs = json.loads((shared_data / "pose.json").read_text())["pairs"]
    first = next(pair for pair in pairs if pair["id"].startswith(place))
    image = cv2.imread(str(shared_data / first["a"]), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return np.asarray(cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="module")
def photo(shared_data: Path) -> Image:
    return photo_of(shared_data, "strecha")


def moved(homography: FloatArray, points: FloatArray) -> FloatArray:
    return np.asarray(cv2.perspectiveTransform(points[None], homography)[0], np.float64)


@pytest.mark.parametrize(
    ("turn_deg", "scale", "shift_px"), [(0, 1.0, (0.0, 0.0)), (4, 1.1, (60.3, -20.7)), (-8, 0.85, (-40.0, 30.5))]
)
def test_certain_matches_of_a_moved_photo_are_exact(
    photo: Image, turn_deg: float, scale: float, shift_px: tuple[float, float]
) -> None:
    homography = np.vstack([cv2.getRotationMatrix2D((320, 240), turn_deg, scale), [1e-4, 5e-5, 1]])
    homography[:2, 2] += shift_px
    seen = np.asarray(0.8 * cv2.warpPerspective(photo, homography, SIZE, borderMode=cv2.BORDER_REFLECT), np.uint8)
    matcher = open_matcher("two-view", NetworkOptions("auto", 1))
    pairs = matcher.match(photo, seen)
    matcher.close()
    off_px = np.linalg.norm(pairs.b - moved(homography, pairs.a), axis=1)
    assert len(pairs) > 2000 and np.median(off_px) < 0.5
    assert (off_px < 1).mean() > 0.8


def test_two_places_have_nothing_in_common(photo: Image, shared_data: Path) -> None:
    matcher = open_matcher("two-view", NetworkOptions("auto", 1))
    count = len(matcher.match(photo, photo_of(shared_data, "mobilebrick")))
    matcher.close()
    assert count < 250


def test_a_mirrored_facade_is_doubted() -> None:
    """Much of it is symmetrical: a sixth of it matches in the mirror image, which a motion could explain."""
    image = facade(0.65)
    matcher = open_matcher("two-view", NetworkOptions("auto", 1))
    usual = matcher.match(image, seen_from_aside(image))
    mirrored = matcher.match(image, np.ascontiguousarray(seen_from_aside(image)[:, ::-1]))
    matcher.close()
    assert usual.doubt is None
    assert mirrored.doubt is not None and "mirrored" in mirrored.doubt


def test_poses_of_real_pairs(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four ordinary pairs of the measured set."""
    index = json.loads((shared_data / "pose.json").read_text())
    chosen = [pair for pair in index["pairs"] if pair["id"].startswith(("lund_door", "strecha"))][::10]
    for pair in chosen:
        pair["a"], pair["b"] = str(shared_data / pair["a"]), str(shared_data / pair["b"])
    (tmp_path / "few.json").write_text(json.dumps({"pairs": chosen}))
    words = ("evaluate", "pose", str(tmp_path / "few.json"), "--matcher", "two-view", "--no-baseline", "--json")
    code, output, _ = call(capsys, *words)
    assert code == 0
    report = json.loads(output)
    assert report["matcher"] == "two-view" and report["mean"]["auc10"] > 0.85
