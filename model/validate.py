"""Scores of the averaged weights on real pairs while a training goes on: for looking, not for choosing per pair."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roma_device.runtime.card import ModelError

from .cascade import bundle as cascade
from .cascade.network import Cascade
from .stereo import bundle as stereo
from .stereo.network import RowStereo

KEPT = ("bad1", "bad2", "bad3", "epe", "bad2_80")


def validate(network: RowStereo, index: Path) -> dict[str, Any]:
    """Means over the pairs of ``index`` and bad2 of each, by ``roma-device evaluate stereo`` on an exported bundle.

    Leaves ``network`` as it was. Raises ModelError with the command's message.
    """
    report = _evaluated(network, stereo.write_bundle, index, "stereo", "--model")
    means = {name: round(report["mean"][name], 4) for name in KEPT}
    return means | {"pairs": {pair["id"]: round(pair["bad2"], 4) for pair in report["pairs"]}}


def validate_pose(network: Cascade, index: Path) -> dict[str, Any]:
    """AUC@5/10/20 over the pairs of ``index`` and of each set, by ``roma-device evaluate pose`` on an exported bundle.

    Leaves ``network`` as it was. Raises ModelError with the command's message.
    """
    report = _evaluated(network, cascade.write_bundle, index, "pose", "--no-baseline", "--matcher")
    return {**report["mean"], "sets": report["sets"], "states": report["states"]}


def _evaluated(network: Any, write: Callable[..., None], index: Path, what: str, *words: str) -> dict[str, Any]:
    """The report; the last of ``words`` is the option that takes the bundle."""
    was_training = network.training
    with tempfile.TemporaryDirectory() as folder:
        write(network.eval(), {}, Path(folder) / "bundle", "bundle")
        network.train(was_training)
        words = (*words, f"{folder}/bundle", "--threads", "1", "--json")
        command = [sys.executable, "-m", "roma_device.app.cli", "evaluate", what, str(index), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(f"{index}: validation failed: {done.stderr.strip()}", exit_code=done.returncode)
    report: dict[str, Any] = json.loads(done.stdout)
    return report
