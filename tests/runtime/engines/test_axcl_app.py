"""The whole program on a card: commands, exit codes, and nothing left on the card."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from roma_device.app.cli import main
from roma_device.app.pfm import read_pfm
from roma_device.runtime.card import ModelCard
from tests.standin.control import HANG, NAN, Runner, Standin
from tests.standin.network import NetworkRunner, standin_bundle

from .conftest import SIZE

CAMERA = ("--camera", f"simulated:room?frames=3&size={SIZE[0]}x{SIZE[1]}")


@pytest.fixture(scope="module")
def bundle(stereo_card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(standin_bundle(stereo_card, SIZE, tmp_path_factory.mktemp("bundles") / "stereo"))


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``roma-device WORDS``."""
    monkeypatch.setattr(sys, "argv", ["roma-device", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def assert_clean(axcl: Standin) -> None:
    assert (axcl.violations, axcl.alive(), axcl.bytes_alive) == ([], 0, 0)


def test_run_gives_the_same_files_as_the_host_engine(
    axcl: Standin, bundle: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for engine in ("axcl", "opencv"):
        words = ("--model", bundle, "--engine", engine, "--output", str(tmp_path / engine), "--save", "disparity,depth")
        code, _, err = call(capsys, monkeypatch, "run", *CAMERA, *words)
        assert (code, err) == (0, "")
    files = sorted(path.name for path in (tmp_path / "axcl").iterdir())
    assert len(files) == 6
    for name in files:
        assert (tmp_path / "axcl" / name).read_bytes() == (tmp_path / "opencv" / name).read_bytes()
    assert_clean(axcl)


def test_verify_and_bench(
    axcl: Standin, bundle: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = call(capsys, monkeypatch, "verify", bundle, "--engine", "axcl", "--count", "2", "--json")
    report = json.loads(out)
    assert code == 0 and report["passed"] and report["outputs"]["disparity"]["max_abs"] == 0
    code, out, _ = call(capsys, monkeypatch, "bench", *CAMERA, "--model", bundle, "--engine", "axcl", "--repeat", "2")
    assert code == 0 and "       engine: axcl\n" in out and "   axclrt ver: 3.10.2\n" in out
    assert_clean(axcl)


def test_verify_finds_a_network_that_the_chip_broke(
    axcl: Standin, bundle: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    axcl.fault("axclrtEngineExecuteAsync", NAN)
    code, out, _ = call(capsys, monkeypatch, "verify", bundle, "--engine", "axcl", "--count", "2")
    assert code == 1 and "failed: cosine of disparity nan" in out
    assert_clean(axcl)


def test_numbers_that_are_none_become_unknown_pixels(
    axcl: Standin, bundle: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    axcl.fault("axclrtEngineExecuteAsync", NAN)
    words = ("--model", bundle, "--engine", "axcl", "--output", str(tmp_path / "out"), "--save", "disparity")
    code, _, _ = call(capsys, monkeypatch, "run", *CAMERA, *words)
    assert code == 0
    assert not np.isfinite(read_pfm(tmp_path / "out" / "000000_disparity.pfm")).any()
    assert np.isfinite(read_pfm(tmp_path / "out" / "000001_disparity.pfm")).any()
    assert_clean(axcl)


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        ("axclInit", 0x8030010B, "axclInit failed with 0x8030010B (device: cannot open the device"),
        ("axclrtMalloc", 0x80300509, "axclrtMalloc failed with 0x80300509"),
        ("axclrtEngineLoadFromFile", 0x8030070C, "axclrtEngineLoadFromFile failed with 0x8030070C"),
        ("axclrtEngineExecuteAsync", 0x8030070C, "axclrtEngineExecuteAsync failed with 0x8030070C"),
        ("axclrtEngineExecuteAsync", HANG, "0x80300305 (stream: timed out)"),
    ],
)
def test_faults_are_one_sentence(
    axcl: Standin,
    bundle: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    fault: str,
    status: int,
    message: str,
) -> None:
    (tmp_path / "quick.yaml").write_text("npu: {run_limit_s: 0.02}")
    axcl.fault(fault, status)
    words = ("--config", str(tmp_path / "quick.yaml"), "--model", bundle, "--engine", "axcl")
    code, out, err = call(capsys, monkeypatch, "run", *CAMERA, *words)
    assert (code, out) == (os.EX_UNAVAILABLE, "")
    assert message in err and err.count("\n") == 1 and "Traceback" not in err
    assert_clean(axcl)


def test_a_card_that_dies_is_one_sentence(
    axcl: Standin, bundle: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    axcl.fault("axclrtEngineExecuteAsync", 0x80300181, nth=2, sticky=True)
    axcl.fault("axclrtFree", 0x80300181, sticky=True)
    code, _, err = call(capsys, monkeypatch, "run", *CAMERA, "--model", bundle, "--engine", "axcl")
    assert code == os.EX_UNAVAILABLE and "no card connected" in err and err.count("\n") == 1


def test_sigterm_leaves_nothing(
    axcl: Standin,
    bundle: str,
    runner: NetworkRunner,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = 0

    def run_and_stop(*arguments: object) -> int:
        nonlocal runs
        runs += 1
        if runs == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return runner._run(*arguments)

    callback = Runner(run_and_stop)
    axcl.set_runner(callback)
    endless = ("--camera", f"simulated:room?size={SIZE[0]}x{SIZE[1]}")
    code, _, _ = call(capsys, monkeypatch, "run", *endless, "--model", bundle, "--engine", "axcl")
    assert code == 0 and 2 <= runs < 10
    assert_clean(axcl)


def test_no_library_says_what_to_install(bundle: str) -> None:
    """In a process of its own: what was loaded once, the loader finds again."""
    environment = {key: value for key, value in os.environ.items() if key != "ROMA_AX_LIB_DIR"}
    words = ["-m", "roma_device.app.cli", "run", *CAMERA, "--model", bundle, "--engine", "axcl"]
    ended = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (os.EX_UNAVAILABLE, "")
    assert "libaxcl_rt.so is not in the loader's path, /usr/lib/axcl: install the vendor's AXCL" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_another_axmodel_than_the_card_names(
    axcl: Standin, bundle: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fields = yaml.safe_load((Path(bundle) / "card.yaml").read_text())
    fields["files"]["axmodel"]["sha256"] = "0" * 64
    for name in ("stereo.onnx", "stereo.axmodel"):
        (tmp_path / name).symlink_to(Path(bundle) / name)
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(fields))
    code, _, err = call(capsys, monkeypatch, "run", *CAMERA, "--model", str(tmp_path), "--engine", "axcl")
    assert code == os.EX_DATAERR and "sha256" in err and err.count("\n") == 1
    assert axcl.calls == []
