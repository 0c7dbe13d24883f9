"""From images of a board to a calibration, and from that to a depth in metres."""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from roma_device import StereoDepth, calibrate, save_calibration


def simulated_images(folder: Path, pairs: int) -> Path:
    """What a user would take with the rig: the board in ``pairs`` positions."""
    with StereoDepth("simulated:board?fps=2", task="pose") as stereo:
        for frame in islice(stereo, pairs):
            raw = frame.result.frame
            for side, image in (("left", raw.left.image), ("right", raw.right.image)):
                (folder / side).mkdir(exist_ok=True)
                cv2.imwrite(str(folder / side / f"{frame.index:03d}.png"), image)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="folder with left/ and right/; without it they are simulated")
    parser.add_argument("--board", default="chessboard:9x6:30mm")
    parser.add_argument("--camera", default="simulated:room", help="where to measure then")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp())
    rig = calibrate(options.images or simulated_images(work, 16), options.board)
    print(f"baseline {1000 * rig.baseline_m:.1f} mm, {rig.quality['rms_px']:.2f} px, verdict {rig.origin['verdict']}")
    save_calibration(rig, work / "rig.yaml")
    with StereoDepth(options.camera, calibration=work / "rig.yaml", frames=1) as stereo:
        (frame,) = stereo
    print(f"median depth {np.nanmedian(frame.depth_m):.2f} m")


if __name__ == "__main__":
    main()
