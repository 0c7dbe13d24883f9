from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.runtime.card import ModelCard
from roma_device.runtime.onnx.graph import read_onnx
from roma_device.runtime.onnx.protobuf import ProtobufError, with_input_size


@settings(max_examples=15, deadline=None)
@given(width=st.integers(1, 1 << 20), height=st.integers(1, 1 << 20))
def test_inputs_get_the_size_and_nothing_else_moves(stereo_card: ModelCard, width: int, height: int) -> None:
    data = stereo_card.files["onnx"].read()
    fixed = with_input_size(data, (width, height))
    assert len(fixed) == len(data) and (np.frombuffer(fixed, np.uint8) != np.frombuffer(data, np.uint8)).sum() <= 30
    graph = read_onnx(fixed, Path("fixed.onnx"))
    assert [one.shape for one in graph.inputs.values()] == [(1, 1, height, width)] * 2


def test_a_size_that_is_fixed_stays(stereo_card: ModelCard) -> None:
    fixed = with_input_size(stereo_card.files["onnx"].read(), (640, 320))
    assert with_input_size(fixed, (320, 160)) == fixed


def test_what_is_no_model_is_told() -> None:
    with pytest.raises(ProtobufError):
        with_input_size(b"\xff" * 9, (640, 320))
