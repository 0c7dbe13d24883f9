"""What the stereo model costs beside SGBM: ``python bench/stereo_cost.py [--model M] [--rounds N]``.

Process CPU time of one pair at 640x320 with one thread, for every installed host engine in fp32 and int8 and for
what "auto" takes, all in turn in each round, so that other load on the machine meets all of them alike. SGBM is
OpenCV's three-way mode with 128 disparities. Prints a Markdown table with the ratios to SGBM.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from roma_device.app.cameras import open_camera
from roma_device.app.model_store import find_model
from roma_device.calibration.rectify import Rectification
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import EngineError, EngineOptions, Precision, engine_facts, engine_name, open_engine
from roma_device.runtime.tensors.inputs import InputPlan
from roma_device.runtime.tensors.preprocess import Preprocessor

SIZE = (640, 320)
HOST_ENGINES = ("openvino", "onnx", "opencv")
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
IMAGES = ("left", "warped")
"""Inputs of a second stage at full resolution; all others have a value for each cell of 4x2 px."""
Run = Callable[[], object]


def sgbm(disparities: int = 128) -> Run:
    """One match of the simulated room by SGBM with the settings of the evaluation."""
    frame = _frame()
    left, right = (cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in frame)
    matcher = cv2.StereoSGBM.create(0, disparities, 5, 200, 800, 1, 63, 10, 100, 2, cv2.STEREO_SGBM_MODE_SGBM_3WAY)
    return lambda: matcher.compute(left, right)


def _frame() -> tuple[np.ndarray, np.ndarray]:
    with open_camera(f"simulated:room?size={SIZE[0]}x{SIZE[1]}") as camera:
        frame = next(iter(camera.frames()))
    return frame.left.image, frame.right.image


def networks(card: ModelCard) -> dict[str, Run]:
    """The network in every engine that is installed, and what "auto" takes, by name."""
    found: dict[str, Run] = {}
    for name, precision in (*product(HOST_ENGINES, PRECISIONS), ("auto", "auto")):
        try:
            engine = open_engine(card, name, EngineOptions(SIZE, 1, precision=precision))
        except EngineError as error:
            print(f"{name} {precision}: left out, {error}")
            continue
        _fill(engine.inputs, card)
        chosen = f"auto ({engine_name(engine)} {engine_facts(engine).get('precision', 'fp32')})"
        found[chosen if name == "auto" else f"{name} {precision}"] = engine.run
    return found


def second_stage(path: Path) -> Run:
    """One pass of a second stage's ONNX file in OpenVINO, as its engine here sets it; the host's warp comes on top."""
    import openvino

    core = openvino.Core()
    network = core.read_model(path)
    cells = (SIZE[1] // 4, SIZE[0] // 2)
    channels = {one.any_name: one.partial_shape[1].get_length() for one in network.inputs}
    shapes = {name: [1, count, *(SIZE[::-1] if name in IMAGES else cells)] for name, count in channels.items()}
    network.reshape(shapes)
    request = core.compile_model(network, "CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}).create_infer_request()
    rng = np.random.default_rng(0)
    inputs = {name: rng.random(shape, np.float32) for name, shape in shapes.items()}
    return lambda: request.infer(inputs)


def _fill(inputs: object, card: ModelCard) -> None:
    with open_camera(f"simulated:room?size={SIZE[0]}x{SIZE[1]}") as camera:
        assert camera.calibration is not None
        rectification = Rectification.from_calibration(camera.calibration)
        frame = next(iter(camera.frames()))
        preprocess = Preprocessor(SIZE, InputPlan(SIZE, SIZE), card.normalization, rectification.maps(SIZE))
        preprocess(frame.left.image, frame.right.image, inputs)


def cpu_ms(run: Run) -> float:
    started = time.process_time()
    run()
    return (time.process_time() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="stereo")
    parser.add_argument("--second", type=Path, nargs="*", default=[], help="ONNX files of second stages")
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    runs = {"SGBM": sgbm()} | networks(find_model(arguments.model))
    runs |= {f"second stage, {path.name}": second_stage(path) for path in arguments.second}
    for run in runs.values():
        run()
    rounds = [{name: cpu_ms(run) for name, run in runs.items()} for _ in range(arguments.rounds)]
    medians = {name: median(one[name] for one in rounds) for name in runs}
    print("\n| | CPU ms | of SGBM's |\n|---|---|---|")
    for name, value in medians.items():
        print(f"| {name} | {value:.1f} | {value / medians['SGBM']:.2f} |")


if __name__ == "__main__":
    main()
