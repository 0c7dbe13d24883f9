"""ONNX files that lead elsewhere, or that ask for more memory than there is."""

from __future__ import annotations

import hashlib
import resource
from pathlib import Path

import pytest

from roma_device.runtime.card import ModelCard, ModelError, ModelFile
from roma_device.runtime.engine import EngineOptions, open_engine
from roma_device.runtime.onnx.external import check_self_contained, read_self_contained
from roma_device.runtime.onnx.graph import read_onnx
from roma_device.runtime.onnx.shapes import infer


def field(number: int, *parts: bytes | int) -> bytes:
    """A field of a protobuf message: a number, or bytes that may be a message."""
    if isinstance(parts[0], int):
        return varint(number << 3) + varint(parts[0])
    data = b"".join(part for part in parts if isinstance(part, bytes))
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    digits = []
    while True:
        value, digit = value >> 7, value & 0x7F
        digits.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(digits)


ENTRY = field(13, field(1, b"location"), field(2, b"../../../../etc/passwd"))
TENSOR = field(8, b"w") + field(1, 4) + field(2, 1)
PLAIN = TENSOR + field(9, bytes(16))
OPSET = field(8, field(2, 17))


def constant(tensor: bytes) -> bytes:
    """A node with a tensor in it."""
    return field(4, b"Constant") + field(2, b"out") + field(5, field(1, b"value"), field(5, tensor))


PLACES = {
    "weights": lambda tensor: field(7, field(5, tensor)),
    "a constant": lambda tensor: field(7, field(1, constant(tensor))),
    "sparse weights": lambda tensor: field(7, field(15, field(1, tensor))),
    "a graph in a node": lambda tensor: field(
        7, field(1, field(4, b"If"), field(5, field(1, b"then_branch"), field(6, field(5, tensor))))
    ),
    "a function": lambda tensor: field(7, b"") + field(25, field(7, constant(tensor))),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("external", [ENTRY, field(14, 1), ENTRY + field(14, 1)])
def test_weights_in_other_files_are_refused_wherever_they_are_named(place: str, external: bytes) -> None:
    with pytest.raises(ModelError, match="weights in other files"):
        check_self_contained(OPSET + PLACES[place](TENSOR + external), Path("model.onnx"))
    check_self_contained(OPSET + PLACES[place](PLAIN), Path("model.onnx"))


def test_the_bundled_model_is_self_contained(stereo_card: ModelCard) -> None:
    file = stereo_card.files["onnx"]
    assert read_self_contained(file) == file.read()


@pytest.mark.parametrize("engine", ["opencv", "onnx", "openvino"])
def test_no_engine_follows_a_path_out_of_the_bundle(tmp_path: Path, stereo_card: ModelCard, engine: str) -> None:
    if engine != "opencv":
        pytest.importorskip({"onnx": "onnxruntime"}.get(engine, engine))
    data = OPSET + PLACES["weights"](TENSOR + ENTRY + field(14, 1))
    (tmp_path / "evil.onnx").write_bytes(data)
    file = ModelFile(tmp_path / "evil.onnx", hashlib.sha256(data).hexdigest())
    card = with_files(stereo_card, {"onnx": file})
    with pytest.raises(ModelError, match="weights in other files"):
        open_engine(card, engine, EngineOptions((64, 32), precision="fp32"))


def with_files(card: ModelCard, files: dict[str, ModelFile]) -> ModelCard:
    return type(card)(**{name: getattr(card, name) for name in card.__slots__} | {"files": files})


def numbers(*values: int) -> bytes:
    """A constant of int64."""
    raw = b"".join(value.to_bytes(8, "little", signed=True) for value in values)
    return field(8, b"n") + field(1, len(values)) + field(2, 7) + field(9, raw)


def node(op: bytes, *inputs: bytes) -> bytes:
    return field(1, *(field(1, name) for name in inputs), field(2, b"out"), field(4, op))


HUGE = 1 << 40


@pytest.mark.parametrize(
    ("op", "weights"),
    [
        (b"ConstantOfShape", {b"a": (HUGE,)}),
        (b"ConstantOfShape", {b"a": (1 << 30, 1 << 30, 1 << 30)}),
        (b"Range", {b"a": (0,), b"b": (HUGE,), b"c": (1,)}),
        (b"Expand", {b"a": (1,), b"b": (HUGE,)}),
        (b"Tile", {b"a": (1,), b"b": (HUGE,)}),
        (b"Range", {b"a": (0,), b"b": (9,), b"c": (0,)}),
    ],
)
def test_constants_beyond_all_memory_are_not_made(op: bytes, weights: dict[bytes, tuple[int, ...]]) -> None:
    tensors = [field(5, numbers(*values).replace(b"n", name, 1)) for name, values in weights.items()]
    data = OPSET + field(7, node(op, *weights), *tensors)
    infer(read_onnx(data, Path("model.onnx")))


def test_constants_that_memory_would_hold_are_not_made_either() -> None:
    data = OPSET + field(7, node(b"ConstantOfShape", b"a"), field(5, numbers(1 << 27).replace(b"n", b"a", 1)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    infer(read_onnx(data, Path("model.onnx")))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # KiB; it would take 512 MiB
