from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
pytest.importorskip("onnx", reason="onnx is not installed: export needs it")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

import onnx

from model.pulsar2 import main
from model.studies.sensitivity import measure
from tests.model.tiny_networks import SIZE, random_bundle
from tests.model.tool_failure import exit_code


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kit") / "bundle"
    random_bundle("tiny_row_narrow", folder)
    return folder


def frames(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(0)
    for side in ("left", "right"):
        (folder / side).mkdir(parents=True)
        for index in range(count):
            cv2.imwrite(str(folder / side / f"{index}.png"), rng.integers(0, 256, (60, 80), np.uint8))
    return folder


def test_kit_is_complete(bundle: Path, tmp_path: Path) -> None:
    own = frames(tmp_path / "own", 2)
    kit = tmp_path / "kit"
    words = [str(bundle), "--chip", "AX650", "--output", str(kit), "--count", "2", "--vectors", "1"]
    main([*words, "--frames", str(own)])
    build = json.loads((kit / "build.json").read_text())
    assert build["input_shapes"] == f"left:1x1x{SIZE[1]}x{SIZE[0]};right:1x1x{SIZE[1]}x{SIZE[0]}"
    assert build["quant"]["input_configs"][0]["calibration_size"] == 4
    graph = onnx.load(kit / "model.onnx").graph
    assert [[d.dim_value for d in one.type.tensor_type.shape.dim] for one in graph.input] == 2 * [[1, 1, *SIZE[::-1]]]
    everywhere, convolutions = build["quant"]["layer_configs"]
    assert everywhere["data_type"] == convolutions["data_type"] == convolutions["output_data_type"] == "U16"
    assert "layer_names" not in json.dumps(build)
    with tarfile.open(kit / "right.tar") as archive:
        assert archive.getnames() == [f"{index:06d}.npy" for index in range(4)]
        member = archive.extractfile("000003.npy")
        assert member is not None
        value = np.load(io.BytesIO(member.read()))
    assert value.shape == (1, 1, SIZE[1], SIZE[0]) and abs(float(value.mean())) < 1e-3
    assert (kit / "vectors" / "list.txt").read_text() == "000000\n"
    assert "Not tried" in (kit / "README.md").read_text() and not (kit / "samples").exists()


def test_no_bundle_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(main, [str(tmp_path), "--chip", "AX650", "--output", str(tmp_path / "kit")]) == os.EX_NOINPUT
    assert "the folder has no card.yaml" in capsys.readouterr().err


def test_sensitivity_finds_the_layer_that_matters() -> None:
    """y = (1000 x - 1000 x) + x: rounding the large numbers drowns the small one."""
    rng = np.random.default_rng(0)
    weights = {"large": 1000 * np.eye(4), "small": np.eye(4)}
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "large"], ["a"], "sensitive"),
        onnx.helper.make_node("MatMul", ["x", "large"], ["b"], "other"),
        onnx.helper.make_node("Sub", ["a", "b"], ["c"]),
        onnx.helper.make_node("MatMul", ["x", "small"], ["d"], "harmless"),
        onnx.helper.make_node("Add", ["c", "d"], ["y"]),
    ]
    values = [onnx.helper.make_tensor_value_info(name, 1, [3, 4]) for name in ("x", "y")]
    tensors = [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    graph = onnx.helper.make_graph(nodes, "test", values[:1], values[1:], tensors)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    found = measure(model, {"x": rng.standard_normal((3, 4)).astype(np.float32)})
    assert {one.layer for one in found[:2]} == {"sensitive", "other"}
    assert found[2].change < 0.01 < found[1].change


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--chip", "AX620E", "--npu", "NPU3"], os.EX_USAGE, "AX620E has no mode NPU3"),
        (["--chip", "AX650", "--input", "u8"], os.EX_USAGE, "use --input float"),
        (
            ["--chip", "AX650", "--count", "1", "--vectors", "1", "--frames", "/nowhere"],
            os.EX_DATAERR,
            "as many images in left/",
        ),
    ],
)
def test_impossible_kits_are_one_sentence(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], code: int, message: str
) -> None:
    assert exit_code(main, [str(bundle), "--output", str(tmp_path / "kit"), *more]) == code
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
