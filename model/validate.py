"""Scores of the averaged weights on real pairs while a training goes on: for looking, not for choosing per pair."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from roma_device.runtime.card import ModelError

from .export import write_bundle
from .network import RowStereo

KEPT = ("bad1", "bad2", "bad3", "epe", "bad2_80")


def validate(network: RowStereo, index: Path) -> dict[str, Any]:
    """Means over the pairs of ``index`` and bad2 of each, by ``roma-device evaluate stereo`` on an exported bundle.

    Leaves ``network`` as it was. Raises ModelError with the command's message.
    """
    was_training = network.training
    with tempfile.TemporaryDirectory() as folder:
        write_bundle(network.eval(), {}, Path(folder) / "bundle", "bundle")
        network.train(was_training)
        words = ["evaluate", "stereo", str(index), "--model", f"{folder}/bundle", "--threads", "1", "--json"]
        command = [sys.executable, "-m", "roma_device.app.cli", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(f"{index}: validation failed: {done.stderr.strip()}", exit_code=done.returncode)
    report = json.loads(done.stdout)
    means = {name: round(report["mean"][name], 4) for name in KEPT}
    return means | {"pairs": {pair["id"]: round(pair["bad2"], 4) for pair in report["pairs"]}}
