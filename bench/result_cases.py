"""Cases of the regression test of results: the calls of the program whose results are compared.

Paths of data begin with ``data/``, a link beside the files that a call writes; later cases use files of earlier ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
ENGINE = ["--engine", "onnx", "--precision", "fp32", "--threads", "1"]
IMAGES = "disparity,depth,confidence,ply"
BOARD = ["--board", "chessboard:9x6:25mm"]
FOCAL_PX, BASELINE_M = 500.0, 0.1
"""For pairs whose true ones are not known."""


@dataclass(frozen=True)
class Case:
    """One call of the program: its arguments, and the data it needs, relative to the folder of data."""

    name: str
    arguments: list[str]
    needs: str = ""
    output: bool = True  # takes --output, and the files written there count


def stereo_cases() -> Iterator[Case]:
    """Depth of every rectified pair of the index, and its scores."""
    index = DATA / "stereo.json"
    pairs = json.loads(index.read_text())["pairs"] if index.is_file() else []
    for pair in pairs:
        focal_px = pair["K"][0] if pair["K"] else FOCAL_PX
        rig = ["--rectified", "--focal-px", str(focal_px), "--baseline-m", str(pair["baseline_m"] or BASELINE_M)]
        camera = ["--camera", f"images:data/{pair['left']},data/{pair['right']}"]
        yield Case(f"pair {pair['id']}", ["run", *camera, *rig, *ENGINE, "--save", IMAGES, "--json"], pair["left"])
    command = ["evaluate", "stereo", "data/stereo.json", *ENGINE, "--json"]
    yield Case("evaluate stereo", [*command, "--compare", "sgbm"], "stereo.json", False)
    yield Case("evaluate stereo rows", [*command, "--shift-rows", "1"], "stereo.json", False)


def evaluation_cases() -> Iterator[Case]:
    """Scores of relative poses and of odometry by both trackers; a single pose with its covariance."""
    yield Case("evaluate pose", ["evaluate", "pose", "data/pose.json", *ENGINE, "--json"], "pose.json", False)
    odometry = ["evaluate", "odometry", "--index", "data/clips.json", "--json"]
    yield Case("evaluate odometry", odometry, "clips.json", False)
    yield Case("evaluate odometry network", [*odometry, "--tracker", "two-view"], "clips.json", False)
    folder = "pose/strecha/fountain-P11"
    camera = ["--camera", f"images:data/{folder}/0000.jpg,data/{folder}/0001.jpg"]
    lens = ["--task", "pose", "--intrinsics", "1379.74,1382.08,760.095,503.155"]
    for matcher in ("two-view", "sift"):
        yield Case(
            f"pair pose {matcher}", ["run", *camera, *lens, *ENGINE, "--matcher", matcher, "--json"], folder, False
        )


def calibration_cases() -> Iterator[Case]:
    """A rig and a single fisheye solved from images of boards; the rig exported, checked and put to use."""
    folder, single, rig = "calibration/opencv_leftright", "calibration/boofcv/fisheye_mono_chessboard", "rig.yaml"
    images = ["--images", f"data/{folder}"]
    yield Case("calibrate", ["calibrate", *images, *BOARD, "--json", "--output", rig], folder, False)
    mono = ["calibrate", "--mono", "--images", f"data/{single}", "--board", "chessboard:6x4:30mm"]
    yield Case("calibrate mono", [*mono, "--lens", "fisheye", "--json", "--output", "mono.yaml"], single, False)
    wide = ["calibrate", *images, *BOARD, "--lens", "fisheye", "--json", "--output", "wide.yaml"]
    yield Case("calibrate fisheye", wide, folder, False)
    for kind, which in (("own", rig), ("opencv", rig), ("ros", rig), ("kalibr", rig), ("kalibr", "wide.yaml")):
        output = "exported-ros" if kind == "ros" else f"exported-{kind}.yaml"
        export = ["calibration", "export", which, "--format", kind, "--output", output]
        yield Case(f"export {Path(which).stem} {kind}", export, folder, False)
    yield Case("show", ["calibration", "show", rig, "--json"], folder, False)
    check = ["calibrate", "check", *images, "--calibration", rig, *BOARD, "--json"]
    yield Case("check", check, folder, False)
    run = ["run", "--camera", f"images:data/{folder}", "--calibration", rig, *ENGINE, "--frames", "3"]
    yield Case("rig", [*run, "--save", f"{IMAGES},results", "--json"], folder)


def simulated_cases() -> Iterator[Case]:
    """Trajectory, depth with poses, and a fisheye rig in simulation; outputs of the networks beside OpenCV's."""
    pose = ["run", "--task", "pose", "--camera", "simulated:street?frames=60"]
    yield Case("trajectory", [*pose, "--save", "trajectory,results", "--json"])
    both = ["run", "--task", "depth,pose", "--camera", "simulated:street?frames=8", *ENGINE]
    yield Case("depth and pose", [*both, "--save", "results,trajectory,disparity", "--json"])
    fisheye = ["run", "--camera", "simulated:room?frames=3&lens=fisheye&seed=3&rig=4", *ENGINE]
    yield Case("fisheye", [*fisheye, "--save", f"{IMAGES},preview,results", "--json"])
    for model in ("stereo", "two-view"):
        yield Case(f"verify {model}", ["verify", model, *ENGINE, "--json"], output=False)
    vectors = ["verify", "stereo", "--make-vectors", "vectors", "--count", "1", "--json"]
    yield Case("vectors", vectors, output=False)


