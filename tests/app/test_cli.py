"""Commands as a user types them: what they print, what they write and how they end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from roma_device.app.sinks.pfm import read_pfm
from roma_device.runtime.card import ModelCard
from roma_device.runtime.depth import decode_depth_mm

from .command_line import call


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A textured plane with disparity 16 px, as two image files."""
    folder = tmp_path_factory.mktemp("a pair")
    noise = np.random.default_rng(0).integers(0, 256, (120, 216), dtype=np.uint8)
    texture = cv2.GaussianBlur(cv2.resize(noise, None, fx=2, fy=2), (0, 0), 1.5)
    cv2.imwrite(str(folder / "left.png"), texture[:, :400])
    cv2.imwrite(str(folder / "right.png"), texture[:, 16:416])
    return folder / "left.png", folder / "right.png"


def images(pair: tuple[Path, Path]) -> str:
    return f"images:{pair[0]},{pair[1]}"


def test_run_writes_what_was_asked_for(
    capsys: pytest.CaptureFixture[str], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    names = "disparity,depth,confidence,preview,ply,results"
    words = ["--rectified", "--focal-px", "400", "--baseline-m", "0.1", "--output", str(tmp_path), "--save", names]
    code, out, err = call(capsys, "run", "--camera", images(pair), *words)
    assert (code, err) == (0, "")
    assert "1 frame," in out and "engine" in out
    written = {path.name for path in tmp_path.iterdir()}
    frame = ("disparity.pfm", "depth.png", "confidence.png", "preview.png")
    assert written == {"run.json", "results.jsonl", "000000.ply", *(f"000000_{name}" for name in frame)}

    disparity = read_pfm(tmp_path / "000000_disparity.pfm")
    assert disparity.shape == (240, 400)
    known = np.isfinite(disparity)
    assert known.mean() > 0.7 and abs(np.median(disparity[known]) - 16) < 0.5
    depth_m = decode_depth_mm(cv2.imread(str(tmp_path / "000000_depth.png"), cv2.IMREAD_UNCHANGED))
    both = known & np.isfinite(depth_m)
    assert both.mean() > 0.7
    assert np.abs(depth_m[both] - 40 / disparity[both]).max() < 0.001


def test_json_is_one_record_per_frame_and_a_summary(
    capsys: pytest.CaptureFixture[str], pair: tuple[Path, Path]
) -> None:
    code, out, _ = call(capsys, "run", "--camera", images(pair), "--rectified", "--json")
    first, last = map(json.loads, out.splitlines())
    assert code == 0 and first["index"] == 0
    assert last["summary"]["frames"] == 1 and set(last["summary"]["stages_ms"]) >= {"preprocess", "engine", "decode"}


@pytest.mark.slow
def test_bench_has_the_figures_of_the_vendors_tools(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--camera", "simulated:room?size=320x160", "--repeat", "3", "--warmup", "1"]
    code, out, err = call(capsys, "bench", *words)
    assert (code, err) == (0, "")
    assert "input: 640x320" in out and "min =" in out and "overhead:" in out
    code, out, _ = call(capsys, "bench", *words, "--json")
    report = json.loads(out)
    assert set(report["stages"]) == {"preprocess", "engine", "decode", "depth", "total"}
    assert report["overhead_ratio"] > 0


def test_evaluate_prints_ours_beside_the_baseline(
    capsys: pytest.CaptureFixture[str], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "truth.png"), np.full((240, 400), 64, np.uint8))
    entry = {"id": "plane", "left": str(pair[0]), "right": str(pair[1]), "disparity": "truth.png", "scale": 4}
    (tmp_path / "index.json").write_text(json.dumps({"pairs": [{**entry, "invalid": 0}]}))
    code, out, _ = call(capsys, "evaluate", "stereo", str(tmp_path / "index.json"), "--compare", "sgbm", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["pairs"][0]["id"] == "plane" and report["mean"]["density"] == 1
    assert report["mean"]["bad2"] < 0.2 and report["baseline"]["sgbm"]["mean"]["bad2"] < 0.2


def broken_calibration(folder: Path, **changes: object) -> Path:
    camera = {"matrix": {"fx": 300.0, "fy": 300.0, "cx": 200.0, "cy": 120.0}, "model": "plumb_bob"}
    camera["distortion"] = [0.0, 0.0, 0.0, 0.0, 0.0]
    pose = {"rotation": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], "translation_m": [-0.1, 0.0, 0.0]}
    content = {
        "format": "roma-device-calibration",
        "version": 1,
        "image_size": [400, 240],
        "left": camera,
        "right": camera,
        "right_from_left": {**pose, **changes},
    }
    (folder / "rig.yaml").write_text(yaml.safe_dump(content))
    return folder / "rig.yaml"


@pytest.mark.parametrize(
    ("translation_m", "message"),
    [([0.0, 0.0, 0.0], "baseline is zero"), ([float("nan"), 0.0, 0.0], "finite"), ([0.1, 0.0, 0.0], "swapped")],
)
def test_impossible_calibration(
    capsys: pytest.CaptureFixture[str],
    pair: tuple[Path, Path],
    tmp_path: Path,
    translation_m: list[float],
    message: str,
) -> None:
    file = broken_calibration(tmp_path, translation_m=translation_m)
    code, out, err = call(capsys, "run", "--camera", images(pair), "--calibration", str(file))
    assert code == os.EX_DATAERR and out == ""
    assert message in err and str(file) in err
    assert_one_sentence(err)


def assert_one_sentence(err: str) -> None:
    assert err.count("\n") == 1 and "Traceback" not in err, err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--camera", "images:none.png,none.png", "--rectified"], os.EX_NOINPUT, "none.png"),
        (["--camera", "kinect:0"], os.EX_USAGE, "kinect"),
        (["--camera", "simulated:nowhere"], None, "nowhere"),
        (["--model", "nothing"], os.EX_NOINPUT, "no model 'nothing': give a bundle folder or one of auto, stereo"),
        (["--engine", "gpu"], os.EX_USAGE, "gpu"),
        (["--save", "preview"], os.EX_USAGE, "--output"),
        (["--save", "video", "--output", "x"], os.EX_USAGE, "video"),
        (["--calibration", "none.yaml"], os.EX_NOINPUT, "none.yaml"),
        (["--config", "none.yaml"], os.EX_NOINPUT, "none.yaml"),
        (["--min-depth-m", "5", "--max-depth-m", "2"], os.EX_USAGE, "min_m"),
        (["--rectified", "--baseline-m", "0"], os.EX_USAGE, "baseline_m"),
    ],
)
def test_wrong_use_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int | None,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended, out, err = call(capsys, "run", *words)
    assert ended == code or (code is None and ended > 1)
    assert message in err and out == ""
    assert_one_sentence(err)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_images_without_any_calibration(capsys: pytest.CaptureFixture[str], pair: tuple[Path, Path]) -> None:
    code, _, err = call(capsys, "run", "--camera", images(pair))
    assert code == os.EX_USAGE and "--calibration FILE, or --rectified" in err
    assert_one_sentence(err)


