"""Whether ``measure`` says what is true, on simulated walls: ``python -m bench.depth.wall [--frames 12]``.

A still camera before a textured wall, straight and tilted, at several distances; only the noise changes. What
``measure`` finds without the truth (temporal noise, plane fit RMS, distance) is beside what the truth says of the same
maps: the standard deviation of the error over the frames (median over pixels), and the RMS of the mean error about
its plane.
"""

from __future__ import annotations

import argparse
from itertools import islice

import numpy as np

from roma_device.app.cameras import open_camera
from roma_device.app.model_store import find_model
from roma_device.app.simulation.scene import Light, Scene, quad, swaying, turned
from roma_device.app.simulation.textures import marble, patches
from roma_device.app.simulation.worlds.catalogue import SCENES
from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.rectify import Rectification
from roma_device.runtime.depth_quality import measure_quality
from roma_device.runtime.filters.options import DepthOptions
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.pipeline import StereoPipeline

LAMP = Light(np.array([0.4, -1.1, -1.0]), 0.4, (1.1, 1.15, 1.2), (0.5, 0.48, 0.46), reach_m=8.0)
WALLS = ((1.0, 0.0), (2.0, 0.0), (2.0, 25.0), (4.0, 0.0))
"""Distance (m) and yaw (deg)."""


def wall(rng: np.random.Generator, distance_m: float, yaw_deg: float) -> Scene:
    paint = (
        marble((150, 160, 170), (60, 70, 90), 0.06)
        if rng.random() < 0.5
        else patches((90, 95, 100), (170, 165, 150), 0.05)
    )
    pose = turned(0, 0, distance_m, yaw_deg)
    return Scene(
        (quad(pose, (6 * distance_m, 4 * distance_m), paint),),
        LAMP,
        swaying(rng, (0, 0, 0), (0, 0, 2), (0, 0, 0), 0, 8),
    )


def beside_truth(distance_m: float, yaw_deg: float, count: int) -> str:
    SCENES["wall"] = lambda rng: wall(rng, distance_m, yaw_deg)
    camera = open_camera("simulated:wall?size=640x320&fps=100000000")
    assert camera.calibration is not None
    rectification = Rectification.from_calibration(camera.calibration)
    maps, known, truth = [], [], []
    with StereoPipeline(find_model("stereo"), rectification, NetworkOptions(threads=1), DepthOptions()) as pipeline:
        for frame in islice(camera.frames(), count):
            result = pipeline.process(frame)
            maps.append(result.matches.disparity_px)
            known.append(result.known)
            truth.append(frame.truth.depth_m if frame.truth is not None else None)
    rig = rectification.rig
    region = np.zeros(known[0].shape, bool)
    region[80:240, 160:480] = True
    found = measure_quality(np.array(maps, np.float32), np.array(known), rig, region)
    true_px = (rig.focal_px or 0) * (rig.baseline_m or 0) / np.asarray(truth[0], np.float64)
    error_px = np.array(maps, np.float64) - true_px
    noise_px = float(np.median(error_px.std(axis=0, ddof=1)[region & np.all(known, axis=0)]))
    bias_px, distance_true_m = _about_plane(error_px.mean(axis=0), region), float(np.asarray(truth[0])[160, 320])
    return (
        f"{distance_m:g} m, {yaw_deg:g} deg: noise {found.noise_px:.4f} px, truth {noise_px:.4f}; plane RMS "
        f"{found.plane_rms_px:.4f} px, truth {bias_px:.4f}; distance {found.distance_m:.3f} m, "
        f"truth {distance_true_m:.3f}"
    )


def _about_plane(values: FloatArray, region: FloatArray) -> float:
    """RMS about the plane that fits best, as a plane's tilt and distance are no error of its flatness."""
    row, column = np.nonzero(region)
    system = np.column_stack([column, row, np.ones(len(row))]).astype(np.float64)
    rest = values[row, column] - system @ np.linalg.lstsq(system, values[row, column], rcond=None)[0]
    return float(np.sqrt((rest**2).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=12)
    options = parser.parse_args()
    for distance_m, yaw_deg in WALLS:
        print(beside_truth(distance_m, yaw_deg, options.frames), flush=True)


if __name__ == "__main__":
    main()
