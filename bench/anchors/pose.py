"""Our matcher beside published learned ones, SIFT and ORB: pose AUC by set through one estimator, and CPU time.

    python -m bench.anchors.pose PAIRS [--matchers two-view sift xfeat aliked-lightglue] [--save FOLDER]

PAIRS as ``roma-device evaluate pose`` takes it. Beside our estimator OpenCV's plain MAGSAC at 1 px runs on the same
matches: ``worse`` counts the pairs where ours is ok, off by more than 10 degrees, and the plain one is not.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from roma_device.app.evaluate.pose.datasets import load_pairs
from roma_device.app.evaluate.pose.evaluate import magsac_pose, resized
from roma_device.app.evaluate.pose.report import PoseScore, PoseScores, pose_error_deg
from roma_device.app.matchers import PairMatcher, open_matcher
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose

from .matchers import ANCHORS, Anchor

USUAL = ("two-view", "sift", "orb", *ANCHORS)
SURE_DEG = 10.0
"""An error that a pose which is ok should not have."""


def opened(name: str) -> PairMatcher:
    return Anchor(name) if name in ANCHORS else open_matcher(name, NetworkOptions(threads=1))


def scores_of(name: str, index: Path, size_px: int, folder: Path | None) -> tuple[PoseScores, PoseScores, float]:
    """Ours and plain MAGSAC's on the same matches, and CPU seconds of matching a pair."""
    ours, plain, matching_s = [], [], 0.0
    with closing(opened(name)) as matcher:
        for number, pair in enumerate(load_pairs(index)):
            a, b = (resized(image, camera, size_px) for image, camera in pair.load())
            start = time.process_time()
            pairs = matcher.match(a[0], b[0])
            matching_s += time.process_time() - start
            if folder is not None:
                block = {} if pairs.block is None else {"block": pairs.block}
                np.savez(folder / f"{name}-{number:03}.npz", a=pairs.a, b=pairs.b, **block)
            found, magsac = estimate_relative_pose(pairs, a[1], b[1]), magsac_pose(pairs, a[1], b[1])
            error_deg = pose_error_deg(found.b_from_a, pair.b_from_a)
            ours.append(PoseScore(pair.id, pair.set, error_deg, found.state, 0))
            plain.append(PoseScore(pair.id, pair.set, pose_error_deg(magsac, pair.b_from_a), "ok", 0))
    return PoseScores(name, tuple(ours)), PoseScores(name, tuple(plain)), matching_s / len(ours)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--matchers", nargs="+", default=USUAL, help=" ".join(USUAL))
    parser.add_argument("--size", type=int, default=640, help="longer side in px (640)")
    parser.add_argument("--save", type=Path, help="folder to keep the matches in, an .npz file for each pair")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.save is not None:
        arguments.save.mkdir(parents=True, exist_ok=True)
    for name in arguments.matchers:
        if name in ANCHORS:
            import torch

            torch.set_num_threads(1)
        ours, plain, matching_s = scores_of(name, arguments.pairs, arguments.size, arguments.save)
        states = dict(Counter(one.state for one in ours.pairs))
        sure = [one.state == "ok" and one.error_deg > SURE_DEG for one in ours.pairs]
        worse = sum(wrong and other.error_deg <= SURE_DEG for wrong, other in zip(sure, plain.pairs, strict=True))
        print(f"{name}: {ours.mean.as_text()}  plain MAGSAC {plain.mean.as_text()}  {matching_s:.2f} s of CPU a pair")
        print(
            f"  {states}; ok and off by more than {SURE_DEG:g} deg: {sum(sure)}; worse than plain in silence: {worse}"
        )
        for part, auc in ours.sets.items():
            print(f"  {part}: {auc.as_text()}", flush=True)


if __name__ == "__main__":
    main()
