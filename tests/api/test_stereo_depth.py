"""StereoDepth as a program uses it."""

from __future__ import annotations

import inspect
import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roma_device import (
    CameraError,
    NpuOptions,
    OdometryOptions,
    RomaError,
    StereoCalibration,
    StereoDepth,
    StereoFrame,
)
from tests.api.conftest import REPLAY
from tests.api.replay import Replay

Pair = tuple[Any, Any]


def test_five_lines_to_metres(rig_file: Path, pair: Pair) -> None:
    with StereoDepth(engine="null", calibration=rig_file) as stereo:
        frame = stereo.match(*pair)
    assert frame.depth_m.shape == (96, 160) and frame.depth_m.dtype == np.float32
    assert frame.depth_m[48, 80] == pytest.approx(
        frame.rig.focal_px * frame.rig.baseline_m / frame.disparity_px[48, 80]
    )  # type: ignore[operator]
    assert frame.confidence[48, 80] == 1 and frame.known[48, 80] and frame.pose is None
    assert frame.left.shape == frame.right.shape == (96, 160, 3) and frame.index == frame.skew_ns == frame.dropped == 0
    assert list(frame.times_ms) == ["preprocess", "engine", "decode", "depth"]
    assert repr(frame).startswith("<DepthFrame 0: 160x96 px, ")


def test_points_have_metres_and_colours(rig: StereoCalibration, pair: Pair) -> None:
    frame = StereoDepth(engine="null", calibration=rig).match(*pair)
    points_m, colours = frame.points(stride=4)
    assert points_m.dtype == np.float32 and points_m.shape == colours.shape == (frame.known[::4, ::4].sum(), 3)
    assert (colours == frame.left[::4, ::4][frame.known[::4, ::4]][:, ::-1]).all()
    for stride in (0, -1, 1.5, "a"):
        with pytest.raises(RomaError, match="stride must be a whole number"):
            frame.points(stride)  # type: ignore[arg-type]


def sources(frames: list[StereoFrame]) -> dict[str, Any]:
    arrays = [(frame.left.image, frame.right.image) for frame in frames]
    return {
        "spec": f"{REPLAY}:1",
        "pairs": arrays,
        "lists": [list(pair) for pair in arrays],
        "generator": (pair for pair in arrays),
        "stacked": np.stack([np.stack(pair) for pair in arrays]),
        "frames": frames,
        "camera": Replay(frames),
    }


@pytest.mark.parametrize("kind", ["spec", "pairs", "lists", "generator", "stacked", "frames", "camera"])
def test_whatever_gives_pairs_is_a_camera(kind: str, frames: list[StereoFrame], rig: StereoCalibration) -> None:
    with StereoDepth(sources(frames)[kind], calibration=rig, engine="null") as stereo:
        found = list(stereo)
    assert [frame.index for frame in found] == [0, 1, 2, 3]
    for frame, raw in zip(found, frames, strict=True):
        assert (frame.result.frame.left.image == raw.left.image).all()


def test_times_of_exposure_are_kept(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    with StereoDepth(frames, calibration=rig, engine="null") as stereo:
        assert [frame.timestamp_ns for frame in stereo] == [frame.timestamp_ns for frame in frames]


def test_a_pair_without_geometry_has_disparity_alone(pair: Pair) -> None:
    frame = StereoDepth.from_pair(*pair, engine="null")
    assert frame.disparity_px.shape == (96, 160)
    for ask in (lambda: frame.depth_m, frame.points):
        with pytest.raises(RomaError, match="give calibration=, or focal_px= and baseline_m="):
            ask()


def test_a_rectified_pair_takes_two_numbers_for_metres(pair: Pair) -> None:
    frame = StereoDepth.from_pair(*pair, focal_px=np.float32(100), baseline_m=0.1, engine="null", input_width=320)
    assert np.nanmedian(frame.depth_m) == pytest.approx(100 * 0.1 / 2)  # the image is enlarged by two


def test_images_of_many_sizes_and_memory_layouts(rig: StereoCalibration) -> None:
    rng = np.random.default_rng(0)
    with StereoDepth(calibration=rig, engine="null") as stereo:
        for width, height in ((160, 96), (320, 192), (80, 48), (160, 96)):
            left = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
            for image in (left, left[..., 0], left[..., ::-1], np.asfortranarray(left), left[::-1, ::-1]):
                assert stereo.match(image, left).depth_m.shape == (height, width)


def test_results_stay_as_they_are(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    with StereoDepth(frames, calibration=rig, engine="opencv", input_width=160) as stereo:
        found = [(frame, frame.depth_m.copy(), frame.confidence.copy()) for frame in stereo]
    for frame, depth_m, confidence in found:
        assert np.array_equal(frame.depth_m, depth_m, equal_nan=True) and (frame.confidence == confidence).all()


def test_every_option_is_taken(frames: list[StereoFrame], rig_file: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "calibration": rig_file,
        "model": Path("stereo"),
        "engine": "null",
        "precision": "fp32",
        "threads": np.int64(1),
        "input_width": np.int32(320),
        "min_depth_m": 1,
        "max_depth_m": np.float32(9),
        "min_confidence": 0.25,
        "view": "inside",
        "task": ["depth", "pose"],
        "frames": np.uint8(2),
        "max_fps": 1000,
        "output": tmp_path / "out",
        "save": ("depth", "trajectory"),
        "existing": "refuse",
        "preset": "raw",
        "passes": None,
        "publish": None,
        "record": str(tmp_path / "raw"),
        "npu": NpuOptions(overlap=False),
        "odometry": OdometryOptions(points=100),
    }
    with StereoDepth(frames, **options) as stereo:
        found = list(stereo)
    assert len(found) == 2 and found[0].pose is not None and found[0].pose.state == "ok"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("000000_depth.png", "000001_depth.png", "run.json", "trajectory.png", "trajectory.tum"),
    ]
    assert len(list((tmp_path / "raw").iterdir())) == 1 and stereo.failed == ()
    elsewhere = {"camera", "config", "rectified", "focal_px", "baseline_m"}
    assert set(inspect.signature(StereoDepth).parameters) - elsewhere == set(options)


def test_a_recording_is_a_camera(frames: list[StereoFrame], rig: StereoCalibration, tmp_path: Path) -> None:
    with StereoDepth(Replay(frames, rig), record=tmp_path, engine="null") as stereo:
        first = [frame.depth_m for frame in stereo]
    with StereoDepth(f"recording:{tmp_path}", engine="null") as stereo:
        second = [frame.depth_m for frame in stereo]
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))


