"""Models that are installed on the running board: one that stays, one that gives nothing and goes back by itself."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from pathlib import Path

import yaml
from board import PROGRAM, UNIT, Measured, clean_up, configure, health, journal, say, sh, start, wait_for

from roma_device.app.installed.trial import read_trial
from roma_device.app.model_store import BUNDLED

TERMS = "--engine opencv --good-frames 3 --min-valid 0.02"
MODELS = Path("/var/lib/roma-device/models")
PATIENCE_S = 300  # for what passes: one emulated processor


def make_bundle(name: str, **card: object) -> Path:
    """The first stage of the bundled model, as a bundle that is verified on a small image."""
    source, folder = BUNDLED / "stereo", Path("/tmp") / name
    folder.mkdir(exist_ok=True)
    values = yaml.safe_load((source / "card.yaml").read_text())
    first = values.pop("stages")[0]
    data = (source / first["files"]["onnx"]["file"]).read_bytes()
    (folder / "model.onnx").write_bytes(data)
    files = {"onnx": {"file": "model.onnx", "sha256": hashlib.sha256(data).hexdigest()}}
    values |= {"name": name, "default_size": [64, 32], "files": files}
    values |= {"inputs": first["inputs"], "outputs": first["outputs"], **card}
    (folder / "card.yaml").write_text(yaml.safe_dump(values))
    return folder


def serves(version: int) -> bool:
    """Whether frames come, by the model of that version and no longer on trial."""
    status = health() or {}
    model = status.get("installed", {}).get("model", {})
    return bool(status.get("healthy")) and model.get("version") == version and not model["on_trial"]


def model_goes_back() -> Measured:
    """The real unit, user and rights; root installs, the service goes back without a hand."""
    with clean_up(lambda: sh(f"{PROGRAM} model rollback", check=False), configure, start):
        configure(model="installed")
        start()
        sh(f"{PROGRAM} model install {make_bundle('good')} {TERMS} --limit-s {PATIENCE_S}")
        wait_for("the good model", lambda: serves(1))
        begun = time.monotonic()
        trial_s, back_s, said = _install_blind()
        assert "went back to version 1" in said, said
        text, (row,) = journal(begun), [row for row in _rows() if row["version"] == 2]
        assert "model version 2 goes back to version 1" in text and "Traceback" not in text, text
        assert row["state"] == "went back" and "0.0 % known" in row["why"], row
        owner = sh(f"stat -c %U {MODELS} {MODELS}/history")
        assert owner.split() == ["roma-device"] * 2, owner
        restarts = sh(f"systemctl show {UNIT} --property=NRestarts --value")
    return {
        "detected_s": trial_s,
        "recovered_s": back_s,
        "note": f"from its first start: 20 s of trial, then the old one's start; {restarts} restart",
    }


def _install_blind() -> tuple[float, float, str]:
    """Seconds of its trial and until the old model serves again, since the blind one is in use; what is said."""
    command = [PROGRAM, "model", "install", make_bundle("blind", min_confidence=1.0), *TERMS.split(), "--limit-s", "20"]
    install = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for("the trial", lambda: _outcome() == "" or install.poll() is not None)
    begun = time.monotonic()
    wait_for("its end", _outcome)
    trial_s = time.monotonic() - begun
    wait_for("the old model", lambda: serves(1))
    back_s = time.monotonic() - begun
    said = install.communicate()[0]
    say(f"trial {trial_s:.1f} s, the old one serves after {back_s:.1f} s", said)
    assert install.returncode == 1, said
    return trial_s, back_s, said


def _outcome() -> str | None:
    """What came of the blind one's trial, "" while it lasts, None before it; read by no second program."""
    trial = read_trial(MODELS)
    return trial.outcome if trial is not None and trial.number == 2 else None


def _rows() -> list[dict[str, str]]:
    rows = json.loads(sh(f"{PROGRAM} model list --json"))
    assert isinstance(rows, list)
    return rows
