"""Scores of the averaged weights on real pairs while a training goes on: for looking, not for choosing per pair."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from roma_device.runtime.card import ModelError

from .cascade import bundle as cascade
from .cascade.network import Cascade
from .stereo.bundle import write_bundle
from .stereo.network import RowStereo

KEPT = ("bad1", "bad2", "bad3", "epe", "bad2_80")


def validate(network: RowStereo, index: Path) -> dict[str, Any]:
    """Means over the pairs of ``index`` and bad2 of each, by ``roma-device evaluate stereo`` on an exported bundle.

    Leaves ``network`` as it was. Raises ModelError with the command's message.
    """
    was_training = network.training
    with tempfile.TemporaryDirectory() as folder:
        write_bundle(network.eval(), {}, Path(folder) / "bundle", "bundle")
        network.train(was_training)
        report = _evaluated(index, "stereo", "--model", f"{folder}/bundle")
    means = {name: round(report["mean"][name], 4) for name in KEPT}
    return means | {"pairs": {pair["id"]: round(pair["bad2"], 4) for pair in report["pairs"]}}


def validate_pose(network: Cascade, index: Path) -> dict[str, Any]:
    """AUC@5/10/20 over the pairs of ``index`` and of each set, by ``roma-device evaluate pose`` on an exported bundle.

    Leaves ``network`` as it was. Raises ModelError with the command's message.
    """
    was_training = network.training
    with tempfile.TemporaryDirectory() as folder:
        cascade.write_bundle(network.eval(), {}, Path(folder) / "bundle", "bundle")
        network.train(was_training)
        report = _evaluated(index, "pose", "--matcher", f"{folder}/bundle", "--no-baseline")
    return {**report["mean"], "sets": report["sets"], "states": report["states"]}


def _evaluated(index: Path, what: str, *words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "roma_device.app.cli", "evaluate", what, str(index), *words]
    done = subprocess.run([*command, "--threads", "1", "--json"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(f"{index}: validation failed: {done.stderr.strip()}", exit_code=done.returncode)
    report: dict[str, Any] = json.loads(done.stdout)
    return report
