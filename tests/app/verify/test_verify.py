"""``roma-device verify`` on vectors of the bundled model."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.cli import main
from roma_device.app.verify.compare import DisparityEffect, TensorError, VerifyReport, verify
from roma_device.app.verify.limits import INT8_LIMITS, LimitChoice, VerifyLimits
from roma_device.app.verify.test_vectors import VectorFolder, make_test_vectors
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import EngineOptions

SIZE = (96, 64)
OPTIONS = EngineOptions(SIZE, threads=1)
SMALL = ["--size", "96x64", "--threads", "1"]


@pytest.fixture
def folder(stereo_card: ModelCard, tmp_path: Path) -> VectorFolder:
    return make_test_vectors(stereo_card, tmp_path / "vectors", OPTIONS, count=2)


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``roma-device verify WORDS``."""
    monkeypatch.setattr(sys, "argv", ["roma-device", "verify", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def change(folder: VectorFolder, output: str, by: Callable[[np.ndarray], np.ndarray]) -> None:
    for name in folder.names:
        path = folder.root / "output" / name / f"{output}.bin"
        path.write_bytes(by(np.frombuffer(path.read_bytes(), np.float32)).astype(np.float32).tobytes())


def test_an_engine_reproduces_its_own_vectors(stereo_card: ModelCard, folder: VectorFolder) -> None:
    report = verify(stereo_card, "opencv", OPTIONS, folder, LimitChoice())
    assert report.outputs == {"disparity": TensorError(0, 0, 1), "certainty": TensorError(0, 0, 1)}
    assert report.effect is not None and report.effect.max_px == 0 and report.effect.pixels > 1000
    assert report.failures == []
    assert report.header == {"model": "stereo", "engine": "opencv", "input": "96x64", "vectors": "2"}


def test_vectors_differ_from_each_other(folder: VectorFolder) -> None:
    first, second = ((folder.root / "input" / name / "left.bin").read_bytes() for name in folder.names)
    assert first != second


def test_shifted_disparities_fail_though_their_cosine_is_fine(stereo_card: ModelCard, folder: VectorFolder) -> None:
    change(folder, "disparity", lambda array: array + 1.25)
    report = verify(stereo_card, "opencv", OPTIONS, folder, LimitChoice(min_cosine=0.5))
    assert report.effect is not None and report.effect.mean_px == pytest.approx(1.25, abs=1e-4)
    assert report.failures == ["mean effect 1.25 px > 0.25 px", "100 % off by over 1 px > 5 %"]


def test_broken_certainty_fails_by_its_cosine(stereo_card: ModelCard, folder: VectorFolder) -> None:
    change(folder, "certainty", lambda array: 1 - array)
    failures = verify(stereo_card, "opencv", OPTIONS, folder, LimitChoice()).failures
    assert any("cosine of certainty" in failure for failure in failures)


def test_not_a_number_fails(stereo_card: ModelCard, folder: VectorFolder) -> None:
    change(folder, "disparity", lambda array: array * np.nan)
    report = verify(stereo_card, "opencv", OPTIONS, folder, LimitChoice())
    assert report.failures and "failed: cosine of disparity nan" in report.as_text()
    assert json.loads(json.dumps(report.as_json(), allow_nan=False))["passed"] is False


def test_text_has_a_line_per_output() -> None:
    effect = DisparityEffect(0.01, 0.5, 0.0, 100)
    text = VerifyReport({"model": "m"}, {"disparity": TensorError(0.5, 0.01, 0.9999)}, effect, VerifyLimits()).as_text()
    assert text == (
        "  Verify:\n"
        "        model: m\n"
        "    disparity: max = 0.5   mean = 0.01   cosine = 0.999900\n"
        "       effect: mean = 0.0100 px   max = 0.5000 px   over 1 px = 0.00 % of 100 certain pixels\n"
        "  passed"
    )


def test_command_makes_and_verifies(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stereo_bundle: Path
) -> None:
    target, model = str(tmp_path / "new" / "vectors"), str(stereo_bundle)
    code, out, err = call(capsys, monkeypatch, model, "--make-vectors", target, "--count", "1", *SMALL)
    assert (code, err) == (0, "") and "1 vectors in" in out and "reference: opencv" in out
    code, out, _ = call(capsys, monkeypatch, model, "--vectors", target, "--engine", "opencv", *SMALL, "--json")
    report = json.loads(out)
    assert code == 0 and report["passed"] and set(report["outputs"]) == {"disparity", "certainty"}


def test_without_vectors_the_simulated_rig_is_taken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call(capsys, monkeypatch, "stereo", "--count", "1", *SMALL)
    assert (code, err) == (0, "") and "vectors: 1" in out and out.endswith("passed\n")


def test_exit_code_of_a_failed_verification(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: VectorFolder, stereo_bundle: Path
) -> None:
    change(folder, "disparity", lambda array: array + 5)
    code, out, err = call(capsys, monkeypatch, str(stereo_bundle), "--vectors", str(folder.root), *SMALL)
    assert (code, err) == (1, "") and "failed: " in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["stereo", "--vectors", "none"], os.EX_NOINPUT, "none/list.txt: cannot read it"),
        (["stereo", "--vectors", "a", "--make-vectors", "b"], os.EX_USAGE, "not both"),
        (["stereo", "--size", "640"], os.EX_USAGE, "WIDTHxHEIGHT"),
        (["stereo", "--size", "650x320"], os.EX_DATAERR, "multiples of 32"),
        (["nothing"], os.EX_NOINPUT, "no model 'nothing'"),
        (["stereo", "--engine", "gpu", *SMALL, "--count", "1"], os.EX_USAGE, "unknown engine 'gpu'"),
    ],
)
def test_wrong_use_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended, out, err = call(capsys, monkeypatch, *words)
    assert (ended, out) == (code, "") and message in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_vectors_of_another_size(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: VectorFolder, stereo_bundle: Path
) -> None:
    code, _, err = call(capsys, monkeypatch, str(stereo_bundle), "--vectors", str(folder.root), "--size", "128x64")
    assert code == os.EX_DATAERR and "6144 bytes, but 1x1x32x64 of float32 takes 8192" in err
    assert err.count("\n") == 1


def test_limits_are_those_of_the_precision_unless_the_user_chose() -> None:
    assert LimitChoice().limits("", "stereo") == LimitChoice().limits("fp32", "two_view") == VerifyLimits()
    assert LimitChoice().limits("int8", "stereo") == INT8_LIMITS["stereo"]
    assert LimitChoice(max_mean_px=0.1).limits("int8", "two_view").max_mean_px == 0.1


def test_a_figure_next_to_its_limit_has_the_digits_to_tell_them_apart() -> None:
    effect = DisparityEffect(0.250001, 0.5, 0.0500001, 100)
    report = VerifyReport({}, {"disparity": TensorError(0, 0, 0.98999999)}, effect, VerifyLimits())
    assert report.failures == [
        "cosine of disparity 0.98999999 < 0.99",
        "mean effect 0.250001 px > 0.25 px",
        "5.00001 % off by over 1 px > 5 %",
    ]