def test_images_of_different_sizes(capsys: pytest.CaptureFixture[str], pair: tuple[Path, Path], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((100, 100), np.uint8))
    code, _, err = call(capsys, "run", "--camera", f"images:{pair[0]},{tmp_path / 'small.png'}", "--rectified")
    assert code == os.EX_DATAERR and "100x100" in err and "400x240" in err
    assert_one_sentence(err)


def test_corrupt_image(capsys: pytest.CaptureFixture[str], pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(pair[0].read_bytes()[:300])
    code, _, err = call(capsys, "run", "--camera", f"images:{pair[0]},{tmp_path / 'cut.png'}", "--rectified")
    assert code == os.EX_DATAERR and "cut.png" in err
    assert_one_sentence(err)


def test_model_that_its_card_does_not_know(
    capsys: pytest.CaptureFixture[str], pair: tuple[Path, Path], tmp_path: Path, stereo_card: ModelCard
) -> None:
    bundle = shutil.copytree(stereo_card.files["onnx"].path.parent, tmp_path / "mine")
    for path in bundle.glob("*.onnx"):
        path.write_bytes(path.read_bytes() + b"x")
    code, _, err = call(capsys, "run", "--camera", images(pair), "--rectified", "--model", str(bundle))
    assert code == os.EX_DATAERR and "sha256" in err
    assert_one_sentence(err)


def test_unknown_settings_key_names_file_line_and_key(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("threads: 1\ndepth:\n  min_confidnce: 0.5\n")
    code, _, err = call(capsys, "run", "--config", str(tmp_path / "mine.yaml"))
    assert code == os.EX_CONFIG
    assert "mine.yaml:3" in err and "depth.min_confidnce" in err and "min_confidence" in err
    assert_one_sentence(err)


def test_output_that_cannot_be_a_folder(
    capsys: pytest.CaptureFixture[str], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, err = call(capsys, "run", "--camera", images(pair), "--rectified", "--output", str(tmp_path / "file"))
    assert code == os.EX_CANTCREAT and "file" in err
    assert_one_sentence(err)


def test_calibration_of_another_shape(
    capsys: pytest.CaptureFixture[str], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    file = broken_calibration(tmp_path)
    file.write_text(file.read_text().replace("- 240", "- 300"))
    code, _, err = call(capsys, "run", "--camera", images(pair), "--calibration", str(file))
    assert code == os.EX_DATAERR and "400x300" in err and "400x240" in err
    assert_one_sentence(err)


def test_video_that_breaks_keeps_what_was_written(
    capsys: pytest.CaptureFixture[str], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    side_by_side = np.hstack([cv2.imread(str(path)) for path in pair])
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (800, 240))
    for _ in range(20):
        writer.write(side_by_side)
    writer.release()
    data = (tmp_path / "v.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    out_dir = tmp_path / "out"
    words = ["--rectified", "--output", str(out_dir), "--save", "disparity,results"]
    code, _, err = call(capsys, "run", "--camera", f"video:{tmp_path / 'cut.avi'}", *words)
    records = [json.loads(line) for line in (out_dir / "results.jsonl").read_text().splitlines()]
    assert code != 0 and "cut.avi" in err
    assert_one_sentence(err)
    assert 1 <= len(records) < 20
    for record in records:
        assert np.isfinite(read_pfm(out_dir / f"{record['index']:06d}_disparity.pfm")).any()


INTERRUPTED_IMPORT = """
import os, signal, sys
from roma_device.app.cli import main

class Finder:
    def find_spec(self, name, *_):
        if name == "cv2":
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except BaseException:
                pass

sys.meta_path.insert(0, Finder())
sys.argv = ["roma-device", "run", "--camera", "simulated:room?frames=1"]
main()
"""


def test_an_interruption_while_modules_are_loaded_is_not_lost() -> None:
    """Whoever swallows KeyboardInterrupt there, as callbacks of importlib do: the program ends, without a word."""
    words = [sys.executable, "-c", INTERRUPTED_IMPORT]
    ended = subprocess.run(words, check=False, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (130, "")
