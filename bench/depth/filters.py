"""What the presets of the depth filters do, on the simulated rig's truth: ``python -m bench.depth.filters``.

For each scene and preset, over ``--seeds`` scenes of that kind: phantoms (known pixels nearer than 0.8 of the truth,
per 1,000), density, bad-2, and the time of the filters as a share of the network's (ONNX Runtime or what ``auto``
takes, one thread). On a static scene (only the noise changes): the standard deviation of disparity over time, median
over pixels, and what flickers. With ``--real INDEX`` also bad-2 of the known pixels on real pairs with truth, at the
width that ``evaluate stereo`` takes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from roma_device.app.cameras import open_camera
from roma_device.app.model_store import find_model
from roma_device.calibration.rectify import Rectification
from roma_device.runtime.filters.options import PRESETS, DepthOptions
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.pipeline import StereoPipeline
from roma_device.runtime.types import Result, StereoFrame

STATIC = "room?fps=100000000"
"""Frames 10 ns apart: the camera stands still, and the noise is anew in each."""

PHANTOM = 0.8
SETTLED = 6


@dataclass
class Score:
    """Counts over the frames of a scene."""

    pixels: int = 0
    known: int = 0
    judged: int = 0
    phantoms: int = 0
    bad: int = 0
    filters_ms: list[float] = field(default_factory=list)
    engine_ms: list[float] = field(default_factory=list)

    def add(self, result: Result) -> None:
        assert result.depth is not None and result.rig is not None and result.matches.disparity_px is not None
        truth_m = np.asarray(result.frame.truth.depth_m if result.frame.truth else np.nan)
        known = result.known & np.isfinite(truth_m)
        focal_baseline = (result.rig.focal_px or 0) * (result.rig.baseline_m or 0)
        error_px = np.abs(result.matches.disparity_px - focal_baseline / truth_m)
        self.pixels += known.size
        self.known += int(result.known.sum())
        self.judged += int(known.sum())
        self.phantoms += int((known & (result.depth.depth_m < PHANTOM * truth_m)).sum())
        self.bad += int((known & (error_px > 2)).sum())
        self.filters_ms.append(result.times.stages_ms.get("filters", 0.0))
        self.engine_ms.append(result.times.stages_ms["engine"])

    def line(self) -> str:
        share = 100 * float(np.median(self.filters_ms)) / float(np.median(self.engine_ms))
        return (
            f"phantoms {1000 * self.phantoms / self.judged:6.2f} per 1,000, "
            f"density {100 * self.known / self.pixels:5.2f} %, "
            f"bad-2 {100 * self.bad / self.judged:5.2f} %, filters {np.median(self.filters_ms):4.1f} ms "
            f"({share:4.1f} % of the network's {np.median(self.engine_ms):.0f} ms)"
        )


def frames_of(scene: str, count: int, step: int) -> tuple[list[StereoFrame], Rectification]:
    """Every ``step``-th frame of a simulated scene (its name, ``?`` and its options), and the rig's rectification."""
    camera = open_camera(f"simulated:{scene}")
    assert camera.calibration is not None
    return list(islice(camera.frames(), 0, count * step, step)), Rectification.from_calibration(camera.calibration)


def results(frames: list[StereoFrame], rectification: Rectification, options: DepthOptions) -> Iterator[Result]:
    with StereoPipeline(find_model("stereo"), rectification, NetworkOptions(threads=1), options) as pipeline:
        for index, frame in enumerate(frames):
            yield pipeline.process(frame, index)


def spread(frames: list[StereoFrame], rectification: Rectification, options: DepthOptions) -> str:
    found = list(results(frames, rectification, options))[SETTLED:]
    disparity_px = np.array([result.matches.disparity_px for result in found])
    known = np.array([result.known for result in found])
    deviation_px = disparity_px.std(axis=0)[known.all(axis=0)]
    flicker = (known[1:] != known[:-1]).mean()
    return (
        f"deviation {np.median(deviation_px):.3f} px median, {np.percentile(deviation_px, 95):.3f} px at 95 %, "
        f"{100 * flicker:.2f} % flicker"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", nargs="+", default=["room", "repeats", "street", "boxes"])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--step", type=int, default=10, help="30ths of a second from one frame to the next")
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    parser.add_argument("--still", type=int, default=16, help="frames of the static scene; 0: leave it out")
    parser.add_argument("--real", type=Path, help="index of real pairs with truth")
    parser.add_argument("--seeds", type=int, default=1, help="how many of each scene")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    options = parser.parse_args()
    fps = max(1, round(30 / options.step))
    for scene in options.scenes:
        scores = {preset: Score() for preset in options.presets}
        for seed in range(options.first, options.first + options.seeds):
            frames, rectification = frames_of(f"{scene}?seed={seed}&fps={fps}", options.frames, 1)
            for preset, score in scores.items():
                for result in results(frames, rectification, DepthOptions(preset=preset)):
                    score.add(result)
        for preset, score in scores.items():
            print(f"{scene:8} {preset:10} {score.line()}", flush=True)
    if options.still:
        frames, rectification = frames_of(STATIC, options.still, 1)
        for preset in options.presets:
            print(f"static   {preset:10} {spread(frames, rectification, DepthOptions(preset=preset))}", flush=True)
    if options.real is not None:
        from bench.depth.real_pairs import show_real

        show_real(options.real, options.presets)


if __name__ == "__main__":
    main()
