"""What ``run`` says of common mistakes; docs/run.md has the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.app.cameras import open_camera
from roma_device.app.run.geometry import choose_geometry
from roma_device.app.run.likely_cause import likely_cause
from roma_device.app.settings.settings import Settings
from roma_device.calibration.arrays import Image, Size
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.rectify import Rectification, RectifiedRig
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.store import TAKEN_WITH, CalibrationStore
from roma_device.runtime.rectified_images import RectifiedImages
from roma_device.runtime.types import DepthMap, Frame, Matches, Result, StageTimes, StereoFrame
from tests.app.command_line import call

Pair = tuple[Image, Image]


def blank() -> Image:
    return np.random.default_rng(1).integers(8, 14, (240, 400)).astype(np.uint8)


def result_of(left: Image, right: Image, share: float, rig: RectifiedRig | None = None, depths: float = 0.0) -> Result:
    """A result in which ``share`` of the pixels are valid, and ``depths`` of them have a depth that counts."""
    shape = left.shape
    valid = np.arange(left.size).reshape(shape) < share * left.size
    disparity_px = np.full(shape, 16, np.float32)
    depth_m = np.where(np.arange(left.size).reshape(shape) < depths * left.size, 3.0, np.nan).astype(np.float32)
    depth = DepthMap(depth_m, valid.astype(np.float32), 0) if rig is not None and rig.is_metric else None
    frame = StereoFrame(Frame(left, 0, 0), Frame(right, 0, 0))
    matches, images = Matches(valid.astype(np.float32), disparity_px), RectifiedImages(left, right)
    return Result(frame, 0, matches, valid, rig, depth, images, StageTimes({"depth": 1.0}))


MISTAKES: dict[str, tuple[Callable[[Pair], Pair], str]] = {
    "swapped": (lambda pair: (pair[1], pair[0]), "left and right look swapped"),
    "same": (lambda pair: (pair[0], pair[0]), "left and right are the same image"),
    "rotated": (lambda pair: (pair[0], pair[1][::-1, ::-1].copy()), "turned by 180 degrees"),
    "covered": (lambda pair: (pair[0], blank()), "the right image is blank"),
    "dark": (lambda pair: (blank(), blank()), "both images are blank"),
    "unrectified": (lambda pair: (pair[0], np.roll(pair[1], 9, axis=0)), "rows of left and right differ by about 9 px"),
    "other": (lambda pair: (pair[0], cv2.flip(pair[1], 0)), "do not look like one scene"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_cause_of_a_frame_without_depth_is_found(pair: Pair, mistake: str) -> None:
    change, said = MISTAKES[mistake]
    cause = likely_cause(result_of(*change(pair), share=0.02), came_rectified=True)
    assert cause is not None and said in cause


@pytest.mark.parametrize("mistake", ["same", "dark"])
def test_a_network_that_is_sure_does_not_hide_the_cause(pair: Pair, mistake: str) -> None:
    change, said = MISTAKES[mistake]
    cause = likely_cause(result_of(*change(pair), share=1.0), came_rectified=True)
    assert cause is not None and said in cause


def test_a_good_pair_has_no_cause(pair: Pair) -> None:
    assert likely_cause(result_of(*pair, share=0.9), came_rectified=True) is None
    assert likely_cause(result_of(*pair, share=0.1), came_rectified=True) is None


def test_a_baseline_in_another_unit_shows_in_the_depths(pair: Pair) -> None:
    rig = RectifiedRig(Size(400, 240), 400.0, 2.4, 199.5, 119.5)
    cause = likely_cause(result_of(*pair, 0.9, rig, depths=0.02), came_rectified=True)
    assert cause is not None and "most depths are about 60 m" in cause and "baseline of 2.4 m" in cause


def test_rows_that_are_off_after_rectification_point_at_the_calibration(pair: Pair) -> None:
    cause = likely_cause(result_of(*MISTAKES["unrectified"][0](pair), share=0.02), came_rectified=False)
    assert cause is not None and "calibrate check" in cause


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    (tmp_path / "small.yaml").write_text("input_width: 64\nengine: opencv\n")
    return ["--config", str(tmp_path / "small.yaml")]


def test_a_run_says_what_it_does(tmp_path: Path, small: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", *small, "--camera", "simulated:room?size=64x48&frames=1", "--output", str(tmp_path / "out")]
    code, out, err = call(capsys, *words)
    first, *_, last = out.splitlines()
    assert (code, err) == (0, "")
    for fact in (
        "simulated:room",
        "64x48 px",
        "calibration: the camera, baseline",
        "model stereo on opencv",
        "as asked",
    ):
        assert fact in first
    assert first.endswith(f"depth, preview, results into {tmp_path / 'out'}")
    assert last == f"1 frame done, depth, preview, results in {tmp_path / 'out'}"
    assert (tmp_path / "out" / "000000_preview.png").exists(), "what one expects of --output alone"


def test_quiet_is_quiet_wherever_it_stands(small: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", *small, "--camera", "simulated:room?size=64x48&frames=1", "-q"]
    assert call(capsys, *words) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--focal-px", "500", "--baseline-m", "0.1"], "--focal-px is for pairs that are rectified"),
        (["--calibration", "rig.yaml", "--rectified"], "--calibration is for raw pairs"),
        (["--resume"], "name it"),
        (["--engine", "ax", "--threads", "2"], "--threads is for engines of the host"),
    ],
)
def test_an_option_without_effect_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "run", "--camera", "simulated:room?frames=1", *words)
    assert code == 64 and said in err and not out


class Cameras:
    """Cameras without a calibration of their own."""

    calibration = None


class Live(Cameras):
    counts = None

    def frames(self) -> None: ...

    def stop(self) -> None: ...

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def simulated_rig() -> StereoCalibration:
    calibration = open_camera("simulated:room?frames=1").calibration
    assert calibration is not None
    return calibration


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CalibrationStore:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    store = CalibrationStore()
    store.use(store.add(simulated_rig()).number)
    return store


def test_a_stored_calibration_is_not_taken_for_files(stored: CalibrationStore) -> None:
    settings = Settings(camera="images:somewhere")
    geometry = choose_geometry(settings, Cameras())  # type: ignore[arg-type]
    with pytest.raises(CalibrationError, match=r"no calibration.*stored version 1 .*if named: .*0001\.yaml"):
        geometry.rectification(Size(640, 400))


def test_a_stored_calibration_is_for_its_camera_and_size(stored: CalibrationStore) -> None:
    live, settings = Live(), Settings(camera="v4l2:a,b?size=640x400")
    geometry = choose_geometry(settings, live)  # type: ignore[arg-type]
    assert geometry.source == "stored version 1" and geometry.rectification(Size(640, 400)).calibration is not None
    with pytest.raises(CalibrationError, match="is for 640x400 px, this camera gives 320x200 px"):
        geometry.rectification(Size(320, 200))
    named = simulated_rig()
    for camera, is_used in (("v4l2:a,b", True), ("v4l2:b,a", False)):
        stored.use(stored.add(replace(named, origin={TAKEN_WITH: camera})).number)

        assert (choose_geometry(settings, live).calibration is not None) is is_used  # type: ignore[arg-type]


def test_an_offset_of_the_principal_points_reaches_the_depth() -> None:
    settings = Settings(rectified=True, focal_px=995.0, baseline_m=0.193, doffs_px=31.086)
    rectification = choose_geometry(settings, Cameras()).rectification(Size(741, 500))  # type: ignore[arg-type]
    assert isinstance(rectification, Rectification) and rectification.rig.disparity_offset_px == 31.086
