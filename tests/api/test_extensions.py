"""Cameras, sinks, engines and matchers of a program's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roma_device import (
    Camera,
    CameraError,
    CameraModel,
    CaptureCounts,
    DepthFrame,
    NetworkOptions,
    Result,
    RomaError,
    Size,
    StereoCalibration,
    StereoDepth,
    StereoFrame,
    open_matcher,
    register_camera,
    register_engine,
    register_sink,
    relative_pose,
)
from roma_device.app.sinks import SINKS
from tests.api.conftest import REPLAY


class Medians:
    """A sink."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "medians.txt"

    def __enter__(self) -> Medians:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def write(self, result: Result) -> None:
        with self._path.open("a") as file:
            file.write(f"{np.nanmedian(DepthFrame(result).depth_m):.3f}\n")


def test_a_sink_by_its_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(SINKS, "medians", raising=False)
    register_sink("medians", Medians)
    register_sink("medians", f"{__name__}:Medians")
    with StereoDepth(f"{REPLAY}:1", engine="null", save="medians", output=tmp_path) as stereo:
        medians = [f"{np.nanmedian(frame.depth_m):.3f}" for frame in stereo]
    assert (tmp_path / "medians.txt").read_text().split() == medians and len(medians) == 4
    SINKS.pop("medians")


@pytest.mark.parametrize("register", [register_camera, register_engine, register_sink])
def test_wrong_registrations_are_refused(register: Any) -> None:
    class Local:
        pass

    wrong = [
        ("a:b", Medians, "without colon and comma"),
        ("", Medians, "without colon and comma"),
        ("mine", "Medians", 'is no "module:Class"'),
        ("mine", 5, 'is no "module:Class"'),
        ("mine", Local, "at the top of its module"),
        ("mine", "nosuchmodule:Class", "there is no module nosuchmodule"),
    ]
    for name, target, said in wrong:
        with pytest.raises(RomaError, match=said):
            register(name, target)


def test_names_that_are_taken_stay() -> None:
    with pytest.raises(RomaError, match="'depth' is taken"):
        register_sink("depth", Medians)


def test_a_class_that_is_not_there_shows_on_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SINKS, "mine", "os:Nothing")
    stereo = StereoDepth(REPLAY, save="mine", output=tmp_path, engine="null")
    with stereo, pytest.raises(RomaError, match="module os has no Nothing"):
        next(stereo)


class Live(Camera):
    """Gives frames without being asked, until it is stopped."""

    def __init__(self, frame: StereoFrame) -> None:
        self.counts, self._frame, self._stopped = CaptureCounts(), frame, False

    def frames(self) -> Any:
        while not self._stopped:
            yield self._frame

    def stop(self) -> None:
        self._stopped = True


def test_a_live_camera_drops_what_comes_too_fast(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    with StereoDepth(Live(frames[0]), calibration=rig, engine="null", max_fps=20, frames=3) as stereo:
        assert [frame.dropped > 0 for frame in stereo][1:] == [True, True]


def test_half_a_camera_is_refused() -> None:
    class Half:
        def frames(self) -> Any:
            yield from ()

    with pytest.raises(CameraError, match="has no calibration: derive its class from Camera"):
        StereoDepth(Half())  # type: ignore[call-overload, arg-type, unused-ignore]


def test_relative_pose_with_any_matcher(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    a, b = frames[0].left.image, frames[0].right.image
    matcher = open_matcher("sift")
    by_name, by_object = (relative_pose(a, b, rig.left, rig.right, matcher=one) for one in ("sift", matcher))
    assert by_name.state == by_object.state and by_name.reasons == by_object.reasons
    four = (rig.left.fx, rig.left.fy, rig.left.cx, rig.left.cy)
    assert relative_pose(a, b, four, matcher="orb").state in ("ok", "degraded", "lost")
    matcher.close()


def test_relative_pose_refuses_in_a_sentence(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    a, four = frames[0].left.image, (100.0, 100.0, 80.0, 48.0)
    wrong: list[tuple[Any, str]] = [
        (lambda: relative_pose(a, a, (1, 2, 3)), "four numbers fx, fy, cx, cy"),  # type: ignore[arg-type]
        (lambda: relative_pose(a, a, None), "four numbers"),  # type: ignore[arg-type]
        (lambda: relative_pose("a", a, four), "the first image must be a uint8 array"),  # type: ignore[arg-type]
        (lambda: relative_pose(a, a[..., 0].astype(float), four), "the second image must be"),
        (lambda: relative_pose(a, a, (-1, 1, 1, 1)), "must be positive"),
        (lambda: relative_pose(a, a, four, matcher="nope"), "no model 'nope'"),
        (lambda: relative_pose(a, a, four, matcher=5), "named by a text"),  # type: ignore[arg-type]
        (lambda: relative_pose(a, a, four, matcher="stereo"), "a pose needs a two_view model"),
        (lambda: open_matcher("two-view", NetworkOptions(engine="nope")).match(a[..., 0], a[..., 0]), "unknown engine"),
        (lambda: relative_pose(a, a, CameraModel.pinhole(Size(50, 50), 1, 1, 1, 1)), "the shapes differ"),
    ]
    for call, said in wrong:
        with pytest.raises(RomaError, match=said):
            call()
