"""What a worker computes with: results of two versions do not belong together."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import numpy as np

import roma_device.app
import roma_device.calibration
import roma_device.runtime
from roma_device.app.model_store import find_model, model_facts

ENGINES = ("onnxruntime", "openvino")


@cache
def software() -> dict[str, str]:
    """Names and versions of all that has a hand in a result, this program's sources among them."""
    engines = {name: found for name in ENGINES if (found := _version(name)) is not None}
    return {
        "roma-device": version("roma-device"),
        "source": _source_digest(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        **engines,
    }


def fingerprint(model: str | None) -> str:
    """One word for the software and the files of the bundle ``model``; raises ModelError."""
    facts = [software(), None if model is None else model_facts(find_model(model))]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _source_digest() -> str:
    """Of every module of the package, by name and content."""
    digest = hashlib.sha256()
    for package in (roma_device.app, roma_device.calibration, roma_device.runtime):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{package.__name__}/{path.relative_to(root)}".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
