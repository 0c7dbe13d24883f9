"""The tests of model/ need torch, which the device never has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Small tensors are faster without threads."""
    torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
    torch.set_num_threads(1)
