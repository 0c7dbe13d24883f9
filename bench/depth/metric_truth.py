"""Is depth true in metres? README's command on each pair of an index whose calibration is known, beside its truth.

    python -m bench.depth.metric_truth [INDEX] [--arguments "--input-width 1248"] [--bands]

What is compared is ``--save disparity`` turned into metres by the command's own numbers, over the pixels where both
the truth and the program know something. Further arguments go to ``roma-device run``. Two methods that know nothing
of the network stand below each pair: SGBM at the size of the images, and points of Lucas and Kanade that start at the
truth itself. Where both are off to the side to which the network is off, truth and images do not fit each other. The
last figure of a line is what is left when a tilted plane of disparity is taken out, as cameras and a scanner make
that are not quite in each other's frame: no matcher makes one.
"""

from __future__ import annotations

import argparse
import itertools
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from roma_device.app.evaluate.stereo.evaluate import SgbmMatcher
from roma_device.app.evaluate.stereo.ground_truth import read_disparity, read_grey
from roma_device.app.evaluate.stereo.index import StereoPair, load_index
from roma_device.app.sinks.pfm import read_pfm
from roma_device.calibration.arrays import AnyArray, FloatArray, FloatImage

INDEX = Path(__file__).resolve().parents[3] / "shared" / "data" / "stereo.json"
PROGRAM = [sys.executable, "-m", "roma_device.app.cli"]
BANDS_PX = (0, 4, 8, 16, 32, np.inf)
POINTS, WINDOW_PX, FAR_PX = 3000, 11, 2.0
PLANE_STEPS, PLANE_SCALE_PX = 15, 0.2


class Truth(NamedTuple):
    """True and found disparities of the pixels that have both, 1-D, px, and what turns them into metres."""

    true_px: FloatArray
    found_px: FloatArray
    scale_m_px: float  # focal length times baseline
    doffs: float
    places: FloatArray  # (N, 2) column and row, -0.5 to 0.5 over the image

    @property
    def depth_m(self) -> FloatArray:
        return self.scale_m_px / (self.true_px + self.doffs)

    @property
    def depth_error(self) -> FloatArray:
        """Relative, signed."""
        return (self.true_px + self.doffs) / (self.found_px + self.doffs) - 1

    def between(self, low_px: float, high_px: float) -> Truth:
        chosen = (self.true_px >= low_px) & (self.true_px < high_px)
        kept = (values[chosen] for values in (self.true_px, self.found_px, self.places))
        return self._replace(**dict(zip(("true_px", "found_px", "places"), kept, strict=True)))

    def without_plane(self) -> Truth:
        """Without the tilted plane of disparity by which what was found is off, which a matcher does not make."""
        terms = np.column_stack([np.ones(len(self.places)), self.places])
        off_px, weights = self.found_px - self.true_px, np.ones(len(self.places))
        plane = np.zeros(3)
        for _ in range(PLANE_STEPS):
            plane = np.linalg.lstsq(terms * weights[:, None], off_px * weights, rcond=None)[0]
            weights = 1 / np.hypot(1, (off_px - terms @ plane) / PLANE_SCALE_PX)
        return self._replace(found_px=self.found_px - terms @ plane)


def judged(pair: StereoPair, true_px: AnyArray, found_px: AnyArray) -> Truth:
    """The pixels that have a depth in both; arrays of one shape, not finite where unknown."""
    assert pair.K is not None and pair.baseline_m is not None
    doffs = pair.doffs or 0.0
    known = np.isfinite(true_px) & np.isfinite(found_px) & (true_px + doffs > 0) & (found_px + doffs > 0)
    true_px, found_px = (values[known].astype(np.float64) for values in (true_px, found_px))
    rows, columns = (at / size - 0.5 for at, size in zip(np.nonzero(known), known.shape, strict=True))
    return Truth(true_px, found_px, pair.K[0] * pair.baseline_m, doffs, np.column_stack([columns, rows]))


