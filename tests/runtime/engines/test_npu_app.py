"""The whole program on either kind of NPU: commands, exit codes, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from roma_device.app.sinks.pfm import read_pfm
from roma_device.runtime.card import ModelCard
from tests.standin.control import HANG, NAN
from tests.standin.network import NetworkRunner, standin_bundle

from .conftest import SIZE, Command, Npu

CAMERA = ("--camera", f"simulated:room?frames=3&size={SIZE[0]}x{SIZE[1]}")
REAL_PAIRS = (
    ("stereo/middlebury_2001_2003/barn2/im2.png", "stereo/middlebury_2001_2003/barn2/im6.png"),
    ("stereo/middlebury_2001_2003/teddy/im2.png", "stereo/middlebury_2001_2003/teddy/im6.png"),
    ("stereo/middlebury_2001_2003/cones/im2.png", "stereo/middlebury_2001_2003/cones/im6.png"),
)


def files_of(folder: Path) -> dict[str, bytes]:
    """What was saved; run.json holds times and the engine's name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}


def test_run_gives_the_same_files_as_the_host_engine(npu: Npu, bundle: str, command: Command, tmp_path: Path) -> None:
    for engine in (npu.engine, "opencv"):
        words = ("--model", bundle, "--engine", engine, "--output", str(tmp_path / engine), "--save", "disparity,depth")
        code, _, err = command("run", *CAMERA, *words)
        assert (code, err) == (0, "")
    assert len(files_of(tmp_path / npu.engine)) == 6
    assert files_of(tmp_path / npu.engine) == files_of(tmp_path / "opencv")
    npu.standin.assert_clean()


@pytest.mark.slow
def test_real_pairs_give_the_same_files_as_the_host_engine(
    npu: Npu, stereo_card: ModelCard, shared_data: Path, command: Command, tmp_path: Path
) -> None:
    """At the size that users compile: 640x320."""
    size = stereo_card.default_size
    large = str(standin_bundle(stereo_card, size, tmp_path / "bundle"))
    runner = NetworkRunner(stereo_card, size)
    npu.standin.set_runner(runner.callback)
    for index, pair in enumerate(REAL_PAIRS):
        if not (shared_data / pair[0]).exists():
            pytest.skip(f"{pair[0]} is not among the data")
        for engine in (npu.engine, "opencv"):
            target = tmp_path / f"{engine}{index}"
            words = ("--camera", f"images:{shared_data / pair[0]},{shared_data / pair[1]}", "--rectified")
            more = (
                "--engine",
                engine,
                *(("--threads", "1") if engine == "opencv" else ()),
                "--output",
                str(target),
                "--save",
                "disparity,confidence",
            )
            assert command("run", *words, "--model", large, *more)[0] == 0
        assert len(files_of(tmp_path / f"opencv{index}")) == 2
        assert files_of(tmp_path / f"{npu.engine}{index}") == files_of(tmp_path / f"opencv{index}")
    npu.standin.assert_clean()


def test_verify_and_bench(npu: Npu, bundle: str, command: Command) -> None:
    code, out, _ = command("verify", bundle, "--engine", npu.engine, "--count", "2", "--json")
    report = json.loads(out)
    assert code == 0 and report["passed"] and report["outputs"]["disparity"]["max_abs"] == 0
    code, out, _ = command("bench", *CAMERA, "--model", bundle, "--engine", npu.engine, "--repeat", "2")
    version = "   axclrt ver: 3.10.2\n" if npu.engine == "axcl" else "   engine ver: 2.7.2a-standin\n"
    assert code == 0 and f"       engine: {npu.engine}\n" in out and version in out
    header = [line.split(":")[0].strip() for line in out.splitlines() if ": " in line][:20]
    wanted = ["model", "type", "vnpu", "warmup", "repeat", "batch", "pulsar2 ver"]
    assert [key for key in header if key in wanted] == wanted, "the order of the vendor's tools"
    assert ("overlapped: " in out) == (npu.engine == "ax")
    npu.standin.assert_clean()


