from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from model import train_refinement  # noqa: E402
from model.base.loop import CHECKPOINT  # noqa: E402
from model.data.stereo_pairs import PairBatch  # noqa: E402
from model.stereo.cells import cross, from_parts, to_parts, upsampled  # noqa: E402
from model.stereo.hints import cell_disparities, cell_disparity, hints, warp  # noqa: E402
from model.stereo.passes import after_passes, found_first, refined  # noqa: E402
from model.stereo.refinement import Refinement, RefinementConfig, offset_similarities  # noqa: E402
from model.stereo.refinement_file import INPUTS, load_refinement, to_onnx  # noqa: E402
from model.stereo.refinement_pairs import FirstGuess, softened  # noqa: E402
from roma_device.calibration.arrays import Size  # noqa: E402
from roma_device.runtime.cascade.warp import WarpRight  # noqa: E402
from roma_device.runtime.tensors.cells import from_parts as host_from_parts  # noqa: E402

SIZE = (192, 96)


def network(seed: int = 0) -> Refinement:
    """With weights that are not those of the start, where the hourglass counts for nothing."""
    torch.manual_seed(seed)
    net = Refinement(RefinementConfig.load("stereo-refinement")).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net


def inputs(size: tuple[int, int] = SIZE) -> dict[str, torch.Tensor]:
    width, height = size
    tensors = {name: torch.randn(1, c, height // rows, width // cols) for name, (c, rows, cols) in INPUTS.items()}
    return tensors | {"disparity": 30 + 5 * tensors["disparity"]}


def disparity(size: tuple[int, int] = SIZE) -> torch.Tensor:
    """A near block before something far."""
    width, height = size
    image = torch.full((1, 1, height, width), 10.25)
    image[..., 20:70, 90:130] = 31.5
    return image


def test_parts_are_the_pixels_of_each_cell() -> None:
    image = torch.randn(2, 1, 8, 6)
    parts = to_parts(image)
    assert parts.shape == (2, 8, 2, 3) and torch.equal(from_parts(parts), image)
    assert torch.equal(parts[0, 2 * 3 + 1], image[0, 0, 3::4, 1::2])
    assert np.array_equal(host_from_parts(parts[:1].numpy()), image[0, 0].numpy())


def test_warped_image_shows_at_each_pixel_its_match() -> None:
    right = torch.arange(40.0).expand(1, 1, 8, 40)
    found = torch.full((1, 1, 8, 40), 3.5)
    assert torch.allclose(warp(right, found)[..., 4:], (right - 3.5)[..., 4:], atol=1e-4)
    assert (warp(right, found)[..., :3] == 0).all(), "outside the border is repeated"


def test_hints_tell_border_and_hidden_cells() -> None:
    cells = cell_disparity(disparity())
    _, inside, seen, _ = hints(cells, torch.ones_like(cells))[0]
    assert (inside[:, :4] < 0).all() and (inside[:, 16:] > 0).all()
    behind = seen[8, 45 - 10 : 45]  # the block hides 21 px, about ten cells, left of itself
    assert (behind < 0).all() and (seen[8, :30] > 0).all() and (seen[0] > 0).all()


def test_hidden_cells_are_offered_the_background() -> None:
    cells, beside = cell_disparities(disparity())[0]
    hidden = beside != cells
    assert (beside == 10.25)[8, 30:45].all(), "left of the block, and where its match would lie"
    assert not hidden[0].any() and torch.equal(beside[8, 46:64], cells[8, 46:64])
    near = torch.full((1, 1, 4, 80), 30.0)
    near[..., :30] = 50.0
    assert (cell_disparities(near)[0, 1, 0] == 30).all(), "so is what lies outside the right image"


def test_host_prepares_what_the_training_does() -> None:
    right, found = torch.randn(1, 1, 96, 192), disparity() + torch.rand(1, 1, 96, 192)
    certainty = torch.rand(1, 1, 24, 48)
    known = found_first(found, certainty)
    cells = cell_disparity(found)
    filled = {name: np.zeros(tensor.shape, np.float32) for name, tensor in inputs().items()}
    WarpRight(Size(*SIZE))(right[0, 0].numpy(), found[0, 0].numpy(), certainty[0, 0].numpy(), filled)
    assert np.allclose(filled["hints"], hints(cells, known.certainty).numpy(), atol=1e-4)
    assert np.array_equal(filled["disparity"], cell_disparities(found).numpy())
    assert np.abs(filled["warped"] - warp(right, found).numpy()).max() < 1e-3


def test_similarity_is_highest_at_the_offset_of_the_match() -> None:
    left = torch.nn.functional.normalize(torch.randn(1, 12, 4, 40), dim=1)
    for cells in (-3, 0, 2):  # disparity too small, right, too large: a larger one lies farther left
        similar = offset_similarities(left, torch.roll(left, -cells, 3))
        assert (similar[..., 8:-8].argmax(1) == 4 + cells).all()


def test_upsampling_mixes_only_neighbours() -> None:
    cell = torch.randn(1, 1, 5, 6)
    low, high = cross(cell).amin(1, keepdim=True), cross(cell).amax(1, keepdim=True)
    fine = upsampled(cell, torch.randn(1, 40, 5, 6))
    assert (fine >= low - 1e-5).all() and (fine <= high + 1e-5).all()
    one_sided = torch.full((1, 40, 5, 6), -30.0)
    one_sided[:, 1::5] = 10
    assert torch.allclose(upsampled(cell, one_sided)[..., 1:], cell[..., :-1].expand(1, 8, 5, 5), atol=5e-3)


def test_untrained_stage_leaves_a_right_disparity_where_it_is() -> None:
    torch.manual_seed(0)
    net = Refinement(RefinementConfig.load("stereo-refinement")).eval()
    left = torch.randn(1, 1, 96, 192)
    right = torch.roll(left, -8, 3)
    output, cells = refined(net, left, right, found_first(torch.full_like(left, 8.0), torch.ones(1, 1, 24, 48)))
    inner = output.disparity_px[..., 16:-16] - 8
    assert inner.abs().mean() < 0.3 and (cells == 8).all()


def test_passes_before_the_trained_one_leave_the_network_as_it_was() -> None:
    net = network().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    image = torch.randn(1, 1, 96, 192)
    after_passes(net, image, image, found_first(disparity(), torch.ones(1, 1, 24, 48)), 2)
    assert net.training and all(torch.equal(before[name], value) for name, value in net.state_dict().items())


@pytest.mark.parametrize("is_open", [True, False])
def test_export_equals_torch(is_open: bool) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    net, size = network(), (256, 128) if is_open else SIZE
    model = to_onnx(net, SIZE, is_open).SerializeToString()
    tensors = inputs(size)
    results = runtime.InferenceSession(model).run(None, {name: value.numpy() for name, value in tensors.items()})
    with torch.no_grad():
        for expected, values in zip(net(*tensors.values()), results, strict=True):
            assert np.abs(values - expected.numpy()).max() < 2e-3


@pytest.mark.parametrize("is_open", [True, False])
def test_opencv_gives_what_torch_gives(is_open: bool) -> None:
    net, tensors = network(), inputs()
    engine = cv2.dnn.readNetFromONNX(np.frombuffer(to_onnx(net, SIZE, is_open).SerializeToString(), np.uint8))
    for name, value in tensors.items():
        engine.setInput(value.numpy(), name)
    results = engine.forward(["parts", "certainty"])
    with torch.no_grad():
        for expected, values in zip(net(*tensors.values()), results, strict=True):
            assert np.abs(values - expected.numpy()).max() < 2e-3


def test_no_position_is_a_weight_and_nothing_is_looked_up() -> None:
    model = to_onnx(network(), SIZE, is_open=True)
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"ConvTranspose", "GridSample", "Gather", "Shape", "MatMul"}


def words(folder: Path, steps: int, *more: str) -> list[str]:
    small = ["--patterns", "6", "--batch", "2", "--size", "192", "64", "--workers", "0", "--log-every", "1"]
    return ["stereo-refinement", "--output", str(folder), "--steps", str(steps), "--save-every", "2", *small, *more]


def run(*arguments: str) -> dict[str, torch.Tensor]:
    parsed = train_refinement.parse(list(arguments))
    train_refinement.run(parsed)
    return torch.load(parsed.output / CHECKPOINT)["network"]


def test_interrupted_training_goes_on_as_if_nothing_happened(tmp_path: Path) -> None:
    whole = run(*words(tmp_path / "whole", 6, "--cooldown", "0"))
    run(*words(tmp_path / "halves", 4, "--cooldown", "0"))
    halves = run(*words(tmp_path / "halves", 6, "--cooldown", "0"))
    assert all(torch.allclose(whole[name], halves[name], atol=1e-6) for name in whole)
    lines = (tmp_path / "halves" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    net, origin = load_refinement(tmp_path / "halves" / CHECKPOINT)
    assert origin == {"step": 6, "variant": "stereo-refinement"} and not net.training


def test_training_learns_an_offset(tmp_path: Path) -> None:
    torch.manual_seed(0)
    left = torch.nn.functional.avg_pool2d(torch.rand(2, 1, 66, 194), 3, 1)
    truth, hidden = torch.full((2, 64, 192), 8.0), torch.zeros(2, 64, 192, dtype=bool)
    hidden[..., :8] = True
    pairs = PairBatch(left, torch.roll(left, -8, 3), truth, hidden, torch.zeros_like(truth))
    guess = FirstGuess(pairs, truth[:, None] + 4, torch.ones(2, 1, 16, 48))
    options = train_refinement.parse(words(tmp_path, 1000, "--warmup", "1", "--blotches", "0"))
    training = train_refinement.RefinementTraining(options)
    losses = [training.learn(guess)["fine"] for _ in range(40)]
    assert losses[-1] < 0.7 * losses[0]


def test_softened_pairs_are_as_an_enlarged_image_is() -> None:
    fine = torch.rand(1, 1, 64, 96)
    columns = torch.linspace(0, 1, 96).expand(1, 1, 64, 96)
    still = torch.zeros(1, 64, 96)
    pairs = PairBatch(columns, fine, still, still.bool(), still)
    soft = softened(pairs, 1.6)
    assert soft.right.shape == fine.shape and float(soft.right.std()) < 0.75 * float(fine.std())
    assert torch.allclose(soft.left[..., 4:-4], columns[..., 4:-4], atol=0.011), "what is smooth stays in its place"
    assert torch.equal(softened(pairs, 1.0).right, fine)
    assert soft.disparity_px is still


def test_eight_bits_keep_the_positions() -> None:
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    from model.quantize import Samples, quantize

    net, tensors = network(), inputs()
    values = {name: value.numpy() for name, value in tensors.items()}
    model = quantize(to_onnx(net, SIZE, is_open=True).SerializeToString(), Samples(iter([values] * 2)))
    parts, _ = runtime.InferenceSession(model).run(None, values)
    with torch.no_grad():
        expected, _ = net(*tensors.values())
    assert np.abs(parts - expected.numpy()).mean() < 0.2, "a step of the offsets is 2 px"
