"""Every script of bench/ can be started: what it imports is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(f"bench.{name}")
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] not in {"torch", "onnx", "matplotlib", "onnxruntime", "openvino"}:
            raise
"""


def test_every_script_finds_what_it_imports() -> None:
    names = sorted(path.stem for path in (ROOT / "bench").glob("*.py") if path.stem != "__init__")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert len(names) > 10 and done.returncode == 0, done.stderr + os.linesep
