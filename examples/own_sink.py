"""A sink of one's own: a class that is given every result, here to write one line of CSV."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from roma_device import DepthFrame, Result, Sink, SinkError, StereoDepth, register_sink


class CsvSink(Sink):
    """``depth.csv``: frame, share of known pixels, median depth in metres."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "depth.csv"

    def __enter__(self) -> CsvSink:
        self._file = self._path.open("w", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, result: Result) -> None:
        frame = DepthFrame(result)
        try:
            self._file.write(f"{frame.index},{frame.known.mean():.4f},{np.nanmedian(frame.depth_m):.4f}\n")
        except OSError as error:
            raise SinkError(f"cannot write {self._path}: {error.strerror}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--camera", default="simulated:room")
    parser.add_argument("--output", type=Path, default=Path(tempfile.mkdtemp()))
    options = parser.parse_args()
    register_sink("csv", CsvSink)
    with StereoDepth(options.camera, frames=3, output=options.output, save="csv") as stereo:
        for _ in stereo:
            pass
    print((options.output / "depth.csv").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
