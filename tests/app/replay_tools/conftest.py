from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from roma_device.app.cameras.simulated import SimulatedCamera
from roma_device.app.recording.recorder import Recorder, new_session
from roma_device.app.replay_tools.stored import StoredRecording

PAIRS = 5


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> StoredRecording:
    """Five pairs of the simulated rig, 160x96 px, 30 a second."""
    camera = SimulatedCamera.from_spec("room?size=160x96")
    folder = new_session(tmp_path_factory.mktemp("recordings"), {"software": "test"}, camera.calibration)
    with Recorder(folder, wait=True) as recorder:
        for frame in islice(camera.frames(), PAIRS):
            recorder.offer(frame)
    return StoredRecording.find(folder)


@pytest.fixture
def damaged(recording: StoredRecording, tmp_path: Path) -> StoredRecording:
    """A copy with a changed pixel in its third pair."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    for path in recording.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    data = bytearray((folder / "000000.pairs").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "000000.pairs").write_bytes(bytes(data))
    return StoredRecording.find(folder)
