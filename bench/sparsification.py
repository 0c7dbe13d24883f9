"""Does the certainty know where the disparity is wrong?

``python bench/sparsification.py INDEX OUT.png`` removes pixels from the least certain on and plots
bad-2.0 of the rest, mean over the pairs, beside the oracle that removes the largest errors first. AUSE is
the area between the two (Ilg et al., ECCV 2018), here of bad-2.0 and without normalization.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt

from roma_device.app.evaluate.stereo.evaluate import NetworkMatcher
from roma_device.app.evaluate.stereo.index import load_index
from roma_device.app.evaluate.stereo.metrics import PROTOCOL_WIDTH_PX, at_width
from roma_device.app.model_store import find_model
from roma_device.runtime.matching_network import NetworkOptions

Curve = npt.NDArray[np.float64]
REMOVED = np.linspace(0, 0.95, 39)


def bad_of_rest(error_px: Curve, rank: Curve) -> Curve:
    """Share over 2 px among what is left after removing the pixels of lowest ``rank``, per REMOVED."""
    bad = error_px[np.argsort(rank, kind="stable")] > 2
    return np.array([bad[int(share * bad.size) :].mean() for share in REMOVED])


def curves(index: Path, model: str) -> tuple[Curve, Curve, npt.NDArray[np.float64]]:
    """Mean curves by certainty and by the oracle; certainty and success of all pixels, (N, 2)."""
    matcher = NetworkMatcher(find_model(model), NetworkOptions())
    ours, oracle, pixels = [], [], []
    for pair in load_index(index):
        loaded = at_width(pair.load(), PROTOCOL_WIDTH_PX)
        height, width = loaded.left.shape
        matcher.prepare((width, height))
        disparity, certainty = matcher.match(loaded.left, loaded.right)
        known = np.isfinite(loaded.disparity_px)
        error = np.abs(disparity - loaded.disparity_px)[known].astype(np.float64)
        rank = np.asarray(certainty)[known].astype(np.float64)
        ours.append(bad_of_rest(error, rank))
        oracle.append(bad_of_rest(error, -error))
        pixels.append(np.column_stack([rank, error < 2])[:: max(1, rank.size // 20000)])
    matcher.close()
    return np.mean(ours, 0), np.mean(oracle, 0), np.concatenate(pixels)


def main() -> None:
    index, output = Path(sys.argv[1]), Path(sys.argv[2])
    ours, oracle, pixels = curves(index, sys.argv[3] if len(sys.argv) > 3 else "stereo")
    ause = float(np.trapezoid(ours - oracle, REMOVED))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(100 * REMOVED, 100 * ours, label="by the network's certainty")
    left.plot(100 * REMOVED, 100 * oracle, "--", label="by the true error")
    left.set(xlabel="least certain pixels removed, %", ylabel="bad-2.0 of the rest, %", title=f"AUSE {ause:.4f}")
    left.legend()
    bins = np.clip((pixels[:, 0] * 10).astype(int), 0, 9)
    stated = [pixels[bins == b, 0].mean() for b in range(10) if (bins == b).any()]
    found = [pixels[bins == b, 1].mean() for b in range(10) if (bins == b).any()]
    right.plot([0, 1], [0, 1], "--", color="grey")
    right.plot(stated, found, "o-")
    right.set(xlabel="stated certainty", ylabel="share within 2 px", title="calibration")
    figure.tight_layout()
    figure.savefig(output, dpi=100)
    kept_80 = float(np.interp(0.2, REMOVED, ours))
    print(f"bad-2.0 {100 * ours[0]:.2f} %, without the 20 % least certain {100 * kept_80:.2f} %, AUSE {ause:.4f}")


if __name__ == "__main__":
    main()
