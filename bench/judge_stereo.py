"""Score checkpoints of stereo: ``python -m bench.judge_stereo [--second CHECKPOINT] [--passes N ...] [--sgbm]``.

On a frozen set of generated pairs (``--generated``, made by ``python -m model.stereo.judged_pairs``) by border, hidden,
edge and surface, by size of error and by phase within the cell; on an index of real pairs with truth (``--real``) as
``roma-device evaluate stereo`` measures; on real pairs without truth (``--unlabelled``) by left-right consistency.
``--model`` scores a bundle as the program runs it. Prints one Markdown table for each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from model.stereo.bundle import load_network
from model.stereo.error_classes import Score, inconsistent
from model.stereo.judged_file import JudgedPair, read
from model.stereo.refinement_file import load_refinement
from model.stereo.two_stage_matcher import Second, TwoStageMatcher
from roma_device.app.evaluate.stereo.evaluate import NetworkMatcher, SgbmMatcher, StereoMatcher, evaluate_stereo
from roma_device.app.evaluate.stereo.ground_truth import read_grey
from roma_device.app.evaluate.stereo.index import load_index
from roma_device.app.evaluate.stereo.metrics import PROTOCOL_WIDTH_PX, mean_of
from roma_device.app.model_store import find_model
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.tensors.preprocess import resize_filter

CHECKPOINTS = Path(__file__).parent.parent / "model" / "checkpoints"
BOUNDS_PX = (1.0, 2.0)
Column = dict[str, float]


def matchers(arguments: argparse.Namespace) -> dict[str, StereoMatcher]:
    """What the options ask for, by what its column is called: a bundle as it was asked for."""
    found: dict[str, StereoMatcher] = {"sgbm": SgbmMatcher()} if arguments.sgbm else {}
    found |= {name: NetworkMatcher(find_model(name), NetworkOptions(threads=1)) for name in arguments.model}
    return found if arguments.only_models else found | {one.name: one for one in checkpoints(arguments)}


def checkpoints(arguments: argparse.Namespace) -> list[StereoMatcher]:
    """The first stage alone, and with the second ones."""
    first, _ = load_network(arguments.first)
    found: list[StereoMatcher] = [TwoStageMatcher("first stage", first, None, 0)]
    for path in arguments.second_file:
        found += [TwoStageMatcher(f"{path.name}, passes: {n}", first, in_engine(path), n) for n in arguments.passes]
    if arguments.second is not None:
        second, origin = load_refinement(arguments.second)
        name = f"step {origin['step']}, passes: "
        found += [TwoStageMatcher(f"{name}{count}", first, second, count) for count in arguments.passes]
    return found


def in_engine(path: Path) -> Second:
    """The second stage's ONNX file in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: tuple(session.run(None, inputs))


def on_generated(pairs: Sequence[JudgedPair], matcher: StereoMatcher) -> Column:
    score = Score()
    for pair in pairs:
        matcher.prepare(pair.left.shape[::-1])
        disparity_px, certainty = matcher.match(pair.left, pair.right)
        score.add(disparity_px, certainty, pair.disparity_px, pair.is_hidden)
    return score.figures()


def on_real(index: Path, matcher: StereoMatcher) -> Column:
    report = evaluate_stereo(load_index(index), matcher)
    mean = mean_of([pair.everywhere for pair in report.ours.pairs])
    kept = {"bad1": mean.bad1, "bad2": mean.bad2, "bad3": mean.bad3, "bad2_80": mean.bad2_80}
    return {name: 100 * value for name, value in kept.items() if value is not None} | {"epe_px": mean.epe}


def on_unlabelled(index: Path, matcher: StereoMatcher) -> Column:
    """Mean over the pairs; the right image is matched to the left one in the mirror."""
    rows = []
    for pair in json.loads(index.read_text())["pairs"]:
        left, right = (_at_width(read_grey(index.parent / pair[side])) for side in ("left", "right"))
        matcher.prepare(left.shape[::-1])
        there = matcher.match(np.ascontiguousarray(right[:, ::-1]), np.ascontiguousarray(left[:, ::-1]))[0][:, ::-1]
        rows.append(inconsistent(matcher.match(left, right)[0], there, BOUNDS_PX))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _at_width(image: np.ndarray) -> np.ndarray:
    import cv2

    size = (PROTOCOL_WIDTH_PX, round(image.shape[0] * PROTOCOL_WIDTH_PX / image.shape[1]))
    return np.asarray(cv2.resize(image, size, interpolation=resize_filter(image.shape[1], size[0])))


def show(title: str, columns: dict[str, Column]) -> None:
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    print(f"\n{title}\n| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name in names:
        values = (f"{column[name]:.2f}" if name in column else "" for column in columns.values())
        print(f"| {name} | {' | '.join(values)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--first", type=Path, default=CHECKPOINTS / "stereo.pt", help="checkpoint of the first stage")
    add("--second", type=Path, help="checkpoint of the second stage")
    add("--second-file", type=Path, nargs="*", default=[], help="ONNX files of it, in ONNX Runtime")
    add("--passes", type=int, nargs="+", default=[1, 2, 3], help="of the second stage")
    add("--sgbm", action="store_true", help="a column for OpenCV's SGBM")
    add("--model", nargs="*", default=[], help="bundles to score as the program runs them")
    add("--only-models", action="store_true", help="leave the checkpoints out")
    add("--generated", type=Path, help="frozen set of generated pairs")
    add("--real", type=Path, help="index of real pairs with truth: once per finished run")
    add("--unlabelled", type=Path, help="index of real pairs without truth")
    add("--count", type=int, help="so many of the generated pairs of each half alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = matchers(arguments)
    if arguments.generated is not None:
        every = read(arguments.generated)
        for is_clean in (True, False):
            pairs = [pair for pair in every if pair.is_clean == is_clean][: arguments.count]
            if not pairs:
                continue
            title = f"{len(pairs)} generated pairs, {'clean' if is_clean else 'as trained with'}"
            show(title, {name: on_generated(pairs, one) for name, one in found.items()})
    if arguments.unlabelled is not None:
        show("Left-right consistency", {name: on_unlabelled(arguments.unlabelled, one) for name, one in found.items()})
    if arguments.real is not None:
        show("Real pairs", {name: on_real(arguments.real, one) for name, one in found.items()})


if __name__ == "__main__":
    main()
