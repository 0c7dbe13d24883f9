"""StereoDepth and ``roma-device run`` give the same bits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device import StereoDepth
from roma_device.runtime.depth import encode_depth_mm
from tests.api.conftest import REPLAY
from tests.app.command_line import call


def test_depth_is_that_of_run_to_the_bit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--camera", f"{REPLAY}:1", "--engine", "opencv", "--output", str(tmp_path), "--save", "depth"]
    assert call(capsys, *words)[0] == 0
    with StereoDepth(f"{REPLAY}:1", engine="opencv") as stereo:
        for frame in stereo:
            saved = cv2.imread(str(tmp_path / f"{frame.index:06d}_depth.png"), cv2.IMREAD_UNCHANGED)
            assert (saved == encode_depth_mm(frame.depth_m)).all() and (saved > 0).mean() > 0.5
            again = stereo.match(frame.result.frame.left.image, frame.result.frame.right.image)
            assert np.array_equal(again.depth_m, frame.depth_m, equal_nan=True)
    assert frame.index == 3


def test_files_are_those_of_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = "depth,disparity,confidence,ply,trajectory"
    options = {"engine": "null", "task": "depth,pose", "save": kinds}
    words = [word for key, value in options.items() for word in (f"--{key}", value)]
    assert call(capsys, "run", "--camera", f"{REPLAY}:1", *words, "--output", str(tmp_path / "run"))[0] == 0
    with StereoDepth(
        f"{REPLAY}:1", output=tmp_path / "api", engine="null", task=["depth", "pose"], save=kinds
    ) as stereo:
        assert len(list(stereo)) == 4
    files = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.name != "run.json"}
    assert len(files) == 18
    assert {path.name: path.read_bytes() for path in (tmp_path / "api").iterdir() if path.name != "run.json"} == files
