from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
pytest.importorskip("onnx", reason="onnx is not installed: export needs it")

from model.base.layers import interleave, row_correlation  # noqa: E402
from model.base.loop import VARIANCE_FLOOR, normalize  # noqa: E402
from model.base.onnx_file import NPU_OPERATORS  # noqa: E402
from model.base.variants import variants  # noqa: E402
from model.stereo.bundle import to_onnx, write_bundle  # noqa: E402
from model.stereo.network import RowStereo, StereoConfig  # noqa: E402
from roma_device.runtime.card import ModelError, load_card  # noqa: E402
from roma_device.runtime.engine import EngineOptions, open_engine  # noqa: E402
from roma_device.runtime.tensors.preprocess import VARIANCE_FLOOR as DEVICE_FLOOR  # noqa: E402
from roma_device.runtime.tensors.preprocess import value_table  # noqa: E402


@cache
def network() -> RowStereo:
    """Random weights with plausible batch-norm statistics."""
    torch.manual_seed(0)
    net = RowStereo(StereoConfig.load("stereo"))
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(2, 1, 64, 192), torch.randn(2, 1, 64, 192))
    return net.eval()


@pytest.fixture(scope="module")
def with_matrix_products() -> bytes:
    """Of ``network()``, for images of any size."""
    exported: bytes = to_onnx(network().far_first(), (192, 64), dynamic=True).SerializeToString()
    return exported


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of ``network()``."""
    folder = tmp_path_factory.mktemp("bundle") / "stereo"
    write_bundle(network(), {}, folder, "stereo")
    return folder


def test_correlation_is_the_product_along_the_row() -> None:
    left, right = torch.randn(2, 5, 3, 11), torch.randn(2, 5, 3, 11)
    result = row_correlation(left, right, 4)
    for k in range(4):
        for x in range(11):
            expected = (left[..., x] * right[..., x - k]).sum(1) if x >= k else torch.zeros(2, 3)
            assert torch.allclose(result[:, k, :, x], expected, atol=1e-5)


def test_candidates_in_the_opposite_order_change_nothing() -> None:
    net, pair = network(), torch.randn(2, 1, 1, 96, 256)
    with torch.no_grad():
        for expected, result in zip(net(*pair), net.far_first()(*pair), strict=True):
            assert torch.allclose(expected, result, atol=1e-4)


@pytest.mark.parametrize("size", [(256, 96), (320, 160)])
def test_export_with_matrix_products_equals_torch_at_any_size(
    with_matrix_products: bytes, size: tuple[int, int]
) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    net = network()
    left, right = torch.randn(2, 1, 1, size[1], size[0])
    result = runtime.InferenceSession(with_matrix_products).run(None, {"left": left.numpy(), "right": right.numpy()})
    with torch.no_grad():
        for expected, values in zip(net(left, right), result, strict=True):
            np.testing.assert_allclose(values, expected.numpy(), rtol=1e-5, atol=1e-3)


def test_network_fits_its_budget() -> None:
    """2.5 GMAC and 1.5 M parameters at 640x320."""
    from torch.utils.flop_counter import FlopCounterMode

    net = network()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 1, 320, 640), torch.zeros(1, 1, 320, 640))
    assert counter.get_total_flops() / 2 <= 2.5e9
    assert sum(p.numel() for p in net.parameters()) <= 1.5e6


@pytest.mark.parametrize("engine", ["opencv", "onnx"])
def test_exported_bundle_equals_torch(bundle: Path, engine: str) -> None:
    if engine == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    net = network()
    loaded = open_engine(load_card(bundle), engine, EngineOptions((256, 96), 1))
    generator = np.random.default_rng(1)
    for name in loaded.inputs:
        loaded.inputs[name][...] = generator.standard_normal((1, 1, 96, 256))
    loaded.run()
    with torch.no_grad():
        disparity, certainty = net(*(torch.from_numpy(loaded.inputs[name]) for name in ("left", "right")))
    assert np.abs(loaded.outputs["disparity"] - disparity.numpy()).max() < 1e-3
    assert np.abs(loaded.outputs["certainty"] - certainty.numpy()).max() < 1e-3


def test_static_graph_has_only_operators_of_both_npus() -> None:
    model = to_onnx(network(), (320, 160), dynamic=False)
    assert {opset.version for opset in model.opset_import} == {17}
    shapes = [[d.dim_value for d in tensor.type.tensor_type.shape.dim] for tensor in model.graph.output]
    assert shapes == [[1, 1, 80, 160], [1, 1, 40, 80]]
    assert {node.op_type for node in model.graph.node} <= NPU_OPERATORS


def test_interleaving_is_depth_to_space() -> None:
    x = torch.randn(2, 4, 3, 5)
    assert torch.equal(interleave(x), torch.nn.functional.pixel_shuffle(x, 2))


def test_training_normalizes_as_the_device_does() -> None:
    assert VARIANCE_FLOOR == DEVICE_FLOOR
    image = np.random.default_rng(0).integers(20, 90, (32, 64), dtype=np.uint8)
    device = value_table(image, "preprocess")[image]
    training = normalize(torch.from_numpy(image).float()[None, None] / 255)[0, 0].numpy()
    assert np.abs(device - training).max() < 1e-4


def test_every_variant_file_is_a_network() -> None:
    for name in variants("row_stereo"):
        assert sum(p.numel() for p in RowStereo(StereoConfig.load(name)).parameters()) > 0


def test_unknown_variant_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"unknown variant 'x'; known: .*stereo"):
        StereoConfig.load("x")


@pytest.mark.parametrize(
    ("text", "message"), [("kind: row_stereo\nwidth: 3\n", "unknown key 'width'"), ("kind: row_stereo\n", "is missing")]
)
def test_a_wrong_variant_file_is_refused(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd.yaml").write_text(text)
    monkeypatch.setattr("model.base.variants.VARIANTS", tmp_path)
    with pytest.raises(ModelError, match=rf"odd\.yaml: .*{message}"):
        StereoConfig.load("odd")
