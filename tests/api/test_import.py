"""What an import costs and says: nothing before it is used, and nothing on stdout or stderr."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import roma_device
from tests.api.conftest import SMALL

HEAVY = ("numpy", "cv2", "loguru", "pydantic", "click", "yaml")


def output_of(code: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


def test_the_import_loads_nothing_heavy() -> None:
    code = f"import sys, roma_device; dir(roma_device); print([m for m in {HEAVY} if m in sys.modules])"
    assert output_of(code) == ("[]\n", "")


def test_an_error_and_a_calibration_need_no_network() -> None:
    code = "import sys; from roma_device import RomaError, Pose; print('roma_device.app.run.loop' in sys.modules)"
    assert output_of(code) == ("False\n", "")


PROGRAM = f"""
from roma_device import StereoDepth, RomaError
with StereoDepth("simulated:{SMALL}", engine="auto", input_width=160, frames=2) as stereo:
    for frame in stereo:
        frame.depth_m, frame.points(4)
try:
    StereoDepth(model="nope")
except RomaError:
    pass
"""


def test_nothing_is_printed_or_logged() -> None:
    assert output_of(PROGRAM) == ("", "")


def test_messages_are_there_for_those_who_ask() -> None:
    said = output_of("from roma_device import enable_logging; enable_logging('INFO')\n" + PROGRAM)[1]
    assert said.count("passed over") == len({*said.splitlines()}) > 0


def test_the_programs_own_messages_go_on() -> None:
    code = (
        "from loguru import logger; from roma_device import enable_logging; logger.warning('before')\n"
        "enable_logging(); enable_logging(); logger.warning('after')"
    )
    lines = output_of(code)[1].splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["before", "after"]


@pytest.mark.parametrize("name", [name for name in roma_device.__all__ if name != "__version__"])
def test_every_name_is_there_and_explained(name: str) -> None:
    value = getattr(roma_device, name)
    assert name in dir(roma_device) and value.__doc__ and len(value.__doc__) > 10
    assert value.__doc__.strip().splitlines()[0].endswith((".", ":"))


def test_no_name_is_that_of_a_module() -> None:
    """The import of the module would take the place of what the name stands for."""
    assert [name for name in roma_device.__all__ if find_spec(f"roma_device.{name}") is not None] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'StereoDeth'"):
        _ = roma_device.StereoDeth  # type: ignore[attr-defined]


def test_the_documentation_names_every_name() -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "python.md").read_text(encoding="utf-8")
    assert [name for name in roma_device.__all__ if name not in text] == []