def test_what_could_not_be_written_is_told(frames: list[StereoFrame], rig: StereoCalibration, tmp_path: Path) -> None:
    with StereoDepth(frames, calibration=rig, output=tmp_path, save="depth", engine="null") as stereo:
        for frame in stereo:
            (tmp_path / f"{frame.index + 1:06d}_depth.png").mkdir()
        assert frame.index == 3 and stereo.failed == ("depth",)


def test_the_end_of_the_block_closes_the_camera(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    camera = Replay(frames, rig)
    with StereoDepth(camera, engine="null") as stereo:
        assert next(stereo).index == 0 and camera.open == 1
    assert camera.open == 0


def test_an_exception_of_the_programs_own_passes(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    camera = Replay(frames, rig)
    with pytest.raises(KeyError, match="mine"), StereoDepth(camera, engine="null") as stereo:
        for _ in stereo:
            raise KeyError("mine")
    assert camera.open == 0


def test_match_uses_the_cameras_own_calibration_and_disturbs_no_loop(pair: Pair) -> None:
    with StereoDepth(REPLAY, engine="null") as stereo:
        before = stereo.match(*pair)
        found = []
        for frame in islice(stereo, 3):
            found.append(frame.index)
            again = stereo.match(frame.result.frame.left.image, frame.result.frame.right.image)
            assert np.array_equal(again.depth_m, frame.depth_m, equal_nan=True)
        assert found == [0, 1, 2] and before.index == 0 and again.index == 3


def test_poses_of_pairs_of_ones_own(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    with StereoDepth(calibration=rig, task="pose", engine="null") as stereo:
        for frame in frames:
            found = stereo.match(frame.left.image, frame.right.image, timestamp_ns=np.int64(frame.timestamp_ns))
    assert found.pose is not None and found.pose.timestamp_ns == frames[-1].timestamp_ns
    with pytest.raises(RomaError, match="no stereo network ran"):
        _ = found.depth_m


@pytest.mark.parametrize(
    "bad", [1, None, "ab", (1, 2), (np.zeros((4, 4)), np.zeros((4, 4))), (np.zeros((2, 2), np.uint8),) * 3]
)
def test_frames_that_are_none_are_refused(bad: Any, rig: StereoCalibration) -> None:
    for camera in ([bad], Replay([bad])):
        with (
            pytest.raises(CameraError, match=r"must be"),
            StereoDepth(camera, calibration=rig, engine="null") as stereo,
        ):
            list(stereo)


def test_help_reads_well() -> None:
    for member in ("__init__", "from_pair", "match", "stop", "close", "failed"):
        assert len(inspect.getdoc(getattr(StereoDepth, member)) or "") > 60
    words = inspect.getdoc(StereoDepth.__init__) or ""
    assert [name for name in inspect.signature(StereoDepth).parameters if name not in words] == []


def test_the_folder_that_a_run_got_is_told(tmp_path: Path) -> None:
    for name in ("out", "out-2"):
        with StereoDepth(f"{REPLAY}:1", engine="null", output=tmp_path / "out", save="depth") as stereo:
            assert next(stereo).index == 0
            assert stereo.output == tmp_path / name
        record = json.loads((tmp_path / name / "run.json").read_text())
        assert (record["state"], record["frames"]) == ("done", 1), "a loop that is left early is no failure"