Array = np.ndarray[Any, Any]
SHIFT_PX = 9


def texture(width: int = 200, height: int = 120) -> Array:
    """(H, W + SHIFT_PX, 3) uint8."""
    noise = np.random.default_rng(7).integers(0, 256, (height, width + SHIFT_PX, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2.0)


def grey(image: Array) -> Array:
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


KINDS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "colour": ("{}/0001.png", lambda image: image),
    "grey": ("{}/0001.png", grey),
    "16 bit": ("{}/0001.png", lambda image: grey(image).astype(np.uint16) * 257),
    "12 of 16 bit": ("{}/0001.png", lambda image: grey(image).astype(np.uint16) * 16),
    "RGBA": ("{}/0001.png", lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)),
    "jpeg": ("{}/0001.jpg", lambda image: image),
    "webp": ("{}/0001.webp", lambda image: image),
    "tiff": ("{}/0001.tiff", lambda image: image),
    "tiff 16 bit": ("{}/0001.tiff", lambda image: grey(image).astype(np.uint16) * 257),
    "bmp": ("{}/0001.bmp", lambda image: image),
    "pgm": ("{}/0001.pgm", grey),
    "odd size": ("{}/0001.png", lambda image: image[:97, : 151 + SHIFT_PX]),
    "commas": ("a, b/{}/x,y.png", lambda image: image),
    "spaces": ("with spaces/{}/my pair 1.png", lambda image: image),
}
"""What it is -> file of a side, and how the texture is stored."""


def write_inputs(folder: Path) -> Iterator[tuple[str, str]]:
    """Write all into ``folder``; yields what each is, and LEFT,RIGHT relative to the folder's parent."""
    for name, (pattern, stored) in KINDS.items():
        whole = stored(texture())
        width = whole.shape[1] - SHIFT_PX
        paths = []
        for side, start in (("left", 0), ("right", SHIFT_PX)):
            path = folder / name / pattern.format(side)
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.ascontiguousarray(whole[:, start : start + width]))
            paths.append(str(path.relative_to(folder.parent)))
        yield name, ",".join(paths)


def input_cases(folder: Path, model: Path | None) -> Iterator[Case]:
    """Disparity of one pair in every kind of file; ``model``: a bundle for trees with other weights to agree on."""
    bundle = [] if model is None else ["--model", str(model.resolve())]
    for name, pair in write_inputs(folder / "inputs"):
        arguments = [
            "run",
            "--camera",
            f"images:{pair}",
            "--rectified",
            *bundle,
            *ENGINE,
            "--save",
            "disparity",
            "--json",
        ]
        yield Case(f"input {name}", [*arguments, "--save", "disparity", "--json"])


def cases() -> Iterator[Case]:
    """All cases that need no inputs of their own, in the order in which they must run."""
    yield from calibration_cases()
    yield from simulated_cases()
    yield from stereo_cases()
    yield from evaluation_cases()
