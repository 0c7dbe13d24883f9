"""Fixtures of the tests of the front door."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from roma_device import StereoCalibration, StereoFrame, register_camera, register_engine, save_calibration
from roma_device.app.cameras import CAMERAS
from roma_device.app.cameras.simulated import SimulatedCamera
from roma_device.runtime.engine import ENGINES
from tests.api.null_engine import NullEngine
from tests.api.replay import Replay

SMALL = "room?size=160x96"
REPLAY = "replay"
"""A camera that gives the fixture ``frames`` without end, and knows its calibration."""


@pytest.fixture(autouse=True)
def messages_for_other_tests() -> Iterator[None]:
    """The front door silences the library's log; tests of the program read it."""
    yield
    logger.enable("roma_device")


@pytest.fixture(autouse=True)
def quick_kinds(frames: list[StereoFrame], rig: StereoCalibration) -> Iterator[None]:
    """``engine="null"`` and ``camera="replay"``: answer at once."""
    Replay.stored = frames, rig
    register_engine("null", NullEngine)
    register_camera(REPLAY, Replay)
    yield
    ENGINES.pop("null")
    CAMERAS.pop(REPLAY)


@pytest.fixture(scope="session")
def camera() -> SimulatedCamera:
    return SimulatedCamera.from_spec(SMALL)


@pytest.fixture(scope="session")
def rig(camera: SimulatedCamera) -> StereoCalibration:
    return camera.calibration


@pytest.fixture(scope="session")
def frames(camera: SimulatedCamera) -> list[StereoFrame]:
    """Four raw pairs of the simulated rig, 160x96 px."""
    return list(islice(camera.frames(), 4))


@pytest.fixture
def pair(frames: list[StereoFrame]) -> tuple[Any, Any]:
    """Left and right, (H, W, 3) uint8."""
    return frames[0].left.image, frames[0].right.image


@pytest.fixture
def rig_file(rig: StereoCalibration, tmp_path: Path) -> Path:
    return save_calibration(rig, tmp_path / "rig.yaml")[0]
