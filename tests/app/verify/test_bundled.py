"""What is shipped passes ``verify`` as it stands: 8-bit files of every bundle against their limits."""

from __future__ import annotations

import json

import pytest

from tests.app.command_line import call


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["stereo", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("stereo-large", "two-view"))]
)
def test_eight_bits_pass_out_of_the_box(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, _ = call(capsys, "verify", name, "--engine", "onnx", "--precision", "int8", "--json")
    assert code == 0 and json.loads(out)["passed"]
