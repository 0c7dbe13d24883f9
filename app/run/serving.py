"""What a run serves with: program, model, calibration, for whoever looks after many machines."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from roma_device.app.settings.settings import Settings
from roma_device.runtime.card import ModelCard

from .geometry import Geometry
from .trial_guard import TrialGuard


def serving_facts(settings: Settings, card: ModelCard, geometry: Geometry) -> dict[str, Any]:
    """For JSON."""
    return {
        "program": version("roma-device"),
        "model": {"name": card.name, "setting": settings.model, "fingerprint": _fingerprint(card)},
        "engine": settings.engine,
        "task": list(settings.task),
        "calibration": _calibration_facts(geometry),
    }


def served(facts: Mapping[str, Any], guard: TrialGuard | None) -> dict[str, Any]:
    """The facts, and which installed versions they come from where those are what is served."""
    return {"serving": facts, **({} if guard is None else {"installed": guard.as_json()})}


def _fingerprint(card: ModelCard) -> str:
    """The same for the same files, whatever the bundle is called; twelve digits are enough to tell models apart."""
    digests = sorted(file.sha256 for file in card.every_file.values())
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]


def _calibration_facts(geometry: Geometry) -> dict[str, Any]:
    rig = geometry.calibration
    if rig is None:
        return {"source": geometry.source, "made_at": "", "verdict": "", "epipolar_px": None, "serial": ""}
    return {
        "source": geometry.source,
        "made_at": rig.made_at,
        "verdict": str(rig.origin.get("verdict", "")),
        "epipolar_px": rig.quality.get("epipolar_px"),
        "serial": rig.serial,
    }