def test_verify_finds_a_network_that_the_chip_broke(npu: Npu, bundle: str, command: Command) -> None:
    npu.fault_run(NAN)
    code, out, _ = command("verify", bundle, "--engine", npu.engine, "--count", "2")
    assert code == 1 and "failed: cosine of disparity nan" in out
    npu.standin.assert_clean()


def test_numbers_that_are_none_become_unknown_pixels(npu: Npu, bundle: str, command: Command, tmp_path: Path) -> None:
    npu.fault_run(NAN)
    words = ("--model", bundle, "--engine", npu.engine, "--output", str(tmp_path / "out"), "--save", "disparity")
    code, _, _ = command("run", *CAMERA, *words)
    assert code == 0
    assert not np.isfinite(read_pfm(tmp_path / "out" / "000000_disparity.pfm")).any()
    assert np.isfinite(read_pfm(tmp_path / "out" / "000001_disparity.pfm")).any()
    npu.standin.assert_clean()


FAULTS = [
    ("axcl", "axclInit", 0x8030010B, "axclInit failed with 0x8030010B (device: cannot open the device"),
    ("axcl", "axclrtMalloc", 0x80300509, "axclrtMalloc failed with 0x80300509"),
    ("axcl", "axclrtEngineLoadFromFile", 0x8030070C, "axclrtEngineLoadFromFile failed with 0x8030070C"),
    ("axcl", "axclrtEngineExecuteAsync", 0x8030070C, "axclrtEngineExecuteAsync failed with 0x8030070C"),
    ("axcl", "axclrtEngineExecuteAsync", HANG, "0x80300305 (stream: timed out)"),
    ("ax", "AX_SYS_Init", 0x800B0010, "AX_SYS_Init failed with 0x800B0010 (system: the driver is not ready"),
    ("ax", "AX_ENGINE_Init", 0x80060011, "AX_ENGINE_Init failed with 0x80060011 (NPU: busy, probably in use"),
    ("ax", "AX_SYS_MemAllocCached", 0x800B0018, "failed with 0x800B0018 (system: out of memory (CMM))"),
    ("ax", "AX_ENGINE_CreateHandleV2", 0x8006000A, "AX_ENGINE_CreateHandleV2 failed with 0x8006000A (NPU: illegal"),
    ("ax", "AX_ENGINE_RunSyncV2", 0x80060027, "AX_ENGINE_RunSyncV2 failed with 0x80060027 (NPU: timed out)"),
]


@pytest.mark.parametrize(("engine", "call", "status", "message"), FAULTS)
def test_faults_are_one_sentence(
    request: pytest.FixtureRequest,
    bundle: str,
    command: Command,
    tmp_path: Path,
    engine: str,
    call: str,
    status: int,
    message: str,
) -> None:
    standin = request.getfixturevalue(engine)
    (tmp_path / "quick.yaml").write_text("npu: {run_limit_s: 0.05}")
    standin.fault(call, status)
    words = ("--config", str(tmp_path / "quick.yaml"), "--model", bundle, "--engine", engine)
    code, out, err = command("run", *CAMERA, *words)
    assert (code, out) == (os.EX_UNAVAILABLE, "")
    assert message in err and err.count("\n") == 1 and "Traceback" not in err
    standin.assert_clean()


def test_a_device_that_dies_is_one_sentence(npu: Npu, bundle: str, command: Command) -> None:
    npu.fault_run(0x80300181 if npu.engine == "axcl" else 0x800B0010, nth=2, sticky=True)
    code, _, err = command("run", *CAMERA, "--model", bundle, "--engine", npu.engine)
    words = "no card connected" if npu.engine == "axcl" else "the driver is not ready"
    assert code == os.EX_UNAVAILABLE and words in err and err.count("\n") == 1
    npu.standin.assert_clean()


