"""Images that no one should match, or with wrong intrinsics: is there a sentence or "lost", and never a wrong pose?

    python -m bench.anchors.odd_images PAIRS [--matchers two-view sift] [--every 5]

The second image of every so many pairs (as ``roma-device evaluate pose`` takes them) comes as a thumbnail of 64 px and
of 32, its middle enlarged 20 times, as a strip, bent to a cylinder as panoramas are (its K no longer holds), and
mirrored, where no pose is right; and the pair as it is with wrong focal lengths, of both cameras and of the second one.
Counts the states, and the poses that are ok and off by more than 10 degrees; and tells how far off those are that are
ok, in the median.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from roma_device.app.evaluate.pose.datasets import load_pairs
from roma_device.app.evaluate.pose.evaluate import resized
from roma_device.app.evaluate.pose.report import pose_error_deg
from roma_device.app.evaluate.pose.variations import View, cropped
from roma_device.app.matchers import open_matcher
from roma_device.calibration.arrays import Image, Size
from roma_device.calibration.errors import RomaError
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose

from .cases import SIZE_PX, SURE_DEG, counted

ENLARGED, STRIP = 20, 8
"""Times that the middle is enlarged; heights of a strip in its width."""

CYLINDERS, FOCAL_FACTORS, ZOOMS = (0.5, 0.8, 1.2), (0.7, 0.8, 1.25, 1.4), (0.6, 0.8, 1.25, 1.7)
"""Focal length of the cylinder over the image's width; factors by which both focal lengths are wrong, or the second."""

Change = Callable[[View], View]


def strip(view: View) -> View:
    """The middle rows alone."""
    image, camera = view
    rows = image.shape[0] // STRIP
    top = (image.shape[0] - rows) // 2
    matrix = camera.matrix - np.array([[0, 0, 0], [0, 0, top], [0, 0, 0.0]])
    part = np.ascontiguousarray(image[top : top + rows])
    return part, replace(camera, size=Size(image.shape[1], rows), matrix=matrix)


def bent(view: View, over_width: float) -> View:
    """As if on a cylinder, which K does not say."""
    image, camera = view
    height, width = image.shape
    focal, (cx, cy) = over_width * width, ((width - 1) / 2, (height - 1) / 2)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    angle = (x - cx) / focal
    columns, rows = cx + focal * np.tan(angle), cy + (y - cy) / np.cos(angle)
    return _as_image(cv2.remap(image, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR)), camera


def mirrored(view: View) -> View:
    return np.ascontiguousarray(view[0][:, ::-1]), view[1]


def misjudged(view: View, factor: float) -> View:
    """With a focal length that is ``factor`` times the true one."""
    image, camera = view
    return image, replace(camera, matrix=camera.matrix * [[factor, 1, 1], [1, factor, 1], [1, 1, 1]])


def _as_is(view: View) -> View:
    return view


def _as_image(image: object) -> Image:
    return np.asarray(image, np.uint8)


def _ways() -> dict[str, tuple[Change, Change]]:
    """Name -> changes of the first and the second view, which have SIZE_PX."""
    second: dict[str, Change] = {
        "64 px": lambda view: resized(*view, 64),
        "32 px": lambda view: resized(*view, 32),
        f"enlarged by {ENLARGED}": lambda view: resized(*cropped(view, 1 / ENLARGED, (0.5, 0.5)), SIZE_PX),
        "strip": strip,
        "mirrored": mirrored,
        **{f"cylinder {one:g}": partial(bent, over_width=one) for one in CYLINDERS},
        **{f"second focal x{one:g}": partial(misjudged, factor=one) for one in ZOOMS},
    }
    both: dict[str, Change] = {f"focal lengths x{one:g}": partial(misjudged, factor=one) for one in FOCAL_FACTORS}
    return {name: (_as_is, change) for name, change in second.items()} | {
        name: (change, change) for name, change in both.items()
    }


def outcomes(name: str, index: Path, every: int) -> dict[str, list[tuple[str, float]]]:
    """Way -> state ("a sentence" where the matcher refuses) and error in degrees of each pair."""
    ways = _ways()
    found: dict[str, list[tuple[str, float]]] = {way: [] for way in ways}
    with closing(open_matcher(name, NetworkOptions("onnx", threads=1))) as matcher:
        for pair in load_pairs(index)[::every]:
            a, b = (resized(*view, SIZE_PX) for view in pair.load())
            for way, (change_a, change_b) in ways.items():
                (image_a, camera_a), (image_b, camera_b) = change_a(a), change_b(b)
                try:
                    pose = estimate_relative_pose(matcher.match(image_a, image_b), camera_a, camera_b)
                except RomaError:
                    found[way].append(("a sentence", 0.0))
                    continue
                found[way].append((pose.state, pose_error_deg(pose.b_from_a, pair.b_from_a)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--matchers", nargs="+", default=("two-view", "sift"))
    parser.add_argument("--every", type=int, default=5, help="take every so many of the pairs (5)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    for name in arguments.matchers:
        for way, rows in outcomes(name, arguments.pairs, arguments.every).items():
            states = counted(state for state, _ in rows)
            sure_deg = [error for state, error in rows if state == "ok"]
            wrong = [f"{error:.0f}" for error in sure_deg if error > SURE_DEG or way == "mirrored"]
            told = f" ({', '.join(wrong)} deg)" if wrong else ""
            off = f"; those that are ok are {np.median(sure_deg):.1f} deg off" if sure_deg else ""
            print(f"{name:9} {way:20} {states}; ok and wrong: {len(wrong)}{told}{off}", flush=True)


if __name__ == "__main__":
    main()
