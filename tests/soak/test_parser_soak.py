"""Spoiled files into every reader, as a program of its own: its memory is limited."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "inputs", [pytest.param(300, marks=pytest.mark.slow), pytest.param(20_000, marks=pytest.mark.thorough)]
)
def test_every_reader_answers_in_time_by_a_value_or_a_sentence(inputs: int) -> None:
    words = [sys.executable, "-m", "tests.soak.parser_soak", "--inputs", str(inputs), "--seed", str(inputs)]
    done = subprocess.run(words, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("broken 0") > 10
