"""Readers of files that anybody may have spoiled, each with a whole file of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from roma_device.app.cameras.images import read_image
from roma_device.app.cameras.recording import RecordingCamera
from roma_device.app.cameras.simulated import virtual_rig
from roma_device.app.evaluate import reading
from roma_device.app.evaluate.odometry.read import read_trajectory
from roma_device.app.evaluate.stereo.ground_truth import read_disparity
from roma_device.app.model_store import BUNDLED
from roma_device.app.recording.recorder import Recorder, new_session
from roma_device.app.run_folder.record import NAME, RunRecord, now, read_record
from roma_device.app.settings.settings import load_settings
from roma_device.calibration.arrays import Size
from roma_device.calibration.formats.exchange import WRITTEN, export_calibration, load_calibration
from roma_device.configs import __file__ as configs
from roma_device.runtime.card import load_card
from roma_device.runtime.onnx.graph import read_onnx
from roma_device.runtime.onnx.shapes import infer
from roma_device.runtime.types import Frame, StereoFrame


@dataclass(frozen=True)
class Reader:
    """What reads a kind of file; raises RomaError."""

    name: str
    whole: Path
    spoiled: Path  # where a spoiled one is put, with all that belongs to it around
    read: Callable[[Path], object]


def readers(folder: Path) -> list[Reader]:
    """All of them, with their files below ``folder``."""
    return [
        Reader("settings", Path(configs).parent / "default.yaml", folder / "settings.yaml", load_settings),
        Reader("model card", _card(folder), folder / "card" / "card.yaml", lambda path: load_card(path.parent)),
        *_calibrations(folder),
        *_images(folder),
        Reader("ONNX graph", BUNDLED / "two-view" / "two-view.onnx", folder / "graph.onnx", _inferred),
        _recording(folder),
        *_trajectories(folder),
        _run_record(folder),
    ]


def _card(folder: Path) -> Path:
    (folder / "card").mkdir()
    return BUNDLED / "two-view" / "card.yaml"


def _calibrations(folder: Path) -> Iterator[Reader]:
    rig = virtual_rig(Size(64, 48))
    for name in WRITTEN:
        if name == "ros":  # of two files
            continue
        whole = export_calibration(folder / f"whole-{name}.yaml", rig, name)[0]
        yield Reader(f"calibration {name}", whole, folder / f"spoiled-{name}.yaml", load_calibration)


def _images(folder: Path) -> Iterator[Reader]:
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8), (0, 0), 2)
    for suffix in (".png", ".jpg", ".bmp", ".tiff", ".webp", ".ppm"):
        whole = folder / f"whole{suffix}"
        cv2.imwrite(str(whole), picture)
        yield Reader(f"image {suffix}", whole, folder / f"spoiled{suffix}", read_image)
    whole = folder / "whole.pfm"
    whole.write_bytes(b"Pf\n64 48\n-1.0\n" + np.ones((48, 64), "<f4").tobytes())
    yield Reader("disparity .pfm", whole, folder / "spoiled.pfm", _disparity)


def _disparity(path: Path) -> object:
    with reading("pair 1", path):
        return read_disparity(path, 1.0, None)


def _inferred(path: Path) -> object:
    return infer(read_onnx(path.read_bytes(), path).with_size(Size(128, 96)))


def _recording(folder: Path) -> Reader:
    session = new_session(folder, {}, None)
    image = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)
    with Recorder(session, wait=True) as recorder:
        for number in range(3):
            recorder.offer(StereoFrame(Frame(image, number, number), Frame(image, number, number)))
    (pairs,) = session.glob("*.pairs")
    whole = pairs.rename(folder / "whole.pairs")

    def replayed(path: Path) -> object:
        with RecordingCamera.from_spec(str(session)) as camera:
            return sum(1 for _ in camera.frames())

    pairs.write_bytes(whole.read_bytes())
    return Reader("recording", whole, pairs, replayed)


def _trajectories(folder: Path) -> Iterator[Reader]:
    tum = "".join(f"{number}.5 {number} 0 1 0 0 0 1\n" for number in range(20))
    kitti = "".join(f"1 0 0 {number} 0 1 0 0 0 0 1 0\n" for number in range(20))
    for name, text in (("TUM", tum), ("KITTI", kitti)):
        whole = folder / f"whole-{name}.txt"
        whole.write_text(text)
        yield Reader(f"trajectory {name}", whole, folder / f"spoiled-{name}.txt", read_trajectory)


def _run_record(folder: Path) -> Reader:
    whole = folder / "whole-run.json"
    (folder / "run").mkdir()
    record = RunRecord("running", now())
    record.write(folder / "run")
    (folder / "run" / NAME).rename(whole)
    return Reader("run record", whole, folder / "run" / NAME, lambda path: read_record(path.parent))
