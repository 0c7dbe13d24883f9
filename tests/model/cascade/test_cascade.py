from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
onnx = pytest.importorskip("onnx", reason="onnx is not installed: export needs it")

from model.base.onnx_file import NPU_OPERATORS, fixed  # noqa: E402
from model.cascade.bundle import write_bundle  # noqa: E402
from model.cascade.global_matching import GlobalMatch, GlobalMatching  # noqa: E402
from model.cascade.grid import Grid  # noqa: E402
from model.cascade.local_correlation import similarities, steps, window_contents  # noqa: E402
from model.cascade.loss import cascade_loss  # noqa: E402
from model.cascade.network import STRIDES, Cascade, CascadeConfig, CascadeOutput, names  # noqa: E402
from model.cascade.refine import Refine, RefinedMatch  # noqa: E402
from model.data.two_view_pairs import TwoViewBatch, own_positions  # noqa: E402
from model.tiny_roma.cells import sample as sampled  # noqa: E402
from roma_device.app.verify.model_check import check_model  # noqa: E402
from roma_device.runtime.card import ModelError, load_card  # noqa: E402
from roma_device.runtime.engine import EngineOptions, open_engine  # noqa: E402

BOARD_SIZE = (192, 96)


@cache
def network() -> Cascade:
    """Random weights with plausible batch-norm statistics, whose last layers do something."""
    torch.manual_seed(0)
    net = Cascade(CascadeConfig.load("two-view"))
    with torch.no_grad():
        for refine in net.refinements:
            refine.score.weight.normal_(0, 0.05)
            refine.delta.weight.normal_(0, 0.05)
        for _ in range(3):
            net(torch.randn(2, 1, 96, 128), torch.randn(2, 1, 96, 128))
    return net.eval()


@pytest.fixture(scope="module")
def open_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of ``network()``, for images of any size."""
    folder = tmp_path_factory.mktemp("open") / "two-view"
    write_bundle(network(), {}, folder, "two-view")
    return folder


@pytest.fixture(scope="module")
def board_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of ``network()``, for one size."""
    folder = tmp_path_factory.mktemp("fixed") / "board"
    write_bundle(network(), {}, folder, "board", BOARD_SIZE)
    return folder


def test_window_holds_the_products_around_each_cell() -> None:
    a, b = torch.randn(2, 5, 6, 14), torch.randn(2, 5, 6, 14)
    result = similarities(a, b, 2)
    for number, (dx, dy) in enumerate(steps(2)[:, :, 0, 0].T.int().tolist()):
        for y, x in ((0, 0), (3, 7), (5, 13)):
            inside = 0 <= y + dy < 6 and 0 <= x + dx < 14
            expected = (a[..., y, x] * b[..., y + dy, x + dx]).sum(1) if inside else torch.zeros(2)
            assert torch.allclose(result[:, number, y, x], expected, atol=1e-5)


def test_window_repeats_the_border_of_what_lies_there() -> None:
    x = torch.arange(12.0).view(1, 1, 3, 4)
    held = window_contents(x, 1)
    assert held[0, :, 1, 1].tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert held[0, :, 0, 0].tolist() == [0, 0, 1, 0, 0, 1, 4, 4, 5]


def test_grid_counts_cells_from_border_to_border() -> None:
    grid = Grid.of(torch.randn(2, 3, 4, 6))
    assert torch.allclose(grid.position(torch.zeros(1, 2, 4, 6)), own_positions(4, 6, torch.device("cpu")), atol=1e-6)
    flow = torch.randn(2, 2, 4, 6)
    assert torch.allclose(grid.flow(grid.position(flow)), flow, atol=1e-5)


