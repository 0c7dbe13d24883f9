"""Checkpoint -> bundle: ``python -m model.export runs/stereo/checkpoint.pt --output configs/models/stereo``.

The bundle is that of the variant which the checkpoint names: stereo, or two views in any position to each other.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .base.cli import run_tool
from .bundle_kind import kind_of_checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="bundle folder")
    parser.add_argument("--size", type=int, nargs=2, metavar=("W", "H"), help="images of this size alone, for an NPU")
    parser.add_argument("--min-confidence", type=float, default=0.5, help="default threshold on the certainty")
    parser.add_argument("--measured", type=Path, help="report of roma-device evaluate ... --json on this model")
    arguments = parser.parse_args()
    kind = kind_of_checkpoint(arguments.checkpoint)
    network, origin = kind.load(arguments.checkpoint)
    facts: dict[str, Any] = {
        "min_confidence": arguments.min_confidence,
        "trained_on": f"{kind.domain}, {origin['step']} steps, variant {origin['variant']}",
    }
    if arguments.measured is not None:
        mean = json.loads(arguments.measured.read_text())["mean"]
        facts["measured"] = {name: round(mean[name], 4) for name in kind.measured}
    size = None if arguments.size is None else (arguments.size[0], arguments.size[1])
    kind.write(network, facts, arguments.output, arguments.output.name, size)


if __name__ == "__main__":
    run_tool(main)