@pytest.mark.parametrize(("command_name", "ends_with"), [("run", 0), ("bench", 143), ("verify", 143)])
def test_sigterm_leaves_nothing(
    npu: Npu, empty_bundle: str, command: Command, tmp_path: Path, command_name: str, ends_with: int
) -> None:
    """``run`` finishes the frame at hand and says what it did; the others end at once, but tidily."""
    npu.standin.slow(50)
    endless = ("--camera", f"simulated:room?size={SIZE[0]}x{SIZE[1]}")
    vectors = ("--vectors", str(tmp_path / "vectors"))
    if command_name == "verify":
        assert command("verify", empty_bundle, "--make-vectors", vectors[1], "--count", "1")[0] == 0
        (tmp_path / "vectors" / "list.txt").write_text("000000\n" * 20)
    words = vectors if command_name == "verify" else (*endless, "--model")
    stopper = threading.Thread(target=stop_after, args=(npu, npu.warm_up_runs + 2))
    stopper.start()
    code, _, err = command(command_name, *words, empty_bundle, "--engine", npu.engine)
    stopper.join()
    assert code == ends_with and "Traceback" not in err
    assert npu.standin.calls.count(npu.run_call) < npu.warm_up_runs + 8
    npu.standin.assert_clean()


def stop_after(npu: Npu, runs: int) -> None:
    while npu.standin.calls.count(npu.run_call) < runs:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)


HANGING = """
import sys
from pathlib import Path
from roma_device.app.cli import main
from tests.standin.control import HANG, AxStandin
AxStandin(Path(sys.argv.pop(1))).fault("AX_ENGINE_RunSyncV2", HANG, 4)
main()
"""


def test_a_hang_ends_the_program(standin_folder: Path, empty_bundle: str, tmp_path: Path) -> None:
    """In a process of its own: it ends though a thread of it never comes back from the vendor's library."""
    (tmp_path / "quick.yaml").write_text(f"npu: {{run_limit_s: 0.5, library_dir: {standin_folder}}}")
    words = ["-q", "run", *CAMERA, "--config", str(tmp_path / "quick.yaml"), "--model", empty_bundle, "--engine", "ax"]
    program = [sys.executable, "-c", HANGING, str(standin_folder), *words]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, timeout=120)
    assert (ended.returncode, ended.stdout) == (os.EX_UNAVAILABLE, "")
    lines = ended.stderr.splitlines()
    assert lines[-1] == "roma-device: the NPU did not answer within 0.5 s (npu.run_limit_s)"
    assert len(lines) == 2 and "its CMM stays taken" in lines[0]


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("axcl", "libaxcl_rt.so is not in the loader's path, /usr/lib/axcl: install the vendor's AXCL"),
        ("ax", "libax_sys.so is not in the loader's path, /soc/lib, /opt/lib"),
    ],
)
def test_no_library_says_what_to_install(bundle: str, engine: str, message: str) -> None:
    """In a process of its own: what was loaded once, the loader finds again."""
    environment = {key: value for key, value in os.environ.items() if key != "ROMA_AX_LIB_DIR"}
    words = ["-m", "roma_device.app.cli", "run", *CAMERA, "--model", bundle, "--engine", engine]
    ended = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (os.EX_UNAVAILABLE, "")
    assert message in ended.stderr and "install the" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_another_axmodel_than_the_card_names(npu: Npu, bundle: str, command: Command, tmp_path: Path) -> None:
    fields = yaml.safe_load((Path(bundle) / "card.yaml").read_text())
    fields["files"]["axmodel"]["sha256"] = "0" * 64
    for name in ("stereo.onnx", "stereo.axmodel"):
        (tmp_path / name).symlink_to(Path(bundle) / name)
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(fields))
    code, _, err = command("run", *CAMERA, "--model", str(tmp_path), "--engine", npu.engine)
    assert code == os.EX_DATAERR and "sha256" in err and err.count("\n") == 1
    npu.standin.assert_clean()


@pytest.mark.parametrize("module", ["ax", "axcl"])
def test_importing_touches_nothing(module: str) -> None:
    """In a process of its own: no vendor library is mapped, no device is open, nothing is printed."""
    program = (
        f"import roma_device.runtime.engines.{module}, os, pathlib;"
        "assert 'libax' not in pathlib.Path('/proc/self/maps').read_text();"
        "assert not [fd for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}') "
        "and '/dev/ax' in os.readlink(f'/proc/self/fd/{fd}')]"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert ended.stdout == ended.stderr == b""
