import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from roma_device.runtime.depth import decode_depth_mm, encode_depth_mm

any_depth = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(width=32) | st.floats(-1, 100, width=32),
)


@settings(deadline=None)
@given(any_depth)
def test_each_pixel_is_the_nearest_millimetre_or_unknown(depth_m):
    encoded = encode_depth_mm(depth_m)
    assert encoded.dtype == np.uint16
    assert encoded.shape == depth_m.shape
    for value, code in zip(depth_m.ravel().tolist(), encoded.ravel().tolist(), strict=True):
        fits = np.isfinite(value) and 0 < round(value * 1000) <= 65535
        assert code == (round(value * 1000) if fits else 0)


@settings(deadline=None)
@given(hnp.arrays(np.uint16, (3, 4)))
def test_every_code_survives_decoding_and_encoding(depth_mm):
    np.testing.assert_array_equal(encode_depth_mm(decode_depth_mm(depth_mm)), depth_mm)


@pytest.mark.parametrize(
    ("depth_m", "code"),
    [
        (1.0, 1000),
        (65.535, 65535),
        (65.5354, 65535),
        (65.536, 0),
        (70.0, 0),
        (131.072, 0),
        (1e300, 0),
        (1e308, 0),
        (0.0004, 0),
        (0.0006, 1),
        (0.0, 0),
        (-0.0, 0),
        (-1.0, 0),
        (np.nan, 0),
        (np.inf, 0),
        (-np.inf, 0),
    ],
)
def test_what_the_format_cannot_say_is_unknown(depth_m, code):
    assert encode_depth_mm(np.array([[depth_m]]))[0, 0] == code


def test_unknown_decodes_to_nan_and_the_rest_to_metres():
    decoded = decode_depth_mm(np.array([[0, 1, 65535]], np.uint16))
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, np.array([[np.nan, 0.001, 65.535]], np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_decoding_refuses_images_of_another_type(dtype):
    with pytest.raises(ValueError, match="uint16"):
        decode_depth_mm(np.zeros((2, 2), dtype))