def command_of(pair: StereoPair, *more: str) -> list[str]:
    """README's command for a rectified pair."""
    assert pair.K is not None
    rig = ["--focal-px", str(pair.K[0]), "--baseline-m", str(pair.baseline_m), "--doffs", str(pair.doffs or 0.0)]
    return ["run", "--camera", f"images:{pair.left},{pair.right}", "--rectified", *rig, *more]


def by_command(pair: StereoPair, *more: str) -> FloatImage:
    """Disparity (H, W) that the command saves; raises CalledProcessError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        words = [*command_of(pair, *more), "--quiet", "--output", folder, "--save", "disparity"]
        subprocess.run([*PROGRAM, *words], check=True)
        return read_pfm(Path(folder) / "000000_disparity.pfm")


def by_points(pair: StereoPair, true_px: FloatImage) -> FloatImage:
    """Disparity (H, W) of corners tracked from where the truth has them, NaN elsewhere and where they went astray."""
    left, right = read_grey(pair.left), read_grey(pair.right)
    corners = cv2.goodFeaturesToTrack(left, POINTS, 0.01, 5).reshape(-1, 2)
    columns, rows = np.rint(corners).astype(int).T
    start = corners - np.stack([true_px[rows, columns], np.zeros(len(rows))], axis=1).astype(np.float32)
    known = np.isfinite(start).all(axis=1)
    corners, start, columns, rows = corners[known], start[known], columns[known], rows[known]
    window, flags = (WINDOW_PX, WINDOW_PX), cv2.OPTFLOW_USE_INITIAL_FLOW
    ends, found, _ = cv2.calcOpticalFlowPyrLK(left, right, corners, start, winSize=window, maxLevel=0, flags=flags)
    near = (found.ravel() > 0) & (np.abs(ends - start).max(axis=1) < FAR_PX)
    disparity = np.full(true_px.shape, np.nan, np.float32)
    disparity[rows[near], columns[near]] = (corners - ends)[near, 0]
    return disparity


def line_of(name: str, truth: Truth) -> str:
    """One row: how many, where, and what depth and disparity are off by."""
    error, off_px = 100 * truth.depth_error, truth.found_px - truth.true_px
    return (
        f"{name:20} {len(error):7} px at {np.median(truth.depth_m):6.2f} m, {np.median(truth.true_px):6.2f} px:"
        f"  depth off by {np.median(np.abs(error)):5.2f} % in the median, bias {np.median(error):+6.2f} %,"
        f"  disparity by {np.median(np.abs(off_px)):.3f} px, bias {np.median(off_px):+.3f} px;"
        f" a plane taken out {100 * np.median(np.abs(truth.without_plane().depth_error)):5.2f} %"
    )


def show(pair: StereoPair, arguments: list[str], bands: bool) -> None:
    """Print what the command makes of one pair, and what others do."""
    true_px = read_disparity(pair.disparity, pair.scale, pair.invalid)
    truth = judged(pair, true_px, by_command(pair, *arguments))
    print(line_of(pair.id, truth), flush=True)
    for low, high in itertools.pairwise(BANDS_PX) if bands else ():
        if len((band := truth.between(low, high)).true_px):
            print(line_of(f"  {low:g} to {high:g} px", band))
    sgbm_px, _ = SgbmMatcher().match(read_grey(pair.left), read_grey(pair.right))
    print(line_of("  SGBM", judged(pair, true_px, sgbm_px)))
    print(line_of("  Lucas-Kanade", judged(pair, true_px, by_points(pair, true_px))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path, nargs="?", default=INDEX)
    parser.add_argument("--arguments", default="", metavar="TEXT", help="more arguments of roma-device run")
    parser.add_argument("--bands", action="store_true", help="by disparity as well")
    options = parser.parse_args()
    for pair in load_index(options.index):
        if pair.K is not None and pair.baseline_m is not None:
            show(pair, shlex.split(options.arguments), options.bands)


if __name__ == "__main__":
    main()
