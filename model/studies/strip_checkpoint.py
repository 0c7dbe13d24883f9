"""Strip a checkpoint to what training needs to go on, a few MB.

``python -m model.studies.strip_checkpoint runs/stereo/checkpoint.pt KEPT.pt``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from model.base.checkpoint import read_checkpoint
from model.base.cli import run_tool


def slim(source: Path, target: Path) -> None:
    """The weights alone: average and optimizer state recover within some hundred steps."""
    state = read_checkpoint(source)
    kept = {name: state[name] for name in ("step", "variant", "network")}
    temporary = target.with_suffix(".tmp")
    torch.save(kept, temporary)
    temporary.replace(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    slim(arguments.source, arguments.target)


if __name__ == "__main__":
    run_tool(main)
