"""How the stereo model and OpenCV's SGBM stand what cameras meet: ``python bench/conditions.py [--model M]``.

Frames of the simulated rig, rectified by its true calibration at 640 px width, with known disparity. Prints a
Markdown table: bad-2.0 over all pixels with truth, and for the network of the most certain 80 % and of what its
card's threshold keeps.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.app.cameras import open_camera
from roma_device.app.evaluate.stereo.evaluate import NetworkMatcher, SgbmMatcher, StereoMatcher
from roma_device.app.evaluate.stereo.metrics import measure
from roma_device.app.model_store import find_model
from roma_device.calibration.arrays import FloatImage, Image
from roma_device.calibration.rectify import Rectification
from roma_device.runtime.matching_network import NetworkOptions

SIZE = (640, 400)
FRAMES, EVERY = 4, 40
"""Frames per scene, and how far they are apart."""
Spoil = Callable[[Image, np.random.Generator], Image]


@dataclass(frozen=True, slots=True)
class Condition:
    """What happens to the images of which scenes."""

    name: str
    scenes: tuple[str, ...]
    left: Spoil
    right: Spoil


@dataclass(frozen=True, slots=True)
class Pair:
    left: Image  # (H, W) grey, rectified
    right: Image
    disparity_px: FloatImage  # (H, W), NaN where unknown


def as_it_is(image: Image, _: np.random.Generator) -> Image:
    return image


def dark(image: Image, rng: np.random.Generator) -> Image:
    """A twelfth of the light, and the noise of a sensor at full gain."""
    light = image / 12 + rng.normal(0, 1.5, image.shape)
    return np.asarray(light.round().clip(0, 255), np.uint8)


def brighter(image: Image, _: np.random.Generator) -> Image:
    """Two thirds of a stop more light, clipped at white."""
    return np.asarray((image * 1.6).clip(0, 255), np.uint8)


def one_row_lower(image: Image, _: np.random.Generator) -> Image:
    return np.asarray(np.vstack([image[:1], image[:-1]]))


def out_of_focus(image: Image, _: np.random.Generator) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5))


USUAL = ("room", "street", "boxes")
CONDITIONS = (
    Condition("as it is", USUAL, as_it_is, as_it_is),
    Condition("darkness", USUAL, dark, dark),
    Condition("right camera 1.6 times brighter", USUAL, as_it_is, brighter),
    Condition("right camera 1 px lower", USUAL, as_it_is, one_row_lower),
    Condition("right camera out of focus", USUAL, as_it_is, out_of_focus),
    Condition("flat walls", ("bare",), as_it_is, as_it_is),
    Condition("repeated patterns", ("repeats",), as_it_is, as_it_is),
)


def pairs(scene: str) -> Iterator[Pair]:
    """Rectified frames of ``scene`` with their disparity."""
    with open_camera(f"simulated:{scene}?size={SIZE[0]}x{SIZE[1]}") as camera:
        assert camera.calibration is not None
        rectification = Rectification.from_calibration(camera.calibration)
        rig, maps = rectification.rig, rectification.maps(SIZE)
        assert maps is not None and rig.focal_px is not None and rig.baseline_m is not None
        for frame in islice(camera.frames(), 0, FRAMES * EVERY, EVERY):
            left, right = (
                np.asarray(cv2.remap(cv2.cvtColor(raw.image, cv2.COLOR_BGR2GRAY), *map_pair, cv2.INTER_LINEAR))
                for raw, map_pair in zip((frame.left, frame.right), maps, strict=True)
            )
            assert frame.truth is not None
            yield Pair(left, right, rig.focal_px * rig.baseline_m / frame.truth.depth_m - rig.disparity_offset_px)


def row(condition: Condition, network: StereoMatcher, threshold: float) -> str:
    """One line of the table, each figure a mean over all frames in percent."""
    figures = []
    for scene in condition.scenes:
        rng = np.random.default_rng(0)
        for pair in pairs(scene):
            spoiled = condition.left(pair.left, rng), condition.right(pair.right, rng)
            figures.append(_figures(spoiled, pair.disparity_px, network, threshold))
    ours, certain, kept, kept_bad, sgbm = 100 * np.nanmean(figures, axis=0)
    return f"| {condition.name} | {ours:.1f} | {certain:.1f} | {kept_bad:.1f} of {kept:.0f} | {sgbm:.1f} |"


def _figures(
    images: tuple[Image, Image], truth_px: FloatImage, network: StereoMatcher, threshold: float
) -> npt.NDArray[np.float64]:
    network.prepare(SIZE)
    disparity_px, certainty = network.match(*images)
    assert certainty is not None
    scored = measure(disparity_px, truth_px, certainty)
    known, kept = np.isfinite(truth_px), certainty >= threshold
    kept_bad = np.abs(disparity_px - truth_px)[known & kept] > 2
    baseline = measure(SgbmMatcher().match(*images)[0], truth_px)
    share = float(kept[known].mean())
    return np.array([scored.bad2, scored.bad2_80, share, kept_bad.mean() if kept_bad.size else np.nan, baseline.bad2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="stereo")
    arguments = parser.parse_args()
    card = find_model(arguments.model)
    network = NetworkMatcher(card, NetworkOptions(threads=1))
    print(f"bad-2.0 in %, {FRAMES} frames of each scene; threshold {card.min_confidence:g}\n")
    print("| condition | network | its most certain 80 % | above its threshold, of so many % | SGBM |")
    print("|---|---|---|---|---|")
    for condition in CONDITIONS:
        print(row(condition, network, card.min_confidence), flush=True)
    network.close()


if __name__ == "__main__":
    main()
