"""Many kills, without waiting for the disk after each."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill leaves does not depend on it, what a power cut leaves is not tested here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
