"""The stereo model beside OpenCV's SGBM in one picture: ``python -m bench.depth.beside_sgbm OUT.png [--scene S]``.

One pair of the simulated rig, rectified by its true calibration at 640 px width. Above the left image and the true
disparity, below the disparity of both; pixels that are off by more than 2 px are grey, with their share.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bench.conditions import FRAMES, pairs
from roma_device.app.evaluate.stereo.evaluate import NetworkMatcher, SgbmMatcher
from roma_device.app.model_store import find_model
from roma_device.app.sinks.colour_scale import UNKNOWN_BGR, ColourScale
from roma_device.calibration.arrays import FloatImage, Image
from roma_device.runtime.matching_network import NetworkOptions

BAD_PX = 2.0
Picture = npt.NDArray[np.uint8]


def panel(values_px: FloatImage, truth_px: FloatImage, scale: ColourScale, name: str) -> Picture:
    """``values_px`` in colour, what is off in grey, and a caption with its share."""
    off = np.abs(values_px - truth_px) > BAD_PX
    colours = scale.colours(values_px)
    colours[off] = UNKNOWN_BGR
    share = 100 * off[np.isfinite(truth_px)].mean()
    return captioned(colours, f"{name}: {share:.1f} % off by more than {BAD_PX:g} px")


def captioned(image: Image, text: str) -> Picture:
    strip = np.full((26, image.shape[1], 3), 250, np.uint8)
    cv2.putText(strip, text, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([image, strip])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", default="stereo")
    parser.add_argument("--scene", default="room")
    parser.add_argument("--view", type=int, default=0, choices=range(FRAMES), help="which of the scene's views")
    arguments = parser.parse_args()
    pair = next(islice(pairs(arguments.scene), arguments.view, None))
    left, right, truth_px = pair.left, pair.right, pair.disparity_px
    network = NetworkMatcher(find_model(arguments.model), NetworkOptions())
    network.prepare(left.shape[::-1])
    ours_px, _ = network.match(left, right)
    network.close()
    theirs_px, _ = SgbmMatcher().match(left, right)
    scale = ColourScale.fit(truth_px, of_depth=False)
    shown = cv2.cvtColor(left, cv2.COLOR_GRAY2BGR)
    above = np.hstack([captioned(shown, "left image"), captioned(scale.colours(truth_px), "true disparity")])
    below = np.hstack([panel(theirs_px, truth_px, scale, "SGBM"), panel(ours_px, truth_px, scale, "roma-device")])
    cv2.imwrite(str(arguments.output), np.vstack([above, below]))


if __name__ == "__main__":
    main()
