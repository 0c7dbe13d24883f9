"""Arrays from elsewhere: the same numbers arrive, or an error says why not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from roma_device.runtime.engine import EngineError
from roma_device.runtime.tensors.inputs import set_inputs

SHAPE = (1, 1, 3, 4)
TARGETS = st.sampled_from(["float32", "uint8", "int8", "uint16", "int16"])
ARRAYS = nps.arrays(
    st.one_of(
        nps.integer_dtypes(), nps.unsigned_integer_dtypes(), nps.floating_dtypes(sizes=(16, 32)), nps.boolean_dtypes()
    ),
    SHAPE,
)


@given(ARRAYS, TARGETS, st.sampled_from(["C", "F"]))
def test_numbers_arrive_or_are_refused(array: np.ndarray, target: str, order: str) -> None:
    inputs = {"left": np.full(SHAPE, 7, target)}
    try:
        set_inputs(inputs, {"left": np.asarray(array, order=order)})  # type: ignore[call-overload]
    except EngineError as error:
        assert str(error).startswith(f"input left takes {target}") and (inputs["left"] == 7).all()
    else:
        assert np.array_equal(inputs["left"].astype(object), array.astype(object), equal_nan=False) or (
            np.isnan(array.astype(np.float64)).any()
        )


def test_float64_is_rounded() -> None:
    inputs = {"left": np.zeros(SHAPE, np.float32)}
    set_inputs(inputs, {"left": np.full(SHAPE, 1 / 3)})
    assert (inputs["left"] == np.float32(1 / 3)).all()


@pytest.mark.parametrize("shape", [(), (4,), (1, 1, 1, 4), (1, 1, 4, 3), (1, 1, 3, 4, 1), (3, 4), (0,)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    """numpy would repeat most of these."""
    inputs = {"left": np.zeros(SHAPE, np.float32)}
    with pytest.raises(EngineError, match="input left takes the shape 1x1x3x4, not "):
        set_inputs(inputs, {"left": np.ones(shape, np.float32)})
    assert not inputs["left"].any()


def test_nothing_is_written_unless_all_fits() -> None:
    inputs = {name: np.zeros(SHAPE, np.float32) for name in ("left", "right")}
    with pytest.raises(EngineError, match="input right"):
        set_inputs(inputs, {"left": np.ones(SHAPE, np.float32), "right": np.ones((2, 2), np.float32)})
    assert not inputs["left"].any()


@pytest.mark.parametrize("names", [(), ("left",), ("left", "right", "middle"), ("a", "b")])
def test_all_inputs_and_no_others(names: tuple[str, ...]) -> None:
    inputs = {name: np.zeros(SHAPE, np.float32) for name in ("left", "right")}
    with pytest.raises(EngineError, match="the network takes left, right; given is "):
        set_inputs(inputs, {name: np.ones(SHAPE, np.float32) for name in names})
