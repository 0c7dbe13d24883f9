"""``doctor`` on machines with an NPU: it opens it in a process of its own and says what ``run`` would say."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from roma_device.app.doctor import CheckResult, Machine, npu, programs
from roma_device.app.service.install import DROP_IN, UNIT, install
from roma_device.app.settings.settings import Settings

Examined = Callable[..., list[CheckResult]]

FAULTY = """
import sys
from pathlib import Path
from roma_device.app.doctor.npu_probe import main
from tests.standin.control import AxStandin, Standin
ax, axcl = AxStandin(Path({folder!r})), Standin(Path({folder!r}) / "libaxcl_rt.so")
{fault}
main()
"""


@pytest.fixture
def examined(standin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examined:
    """Findings on a machine with the nodes of an NPU, whose library has a fault."""
    monkeypatch.setenv("ROMA_AX_LIB_DIR", str(standin_folder))

    def examine(*nodes: str, fault: str = "", **settings: object) -> list[CheckResult]:
        for node in nodes:
            (tmp_path / "dev").mkdir(exist_ok=True)
            (tmp_path / "dev" / node).touch()
        if fault:
            program = FAULTY.format(folder=str(standin_folder), fault=fault)
            monkeypatch.setattr(npu, "PROBE", (sys.executable, "-c", program))
        machine = Machine(tmp_path, Settings().overridden(**settings))
        return [*npu.check_npu(machine), *programs.check_engines(machine)]

    return examine


def test_a_board_that_is_well(examined: Examined, empty_bundle: str) -> None:
    opened, engine = examined("ax_sys", "mem", model=empty_bundle)
    assert opened.level == engine.level == "ok"
    assert "chip AX650" in opened.text and "cmm" in opened.text and engine.text.startswith("ax (usable: ax,")


def test_a_card_that_is_well_and_a_model_that_was_not_compiled(examined: Examined) -> None:
    opened, engine = examined("axcl_host")
    assert opened.text.startswith("axcl: card 4, software V3.10.2, temperature 47 C, cmm 6144 of 7168 MiB free")
    assert opened.text.endswith("model stereo has no axmodel file, so the NPU is not used")
    assert opened.level == "warn" and "compile the model" in opened.fix and not engine.text.startswith("axcl")


@pytest.mark.parametrize(
    ("node", "fault", "text", "fix"),
    [
        (
            "axcl_host",
            'axcl.fault("axclrtGetDeviceList", 0x80300180)',
            "axcl: axclrtGetDeviceList failed with 0x80300180 (device: cannot ask for the cards)",
            "axcl-smi log -t 0x10",
        ),
        ("ax_sys", 'ax.fault("AX_SYS_Init", 0x800B0210)', "opens /dev/mem for writing", "service install --engine ax"),
        ("ax_sys", "ax.set_cmm(64 << 10)", "CMM short", "end other programs that use the NPU"),
    ],
    ids=["dead card", "no rights", "CMM short"],
)
def test_what_keeps_an_npu_from_opening(
    examined: Examined, empty_bundle: str, node: str, fault: str, text: str, fix: str
) -> None:
    found = [one for one in examined(node, fault=fault, model=empty_bundle) if one.level == "fail"]
    assert len(found) == 1 and found[0].name == "npu"
    assert text in found[0].text and fix in found[0].fix and json.dumps(found[0].as_json())


def test_an_engine_that_the_settings_name_fails_with_the_same_sentence(examined: Examined, empty_bundle: str) -> None:
    fault = 'ax.fault("AX_SYS_Init", 0x800B0010)'
    opened, engine = examined("ax_sys", fault=fault, model=empty_bundle, engine="ax")
    assert opened.level == engine.level == "fail" and opened.text == engine.text


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("import time; time.sleep(60)", "axcl: it did not answer within 0.3 s"),
        ("import os; print('noise', flush=True); os.abort()", "ended the process (signal 6): is it of another release"),
    ],
)
def test_whatever_hangs_or_crashes_is_told(
    examined: Examined, monkeypatch: pytest.MonkeyPatch, program: str, text: str
) -> None:
    monkeypatch.setattr(npu, "PROBE", (sys.executable, "-c", program))
    monkeypatch.setattr(npu, "LIMIT_S", 0.3 if "sleep" in program else 60)
    assert text in examined("axcl_host")[0].text


def test_nodes_are_opened_as_the_library_does(examined: Examined, tmp_path: Path, empty_bundle: str) -> None:
    """A folder cannot be opened for writing, not even by root."""
    (tmp_path / "dev/mem").mkdir(parents=True)
    refused, _opened = (one for one in examined("ax_sys", model=empty_bundle) if one.name == "npu" or one.level == "ok")
    assert refused.level == "fail" and f"{tmp_path}/dev/mem (Is a directory)" in refused.text
    assert "--engine ax" in refused.fix


def test_memory_of_the_board(examined: Examined, tmp_path: Path) -> None:
    place = tmp_path / "proc/ax_proc/mem_cmm_info"
    place.parent.mkdir(parents=True)
    place.write_text("total size=2097152KB(2048MB),used=0KB,remain=40960KB(40MB),x\n")
    cmm = examined()[1]
    assert (cmm.level, cmm.name) == ("warn", "cmm") and "40 of 2048 MiB free" in cmm.text


def test_a_service_without_rights(examined: Examined, tmp_path: Path, empty_bundle: str) -> None:
    list(install(Path(sys.executable), tmp_path, False, "axcl"))
    assert (tmp_path / "etc/systemd/system" / UNIT).exists() and (tmp_path / DROP_IN.relative_to("/")).exists()
    rights = examined("ax_sys", model=empty_bundle)[1]
    assert (rights.level, rights.text) == ("warn", "the service has no rights for the engine ax")
    assert rights.fix == "roma-device service install --engine ax"
    list(install(Path(sys.executable), tmp_path, False, "ax"))
    assert "rights" not in {one.name for one in examined(model=empty_bundle)}
