"""Maps of one row or column are resized as larger ones are, by whichever OpenCV is there."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import Array, EngineOptions, open_engine
from roma_device.runtime.onnx.single_rows import with_doubled_rows

from .axmodel_file import field, tensor

CHANNELS = 3


def model(size: Size, by: str) -> bytes:
    """A linear Resize to twice the size, by its scales or by the size itself."""
    scales = field(1, 4) + field(2, 1) + field(8, "scales") + field(9, struct.pack("<4f", 1, 1, 2, 2))
    words = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    attributes = (field(5, field(1, key) + field(4, word) + field(20, 3)) for key, word in words.items())
    names = ("x", "", "scales") if by == "scales" else ("x", "", "", "sizes")
    resize = b"".join([*(field(1, name) for name in names), field(2, "y"), field(4, "Resize"), *attributes])
    shapes = (1, CHANNELS, size.height, size.width), (1, CHANNELS, 2 * size.height, 2 * size.width)
    sizes = field(1, 4) + field(2, 7) + field(8, "sizes") + field(9, struct.pack("<4q", *shapes[1]))
    values = field(11, tensor("x", shapes[0])), field(12, tensor("y", shapes[1]))
    graph = field(1, resize) + field(2, "g") + field(5, scales) + field(5, sizes) + b"".join(values)
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


def resized(data: bytes, x: Array) -> Array:
    classic = getattr(cv2.dnn, "ENGINE_CLASSIC", None)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8), *(() if classic is None else (classic,)))
    net.setInput(x, "x")
    return np.asarray(net.forward())


@pytest.mark.parametrize("by", ["scales", "sizes"])
@pytest.mark.parametrize("size", [Size(1, 1), Size(5, 1), Size(1, 4)])
def test_the_values_are_those_between_equal_rows(size: Size, by: str) -> None:
    x = np.random.default_rng(1).normal(size=(1, CHANNELS, size.height, size.width)).astype(np.float32)
    got = resized(with_doubled_rows(model(size, by), size, Path("m.onnx")), x)
    rows, columns = (np.clip((np.arange(2 * n) + 0.5) / 2 - 0.5, 0, n - 1) for n in (size.height, size.width))
    length = max(size.width, size.height)
    place = columns if size.height == 1 else rows
    line = x.reshape(CHANNELS, length)
    along = np.stack([np.interp(place, np.arange(length), channel) for channel in line])
    expected = np.repeat(along[:, None], 2, 1) if size.height == 1 else np.repeat(along[..., None], 2, 2)
    np.testing.assert_allclose(got[0], expected, atol=1e-5)


def test_other_maps_stay_as_they_are() -> None:
    data = model(Size(5, 2), "scales")
    assert with_doubled_rows(data, Size(5, 2), Path("m.onnx")) is data


@pytest.mark.parametrize("size", [Size(64, 32), Size(32, 64)])
def test_opencv_agrees_with_onnxruntime_where_the_deepest_map_is_a_line(stereo_card: ModelCard, size: Size) -> None:
    pytest.importorskip("onnxruntime")
    left = np.random.default_rng(2).normal(size=(1, 1, size.height, size.width)).astype(np.float32)
    found = []
    for name in ("opencv", "onnx"):
        engine = open_engine(stereo_card.first_alone(), name, EngineOptions(size, threads=1, precision="fp32"))
        engine.inputs["left"][...], engine.inputs["right"][...] = left, np.roll(left, -3, 3)
        engine.run()
        found.append({key: array.copy() for key, array in engine.outputs.items()})
        engine.close()
    for key, array in found[0].items():
        np.testing.assert_allclose(array, found[1][key], atol=1e-3)
