from __future__ import annotations

import io
import json
import os
import tarfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
pytest.importorskip("onnx", reason="onnx is not installed: export needs it")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

import onnx

from model.kit import graphs
from model.kit.files import write_sensitivity
from model.kit.graphs import CompilerGraph, bundle_folder
from model.kit.sensitivity import measure
from model.pulsar2 import main
from roma_device.calibration.arrays import Size
from roma_device.runtime.card import load_card
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
    said = (kit / "README.md").read_text()
    assert "Not tried" in said and "pulsar2 run --model out/tiny_row_narrow.axmodel" in said
    assert not (kit / "sensitivity.json").exists()


def test_samples_of_a_two_view_model_are_not_rectified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "TEXTURES", 4)
    card = load_card(bundle_folder("two-view"))
    (first, second), again = (
        list(graphs.generated_frames(Path("none"), card, Size(96, 64), count)) for count in (2, 1)
    )
    assert {value.shape for value in first.values()} == {(1, 1, 64, 96)}
    for name in ("left", "right"):
        assert np.array_equal(first[name], again[0][name]) and not np.array_equal(first[name], second[name])
    rows = [frame[name][0, 0].mean(1) for frame in (first, second) for name in ("left", "right")]
    assert max(np.corrcoef(rows[0], rows[1])[0, 1], np.corrcoef(rows[2], rows[3])[0, 1]) < 0.9


def test_sensitivity_is_measured_on_request(tmp_path: Path) -> None:
    """Of a small graph here: of a network it takes minutes."""
    values = [onnx.helper.make_tensor_value_info(name, 1, [1, 1, 4, 4]) for name in ("x", "y")]
    nodes = [onnx.helper.make_node("Sigmoid", ["x"], ["a"], "first"), onnx.helper.make_node("Add", ["a", "x"], ["y"])]
    opset = onnx.helper.make_opsetid("", 17)
    graph_of_two = onnx.helper.make_graph(nodes, "test", values[:1], values[1:])
    model = onnx.helper.make_model(graph_of_two, opset_imports=[opset], ir_version=8)
    sample = {"x": np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 1, 4, 4)}
    graph = CompilerGraph(load_card(bundle_folder("stereo")).graphs[0], model, "u16", [sample])
    assert [one.layer for one in write_sensitivity(graph, tmp_path)] == ["first"]
    assert json.loads((tmp_path / "sensitivity.json").read_text())[0]["op"] == "Sigmoid"


def test_each_graph_of_a_model_of_two_has_its_own_part(tmp_path: Path) -> None:
    kit, (width, height) = tmp_path / "kit", (160, 96)
    words = ["stereo", "--chip", "AX620E", "--output", str(kit), "--size", str(width), str(height)]
    main([*words, "--count", "1", "--vectors", "1", "--precision", "mixed", "u16"])
    builds = {name: json.loads((kit / name / "build.json").read_text()) for name in ("matching", "refinement")}
    shapes = dict(one.split(":") for one in builds["refinement"]["input_shapes"].split(";"))
    cells = f"{height // 4}x{width // 2}"
    assert shapes["warped"] == f"1x1x{height}x{width}" and shapes["hints"] == f"1x4x{cells}"
    assert [build["quant"]["layer_configs"][1]["data_type"] for build in builds.values()] == ["U8", "U16"]
    assert [build["output_name"] for build in builds.values()] == ["matching.axmodel", "refinement.axmodel"]
    for name, build in builds.items():
        for one in build["quant"]["input_configs"]:
            with tarfile.open(kit / name / one["calibration_dataset"]) as archive:
                assert len(archive.getnames()) == one["calibration_size"] == 1
        operators = Counter(node.op_type for node in onnx.load(kit / name / "model.onnx").graph.node)
        assert (operators["ReduceSum"] > 50, operators["Conv"] < 70) == (name == "matching", True)
        assert (kit / "vectors" / name / "list.txt").is_file()
    assert "--input_dir vectors/refinement/input" in (kit / "README.md").read_text()


def test_no_bundle_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(main, [str(tmp_path), "--chip", "AX650", "--output", str(tmp_path / "kit")]) == os.EX_NOINPUT
    assert "cannot read the model card" in capsys.readouterr().err


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
