"""Pairs that an index leaves out, from the poses of those that it has: wider baselines of the same images.

    python -m bench.wider_pairs pose.json wider.json --sets strecha_fountain-P11 lund_door --steps 6
    roma-device evaluate pose wider.json

Poses are put together along the chain of listed pairs, whose translations must have one scale within a set.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from roma_device.calibration.pose import Pose


def pose_of(pair: dict[str, Any]) -> Pose:
    return Pose(np.reshape(pair["R_b_from_a"], (3, 3)), np.asarray(pair["t_b_from_a"], np.float64))


def placed(pairs: list[dict[str, Any]]) -> dict[str, Pose]:
    """Image -> its pose from the first one's, for all that the pairs connect to it."""
    known = {pairs[0]["a"]: Pose.identity()}
    for _ in pairs:
        for pair in pairs:
            a, b = pair["a"], pair["b"]
            if a in known and b not in known:
                known[b] = pose_of(pair) @ known[a]
            elif b in known and a not in known:
                known[a] = pose_of(pair).inverse() @ known[b]
    return known


def wider(pairs: list[dict[str, Any]], folder: Path, steps: int) -> list[dict[str, Any]]:
    """Those of one set that are not listed and at most so many images apart, in the order of the names."""
    poses, listed = placed(pairs), {(pair["a"], pair["b"]) for pair in pairs}
    intrinsics = {pair[side]: pair[f"K_{side}"] for pair in pairs for side in "ab"}
    found = []
    for (i, a), (j, b) in combinations(enumerate(sorted(poses)), 2):
        if (a, b) not in listed and j - i <= steps:
            pose = poses[b] @ poses[a].inverse()
            ends = {"id": f"{pairs[0]['set']}_{i}_{j}", "a": str(folder / a), "b": str(folder / b)}
            cameras = {"K_a": intrinsics[a], "K_b": intrinsics[b]}
            truth = {"R_b_from_a": pose.rotation.ravel().tolist(), "t_b_from_a": pose.translation_m.tolist()}
            found.append({"set": pairs[0]["set"], **ends, **cameras, **truth})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path, help="our JSON of pairs, as evaluate pose reads it")
    parser.add_argument("output", type=Path)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--steps", type=int, default=6, help="images apart at most (6)")
    arguments = parser.parse_args()
    pairs = json.loads(arguments.index.read_text())["pairs"]
    folder = arguments.index.parent.resolve()
    chosen = [[pair for pair in pairs if pair["set"] == name] for name in arguments.sets]
    found = [pair for one in chosen for pair in wider(one, folder, arguments.steps)]
    arguments.output.write_text(json.dumps({"pairs": found}, indent=1) + "\n")
    print(f"{arguments.output}: {len(found)} pairs")


if __name__ == "__main__":
    main()
