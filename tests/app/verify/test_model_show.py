"""``model show`` and ``model check`` of bundles, bare graphs, compiled and encrypted files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from roma_device.app.model_store import find_model
from roma_device.app.verify.model_check import check_model
from roma_device.app.verify.model_show import describe_model
from tests.app.command_line import call
from tests.runtime.onnx.axmodel_file import axmodel


def test_a_bundle_shows_its_card_its_graphs_and_their_cost(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "model", "show", "stereo", "--json")
    found = json.loads(out)
    assert code == 0 and found["card"]["name"] == "stereo"
    graph = found["graphs"][0]
    assert graph["kind"] == "onnx" and graph["gmac"] > 1 and graph["parameters"] > 500_000
    assert graph["inputs"] == ["left 1x1x?x? float32", "right 1x1x?x? float32"]
    text = call(capsys, "model", "show", "stereo", "--size", "320x160")[1]
    assert "at 1x1x160x320: 0.4" in text and "0.00 GMAC" not in text


def test_a_compiled_file_shows_chip_cores_and_compiler(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "m.axmodel"
    path.write_bytes(axmodel(1, 1, cpu="Softmax"))
    code, out, _ = call(capsys, "model", "show", str(path))
    assert code == 0 and "made by Pulsar2 4.0, commit 64a0e58f" in out
    assert "compiled for AX620E, all cores; on the CPU: Softmax" in out
    assert "input  left 1x1x64x96 float32" in out and "output disparity 1x1x64x96 float32" in out


def test_encrypted_and_foreign_files_are_said_to_be(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "m.axmodel"
    path.write_bytes(b"deadbeef" + bytes(99))
    assert "encrypted by the compiler" in call(capsys, "model", "show", str(path))[1]
    code, _, error = call(capsys, "model", "check", str(path), "--chip", "AX650")
    assert code == os.EX_DATAERR and "is encrypted" in error
    path.write_bytes(b"no model")
    code, _, error = call(capsys, "model", "show", str(path))
    assert code == os.EX_DATAERR and "not a whole ONNX file" in error
    assert call(capsys, "model", "show", str(tmp_path / "none"))[0] == os.EX_NOINPUT


@pytest.mark.parametrize(
    ("kind", "words", "code", "sentence"),
    [
        (0, ("--chip", "AX650"), 1, "it is compiled for AX620E, not for AX650"),
        (1, ("--chip", "AX630C"), 1, "it is compiled for all cores, more than NPU1 has"),
        (1, ("--chip", "ax620q", "--npu", "NPU2"), 0, "nothing is known that keeps it"),
    ],
)
def test_check_knows_what_a_file_is_compiled_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: int, words: tuple[str, ...], code: int, sentence: str
) -> None:
    path = tmp_path / "m.axmodel"
    path.write_bytes(axmodel(kind, 1))
    found, out, _ = call(capsys, "model", "check", str(path), *words)
    assert found == code and sentence in out


def test_chips_have_the_names_that_users_know(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("AX650A", "AX650N", "AX8850", "ax650"):
        assert "stereo for AX650 in NPU1 mode" in call(capsys, "model", "check", "stereo", "--chip", name)[1]
    code, _, error = call(capsys, "model", "check", "stereo", "--chip", "AX7")
    assert code == os.EX_USAGE and "AX620E (AX630C, AX620Q), AX637, AX650 (AX650A, AX650N, AX8850), M57" in error


def test_a_model_of_several_graphs_shows_all_of_them() -> None:
    found = describe_model("stereo-large")
    assert len(found.graphs) == len(find_model("stereo-large").every_file)
    costs = [graph.gmac for graph in found.graphs if graph.path.endswith(("matching.onnx", "refinement.onnx"))]
    assert all(cost is not None and 0.5 < cost < 5 for cost in costs)
    assert "stages: matching" in found.as_text() and "warp_right before each of" in found.as_text()


def test_check_adds_up_what_runs_for_a_pair() -> None:
    report = check_model("stereo-large", "AX650", None, None)
    card = find_model("stereo-large")
    paths = [str(graph.files["onnx"].path) for graph in card.graphs]
    first, second = (check_model(path, "AX650", None, card.default_size) for path in paths)
    assert report.verdict == "compiles" and first.gmac and second.gmac and report.gmac
    passes = card.passes(None)
    assert abs(report.gmac - first.gmac - passes * second.gmac) < 1e-9
    assert "refinement: " in report.as_text() and "times for a pair" in report.as_text()
