"""Where model bundles are found: by folder, by name among those that come with the package, installed, or chosen."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Any

from roma_device.runtime.card import CARD_NAME, ModelCard, ModelError, load_card
from roma_device.runtime.engine import AUTO_NODES

from .installed import is_installed, version_number
from .installed.models import InstalledModels

BUNDLED = Path(str(files("roma_device.configs"))) / "models"
DEFAULT_BUNDLE, LARGE_BUNDLE = "stereo", "stereo-large"
AUTO = "auto"


def bundled_models() -> list[str]:
    """Names of the bundles that come with the package."""
    return sorted(card.parent.name for card in BUNDLED.glob(f"*/{CARD_NAME}"))


def model_facts(card: ModelCard) -> dict[str, Any]:
    """What a record keeps of a bundle: its name, and the sha256 of each file by engine."""
    return {"name": card.name, "sha256": {engine: file.sha256 for engine, file in card.every_file.items()}}


def model_name(setting: str) -> str:
    """What the setting ``model`` means here: of "auto" the bundle that is chosen, else itself."""
    return _chosen() if setting == AUTO else setting


def _chosen() -> str:
    """The large bundle where this machine has an NPU and every graph of it a compiled file, else the default."""
    if any(Path(node).exists() for node in AUTO_NODES.values()) and (BUNDLED / LARGE_BUNDLE / CARD_NAME).is_file():
        graphs = load_card(BUNDLED / LARGE_BUNDLE).graphs
        if all("axmodel" in graph.files for graph in graphs):
            return LARGE_BUNDLE
    return DEFAULT_BUNDLE


def find_model(name: str) -> ModelCard:
    """The card of the bundle ``name``: a folder with a card, a bundled name, ``installed[:NUMBER]``, or "auto".

    ``installed`` without a version in use is the bundled default. Raises ModelError and InstallError.
    """
    if is_installed(name):
        return load_card(InstalledModels().bundle(version_number(name)) or BUNDLED / DEFAULT_BUNDLE)
    name = model_name(name)
    for folder in (Path(name), BUNDLED / name):
        if (folder / CARD_NAME).is_file():
            return load_card(folder)
    if Path(name).is_dir():
        raise ModelError(f"{name}: the folder has no {CARD_NAME}", exit_code=os.EX_NOINPUT)
    known = ", ".join([AUTO, *bundled_models()])
    raise ModelError(f"no model {name!r}: give a bundle folder or one of {known}", exit_code=os.EX_NOINPUT)
