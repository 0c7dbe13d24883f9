"""Cases that poses are judged on: varied real pairs and simulated rigs, and the matches that matchers find in them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from roma_device.app.cameras import open_camera
from roma_device.app.evaluate.pose.datasets import PosePair, load_pairs
from roma_device.app.evaluate.pose.evaluate import resized
from roma_device.app.evaluate.pose.variations import AS_THEY_ARE, VARIATIONS, Variation, View, variations
from roma_device.app.matchers import PairMatcher, open_matcher
from roma_device.calibration.arrays import Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.runtime.grey import grey
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.matching_network import NetworkOptions

from .matchers import ANCHORS, Anchor
from .random_bundles import write_bundles

RANDOM, RANDOM_SEEDS = "random", 2
SCENES, FIRST_SEED = ("room", "boxes", "street"), 500
SIZE_PX = 640
SURE_DEG = 10.0
"""A pose that is ok must not be off by more."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Two views and the truth, loaded when asked for."""

    name: str  # of its files
    of: str  # what is varied
    way: str  # how
    load: Callable[[], tuple[View, View, Pose]]


@dataclass(frozen=True, slots=True, eq=False)
class MatchedCase:
    """What is kept of a case."""

    name: str
    pairs: PointPairs
    cameras: tuple[CameraModel, CameraModel]
    b_from_a: Pose

    def save(self, path: Path) -> None:
        told = {"block": self.pairs.block, "confirmed": self.pairs.confirmed, "doubt": self.pairs.doubt}
        there = {name: value for name, value in told.items() if value is not None}
        cameras = {f"K_{side}": camera.matrix for side, camera in zip("ab", self.cameras, strict=True)}
        lenses: dict[str, Any] = {}
        for side, camera in zip("ab", self.cameras, strict=True):
            lenses |= {f"distortion_{side}": camera.distortion, f"model_{side}": camera.model}
        sizes = {f"size_{side}": camera.size for side, camera in zip("ab", self.cameras, strict=True)}
        pose = {"rotation": self.b_from_a.rotation, "translation": self.b_from_a.translation_m}
        points = {"a": self.pairs.a, "b": self.pairs.b, "certainty": self.pairs.certainty}
        np.savez(path, **points, **there, **cameras, **lenses, **sizes, **pose)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> MatchedCase:
        with np.load(path) as kept:
            confirmed = float(kept["confirmed"]) if "confirmed" in kept else None
            doubt = str(kept["doubt"]) if "doubt" in kept else None
            pairs = PointPairs(kept["a"], kept["b"], kept["certainty"], kept.get("block"), confirmed, doubt)
            cameras = [
                CameraModel(
                    Size(*kept[f"size_{side}"].tolist()),
                    kept[f"K_{side}"],
                    kept[f"distortion_{side}"],
                    kept[f"model_{side}"].item(),
                )
                for side in "ab"
            ]
            pose = Pose(kept["rotation"], kept["translation"])
        return cls(path.stem, pairs, (cameras[0], cameras[1]), pose)


def cases(index: Path, count: int, rigs: int) -> list[Case]:
    """Each pair as it is and in ``count`` ways, the ways going round from pair to pair; then ``rigs`` of each scene."""
    ways, found = variations(tuple(VARIATIONS))[1:], []
    for turn, pair in enumerate(load_pairs(index)):
        views = cache(pair.load)
        for way in [AS_THEY_ARE, *(ways[(turn + 9 * number) % len(ways)] for number in range(count))]:
            name = f"{pair.id}-{way.name}".replace("/", "_").replace(" ", "_").replace(",", "")
            found.append(Case(name, pair.id, way.name, partial(_varied, pair, views, way)))
    seeds = range(FIRST_SEED, FIRST_SEED + rigs)
    return found + [
        Case(f"{scene}-{seed}", f"{scene}-{seed}", "simulated", partial(_simulated, scene, seed))
        for scene in SCENES
        for seed in seeds
    ]


def counted(states: Iterable[str]) -> str:
    """How many there are of each, as text."""
    return ", ".join(f"{number} {state}" for state, number in sorted(Counter(states).items()))


def _varied(pair: PosePair, views: Callable[[], tuple[View, View]], way: Variation) -> tuple[View, View, Pose]:
    a, b, pose = way.of(*views(), pair.b_from_a)
    return resized(*a, SIZE_PX), resized(*b, SIZE_PX), pose


def _simulated(scene: str, seed: int) -> tuple[View, View, Pose]:
    with open_camera(f"simulated:{scene}?frames=1&size=640x480&seed={seed}") as camera:
        rig, frame = camera.calibration, next(iter(camera.frames()))
    assert rig is not None
    return (grey(frame.left.image), rig.left), (grey(frame.right.image), rig.right), rig.right_from_left


def opened(name: str, folder: Path) -> list[PairMatcher]:
    """That of the name; of RANDOM several, which ``folder`` keeps."""
    options = NetworkOptions("onnx", threads=1)
    if name in ANCHORS:
        return [Anchor(name)]
    if name != RANDOM:
        return [open_matcher(name, options)]
    return [open_matcher(str(path), options) for path in write_bundles(folder, RANDOM_SEEDS)]


def match(name: str, chosen: list[Case], matches: Path, until: float) -> None:
    """Fill ``matches`` with what is not there yet, until the clock shows ``until``."""
    with ExitStack() as stack:
        matchers: list[PairMatcher] = []
        for number, case in enumerate(chosen):
            path = matches / name / f"{case.name}.npz"
            if path.exists() or time.monotonic() > until:
                continue
            if not matchers:
                matchers = [stack.enter_context(closing(one)) for one in opened(name, matches / "networks")]
            a, b, pose = case.load()
            pairs = matchers[number % len(matchers)].match(a[0], b[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            MatchedCase(case.name, pairs, (a[1], b[1]), pose).save(path)
