"""An engine of one's own: whatever turns the network's inputs into its outputs, here OpenCV's SGBM."""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import numpy.typing as npt

from roma_device import EngineOptions, ModelCard, StereoDepth, register_engine


class SgbmEngine:
    """Semi-global block matching; certain wherever it gives a disparity."""

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        self.inputs = {spec.name: np.zeros(spec.shape_at(options.size), spec.storage) for spec in card.inputs}
        self.outputs = {spec.name: np.zeros(spec.shape_at(options.size), spec.storage) for spec in card.outputs}
        self._sgbm = cv2.StereoSGBM.create(0, 96, 5, P1=200, P2=800, uniquenessRatio=5)

    def run(self) -> None:
        grey = [_as_grey(self.inputs[side][0, 0]) for side in ("left", "right")]
        disparity_px = self._sgbm.compute(*grey).astype(np.float32) / 16
        for name, values in (("disparity", np.maximum(disparity_px, 0)), ("certainty", disparity_px > 0)):
            output = self.outputs[name][0, 0]
            output[:] = cv2.resize(values.astype(np.float32), output.shape[::-1], interpolation=cv2.INTER_NEAREST)

    def close(self) -> None:
        """Nothing is open."""


def _as_grey(normalized: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Zero mean and unit variance -> uint8."""
    return np.clip(128 + 50 * normalized, 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--camera", default="simulated:room")
    options = parser.parse_args()
    register_engine("sgbm", SgbmEngine)
    for engine in ("sgbm", "auto"):
        with StereoDepth(options.camera, engine=engine, passes=0, frames=1) as stereo:  # without the second stage
            (frame,) = stereo
        print(f"{engine}: {frame.known.mean():.0%} known, median depth {np.nanmedian(frame.depth_m):.2f} m")


if __name__ == "__main__":
    main()