def test_fetching_moves_by_whole_cells() -> None:
    features = torch.randn(1, 3, 5, 8)
    grid = Grid.of(features)
    flow = torch.tensor([2.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 5, 8)
    there = sampled(features, grid.position(flow))
    assert torch.allclose(there[..., :4, :6], features[..., 1:, 2:], atol=1e-4)
    assert float(there[..., 4, :].abs().max()) < 1e-4


def test_global_match_finds_a_shift_and_does_not_trust_what_is_gone() -> None:
    """Random features, three columns moved out of view: peaks are exact, few of the lonely cells find each other."""
    torch.manual_seed(0)
    match = GlobalMatching(32, 32)
    match.project.weight.data = torch.eye(32)[..., None, None]
    match.project.bias.data.zero_()
    match.sharpness.data.fill_(40)
    scene = torch.randn(1, 32, 6, 13)
    a, b = scene[..., :10], scene[..., 3:]
    found = match(a, b, Grid.of(a))
    seen = found.flow[0, :, :, 3:]
    assert torch.allclose(seen, torch.tensor([-3.0, 0.0]).view(2, 1, 1).expand_as(seen), atol=0.05)
    trust = found.trust.prod(1)[0]
    assert float(trust[:, 3:].min()) > 0.8 and float(trust[:, :3].median()) < 0.2


def test_refinement_follows_raw_similarity_before_it_has_learned() -> None:
    """One cell off within the window: found, and spread to where the flow so far is right already."""
    torch.manual_seed(0)
    refine = Refine(8, 16, 16, 8, 3, trusts=1).eval()
    refine.project.weight.data = torch.eye(16)[..., None, None]
    refine.project.bias.data.zero_()
    refine.direct.data.fill_(40)
    for last in (refine.score, refine.delta):
        last.bias.data.zero_()
    scene = torch.randn(1, 16, 9, 14)
    a, b = scene[..., 1:, :12], scene[..., :-1, 2:]
    with torch.no_grad():
        refined = refine(a, b, torch.zeros(1, 2, 8, 12), torch.zeros(1, 1, 8, 12), Grid.of(a))
    inner = refined.flow[..., :-1, 2:]
    assert torch.allclose(inner, torch.tensor([-2.0, 1.0]).view(1, 2, 1, 1).expand_as(inner), atol=0.05)


def output_at(offset_cells: float) -> CascadeOutput:
    """What a network would say that finds each cell of two images of 128x96 px in its own place, or beside it."""
    stages = []
    for stride in STRIDES:
        grid = Grid.of(torch.zeros(1, 1, 96 // stride, 128 // stride))
        flow = torch.full((1, 2, *grid.own.shape[2:]), offset_cells)
        logits = torch.zeros(1, 49, *grid.own.shape[2:])
        logits[:, 24] = 6
        x, y = (window_contents(flow[:, k : k + 1], 3) + steps(3)[k : k + 1] for k in (0, 1))
        certain = torch.full((1, 1, *grid.own.shape[2:]), 9.0 if offset_cells < 0.25 else -9.0)
        stages.append(RefinedMatch(stride, grid, flow, certain, logits, (x, y)))
    first = stages[0]
    logits = (20 * torch.eye(48)).roll(int(offset_cells), 1).view(1, 6, 8, 48)
    return CascadeOutput(GlobalMatch(first.flow, torch.ones(1, 2, 6, 8), logits), tuple(stages))


def test_loss_is_least_at_the_truth() -> None:
    image, own = torch.zeros(1, 1, 96, 128), own_positions(96, 128, torch.device("cpu"))
    truth = TwoViewBatch(image, image, own, torch.ones(1, 96, 128, dtype=torch.bool))
    losses = [float(cascade_loss(output_at(cells), truth)[0]) for cells in (0, 0.1, 0.4, 2)]
    assert losses == sorted(losses) and losses[0] < 0.5 * losses[1]


def test_unknown_matches_teach_certainty_alone() -> None:
    net = network()
    images = torch.randn(2, 2, 1, 96, 128)
    own = own_positions(96, 128, torch.device("cpu")).expand(2, -1, -1, -1)
    unseen = torch.zeros(2, 96, 128, dtype=torch.bool)
    loss, parts = cascade_loss(net.infer(*images), TwoViewBatch(*images, own, unseen))
    assert all((value > 0) == name.startswith("certainty") for name, value in parts.items())
    loss.backward()
    assert float(net.features.to_eighth[0][0].weight.grad.abs().max()) == 0


def test_network_fits_its_budget() -> None:
    """6 GMAC and 1.5 M parameters at 640x320."""
    from torch.utils.flop_counter import FlopCounterMode

    for name in names():
        net = Cascade(CascadeConfig.load(name)).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(torch.zeros(1, 1, 320, 640), torch.zeros(1, 1, 320, 640))
        assert counter.get_total_flops() / 2 <= 6e9
        assert sum(p.numel() for p in net.parameters()) <= 1.5e6


@pytest.mark.parametrize(
    ("engine", "size"), [("opencv", (128, 96)), ("onnx", (128, 96)), ("onnx", (192, 64)), ("openvino", (192, 64))]
)
def test_exported_bundle_equals_torch_at_any_size(open_bundle: Path, engine: str, size: tuple[int, int]) -> None:
    if engine == "opencv":
        import cv2

        if int(cv2.__version__.split(".")[0]) < 5:
            pytest.skip("OpenCV 4 has no GridSample")
    else:
        pytest.importorskip({"onnx": "onnxruntime"}.get(engine, engine), reason=f"{engine} is not installed")
    net = network()
    loaded = open_engine(load_card(open_bundle), engine, EngineOptions(size, 1))
    generator = np.random.default_rng(1)
    for name in loaded.inputs:
        loaded.inputs[name][...] = generator.standard_normal((1, 1, size[1], size[0]))
    loaded.run()
    with torch.no_grad():
        warp, certainty = net(*(torch.from_numpy(loaded.inputs[name]) for name in ("left", "right")))
    assert np.abs(loaded.outputs["warp"] - warp.numpy()).max() < 1e-3
    assert np.abs(loaded.outputs["certainty"] - certainty.numpy()).max() < 1e-3


@pytest.mark.parametrize("was_open", [False, True])
def test_fixed_graph_has_only_operators_of_both_npus_and_equals_torch(
    was_open: bool, open_bundle: Path, board_bundle: Path
) -> None:
    """Exported for one size, or for any and given one later."""
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    net = network()
    (file,) = (open_bundle if was_open else board_bundle).glob("*.onnx")
    model = fixed(onnx.load(file), BOARD_SIZE) if was_open else onnx.load(file)
    assert {node.op_type for node in model.graph.node} <= NPU_OPERATORS
    shapes = [[d.dim_value for d in tensor.type.tensor_type.shape.dim] for tensor in model.graph.output]
    assert shapes == [[1, 2, 24, 48], [1, 1, 24, 48]]
    pair = torch.randn(2, 1, 1, 96, 192)
    names_ = ("left", "right")
    result = runtime.InferenceSession(model.SerializeToString()).run(
        None, dict(zip(names_, (one.numpy() for one in pair), strict=True))
    )
    with torch.no_grad():
        for expected, values in zip(net(*pair), result, strict=True):
            assert np.abs(values - expected.numpy()).max() < 1e-3


@pytest.mark.parametrize("chip", ["AX650", "AX620E"])
def test_preflight_has_nothing_against_a_bundle_of_one_size(board_bundle: Path, chip: str) -> None:
    card = load_card(board_bundle)
    assert card.fixed_size() == BOARD_SIZE and card.outputs[0].shape == (1, 2, 24, 48)
    report = check_model(str(board_bundle), chip, None, None)
    assert not [finding for finding in report.findings if finding.severity in ("fails", "unknown")]


def test_identical_images_match_themselves_after_decoding(tmp_path: Path) -> None:
    """The exported convention is the one that decode_two_view reads: zero flow is every pixel's own place."""
    from roma_device.runtime.tensors.decode import decode_two_view
    from roma_device.runtime.tensors.inputs import InputPlan

    grid = Grid.of(torch.zeros(1, 1, 24, 32))
    warp = grid.position(torch.tensor([1.5, -0.5]).view(1, 2, 1, 1).expand(1, 2, 24, 32)).numpy()
    plan = InputPlan((128, 96), (128, 96))
    outputs = {"warp": warp, "certainty": np.full((1, 1, 24, 32), 3, np.float32)}
    matches = decode_two_view(outputs, plan, (128, 96), "two_view")
    column, row = np.meshgrid(np.arange(128), np.arange(96))
    inner = (slice(4, -4), slice(4, -4))
    assert np.abs(matches.warp[..., 0] - (column + 6))[inner].max() < 1e-3
    assert np.abs(matches.warp[..., 1] - (row - 2))[inner].max() < 1e-3


def test_unknown_variant_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"unknown variant 'x' of the cascade; known: .*two-view"):
        CascadeConfig.load("x")


@pytest.mark.parametrize(
    ("text", "message"), [("kind: cascade\nwidth: 3\n", "unknown key 'width'"), ("kind: cascade\n", "is missing")]
)
def test_a_wrong_variant_file_is_refused(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd.yaml").write_text(text)
    monkeypatch.setattr("model.base.variants.VARIANTS", tmp_path)
    with pytest.raises(ModelError, match=rf"odd\.yaml: .*{message}"):
        CascadeConfig.load("odd")
