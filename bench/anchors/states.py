"""Can the states be believed? Varied real pairs and simulated rigs, and what each matcher's matches make of them.

    python -m bench.anchors.states PAIRS MATCHES [--matchers two-view sift orb xfeat random]

PAIRS as ``roma-device evaluate pose`` takes it; each is taken as it is and in ``--variations`` ways of its own, and
simulated rigs join in. The matches are kept in the folder MATCHES, so that a second run judges the estimator within
seconds a matcher. ``random`` stands for the networks of ``random_bundles``, by turns. Counts the poses that are ok and
off by more than 10 degrees, and names them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from roma_device.app.cameras import open_camera
from roma_device.app.evaluate.pose.datasets import PosePair, load_pairs
from roma_device.app.evaluate.pose.evaluate import magsac_pose, resized
from roma_device.app.evaluate.pose.report import pose_error_deg
from roma_device.app.evaluate.pose.variations import AS_THEY_ARE, VARIATIONS, View, variations
from roma_device.app.matchers import PairMatcher, open_matcher
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.runtime.grey import grey
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose

from .matchers import ANCHORS, Anchor
from .random_bundles import KINDS

USUAL = ("two-view", "sift", "orb", "xfeat", "random")
RANDOM = "random"
SURE_DEG = 10.0
SCENES, FIRST_SEED = ("room", "boxes", "street"), 500
SIZE_PX = 640


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Two views and the truth."""

    name: str
    a: View
    b: View
    b_from_a: Pose


@dataclass(frozen=True, slots=True, eq=False)
class MatchedCase:
    """What is kept of a case."""

    name: str
    pairs: PointPairs
    cameras: tuple[CameraModel, CameraModel]
    b_from_a: Pose

    def save(self, path: Path) -> None:
        block = {} if self.pairs.block is None else {"block": self.pairs.block}
        cameras = {f"K_{side}": camera.matrix for side, camera in zip("ab", self.cameras, strict=True)}
        sizes = {f"size_{side}": camera.size for side, camera in zip("ab", self.cameras, strict=True)}
        pose = {"rotation": self.b_from_a.rotation, "translation": self.b_from_a.translation_m}
        points = {"a": self.pairs.a, "b": self.pairs.b, "certainty": self.pairs.certainty}
        np.savez(path, **points, **block, **cameras, **sizes, **pose)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> MatchedCase:
        with np.load(path) as kept:
            block = kept.get("block")
            pairs = PointPairs(kept["a"], kept["b"], kept["certainty"], block)
            cameras = [
                CameraModel.pinhole(
                    (int(size[0]), int(size[1])), matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
                )
                for size, matrix in ((kept[f"size_{side}"], kept[f"K_{side}"]) for side in "ab")
            ]
            pose = Pose(kept["rotation"], kept["translation"])
        return cls(path.stem, pairs, (cameras[0], cameras[1]), pose)


def cases(index: Path, count: int, rigs: int) -> Iterator[Case]:
    """Each pair as it is and in ``count`` ways, the ways going round from pair to pair; then ``rigs`` of each scene."""
    ways = variations(tuple(VARIATIONS))[1:]
    for turn, pair in enumerate(load_pairs(index)):
        chosen = [ways[(turn + 9 * number) % len(ways)] for number in range(count)]
        yield from _varied(pair, [AS_THEY_ARE, *chosen])
    for scene in SCENES:
        for seed in range(FIRST_SEED, FIRST_SEED + rigs):
            yield _simulated(scene, seed)


def _varied(pair: PosePair, chosen: list) -> Iterator[Case]:  # type: ignore[type-arg]
    views = pair.load()
    for way in chosen:
        a, b, pose = way.of(*views, pair.b_from_a)
        name = f"{pair.id}-{way.name}".replace("/", "_").replace(" ", "_").replace(",", "")
        yield Case(name, resized(*a, SIZE_PX), resized(*b, SIZE_PX), pose)


def _simulated(scene: str, seed: int) -> Case:
    with open_camera(f"simulated:{scene}?frames=1&size=640x480&seed={seed}") as camera:
        rig, frame = camera.calibration, next(iter(camera.frames()))
    assert rig is not None
    views = ((grey(frame.left.image), rig.left), (grey(frame.right.image), rig.right))
    return Case(f"{scene}-{seed}", *views, rig.right_from_left)


def opened(name: str, folder: Path) -> list[PairMatcher]:
    options = NetworkOptions("onnx", threads=1)
    if name in ANCHORS:
        return [Anchor(name)]
    if name != RANDOM:
        return [open_matcher(name, options)]
    for kind, write in KINDS.items():
        write(folder / kind)
    return [open_matcher(str(folder / kind), options) for kind in KINDS]


def match(name: str, index: Path, matches: Path, chosen: tuple[int, int], every: int) -> None:
    """Fill ``matches`` with what is not there yet, of every so many of the cases."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        matchers: list[PairMatcher] = []
        for number, case in enumerate(cases(index, *chosen)):
            path = matches / name / f"{case.name}.npz"
            if path.exists() or number % every:
                continue
            if not matchers:
                matchers = [stack.enter_context(closing(one)) for one in opened(name, Path(folder))]
            pairs = matchers[number // every % len(matchers)].match(case.a[0], case.b[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            MatchedCase(case.name, pairs, (case.a[1], case.b[1]), case.b_from_a).save(path)


def judge(name: str, matches: Path) -> None:
    states, wrong, worse = Counter[str](), [], 0
    for path in sorted((matches / name).glob("*.npz")):
        case = MatchedCase.load(path)
        found = estimate_relative_pose(case.pairs, *case.cameras)
        error_deg = pose_error_deg(found.b_from_a, case.b_from_a)
        states[found.state] += 1
        if found.state == "ok" and (error_deg > SURE_DEG or name == RANDOM):
            plain_deg = pose_error_deg(magsac_pose(case.pairs, *case.cameras), case.b_from_a)
            worse += plain_deg <= SURE_DEG
            wrong.append(
                f"  {case.name}: {error_deg:.1f} deg, direction known to {found.direction_sigma_deg or 0:.1f}, "
                f"{int(found.inliers.sum())} of {len(case.pairs)} matches agree; plain MAGSAC {plain_deg:.1f}"
            )
    counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    print(f"{name}: {sum(states.values())} pairs, {counted}; ok and off by more than {SURE_DEG:g} deg: {len(wrong)},")
    print(f"  of which plain MAGSAC has {worse} right")
    print(*wrong, sep="\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("matches", type=Path, help="folder of matches, filled with what it lacks")
    parser.add_argument("--matchers", nargs="+", default=USUAL, help=" ".join((*USUAL, *ANCHORS)))
    parser.add_argument("--variations", type=int, default=5, help="of each pair (5)")
    parser.add_argument("--every", type=int, default=1, help="take every so many of the cases (1: all)")
    parser.add_argument("--rigs", type=int, default=16, help="simulated, of each scene (16)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    for name in arguments.matchers:
        if name in (*ANCHORS, RANDOM):
            import torch

            torch.set_num_threads(1)
        match(name, arguments.pairs, arguments.matches, (arguments.variations, arguments.rigs), arguments.every)
        judge(name, arguments.matches)


if __name__ == "__main__":
    main()
