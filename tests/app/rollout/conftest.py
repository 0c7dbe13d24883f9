"""Bundles to install: a small one that works, and what may be wrong with one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Bundle = Callable[..., Path]

NOT_RUN = bytes(range(256)) * 300
"""Stands for a network where none is run."""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of a service."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def bundle(stereo_bundle: Path, tmp_path: Path) -> Bundle:
    """Makes a bundle of one graph, verified on 128x64 px: the bundled one's, or what ``network`` holds."""

    def make(
        name: str = "small", network: bytes | None = None, kinds: tuple[str, ...] = ("onnx",), **card: Any
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        data = (stereo_bundle / "matching.onnx").read_bytes() if network is None else network
        names = {kind: f"matching.{kind}" for kind in kinds}
        for file in names.values():
            (folder / file).write_bytes(data)
        values = yaml.safe_load((stereo_bundle / "card.yaml").read_text())
        digest = hashlib.sha256(data).hexdigest()
        values["files"] = {kind: {"file": file, "sha256": digest} for kind, file in names.items()}
        values |= {"name": name, "default_size": [128, 64], **card}
        (folder / "card.yaml").write_text(yaml.safe_dump(values))
        return folder

    return make


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill leaves does not depend on it, what a power cut leaves is not tested here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
