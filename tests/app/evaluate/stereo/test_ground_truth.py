import struct

import cv2
import numpy as np
import pytest

from roma_device.app.evaluate.stereo.ground_truth import read_disparity, read_grey, read_mask


def png(path, values):
    assert cv2.imwrite(str(path), values)
    return path


def test_8_bit_png_is_divided_by_its_scale_and_zero_is_unknown(tmp_path):
    path = png(tmp_path / "d.png", np.array([[0, 8, 12]], np.uint8))
    disparity = read_disparity(path, 8, 0)
    assert disparity.dtype == np.float32
    np.testing.assert_array_equal(disparity, [[np.nan, 1, 1.5]])


def test_16_bit_png_keeps_all_its_bits(tmp_path):
    path = png(tmp_path / "d.png", np.array([[0, 257, 65535]], np.uint16))
    np.testing.assert_array_equal(read_disparity(path, 256, 0), [[np.nan, 257 / 256, np.float32(65535 / 256)]])


def test_without_an_invalid_value_zero_is_a_disparity(tmp_path):
    path = png(tmp_path / "d.png", np.array([[0, 4]], np.uint8))
    np.testing.assert_array_equal(read_disparity(path, 4, None), [[0, 1]])


def test_grey_saved_as_colour_counts_as_grey(tmp_path):
    path = png(tmp_path / "d.png", np.full((2, 3, 3), 16, np.uint8))
    np.testing.assert_array_equal(read_disparity(path, 16, 0), np.ones((2, 3)))


def test_a_colour_image_is_no_disparity(tmp_path):
    path = png(tmp_path / "d.png", np.array([[[1, 2, 3]]], np.uint8))
    with pytest.raises(ValueError, match=r"d\.png is a colour image"):
        read_disparity(path, 1, 0)


def test_pfm_has_its_first_row_at_the_bottom_and_inf_is_unknown(tmp_path):
    path = tmp_path / "d.pfm"
    path.write_bytes(b"Pf\n1 2\n-1.0\n" + struct.pack("<2f", 3, float("inf")))
    np.testing.assert_array_equal(read_disparity(path, 1, None), [[np.nan], [3]])


def test_the_first_array_of_an_npz_counts(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, np.array([[np.inf, 2.0]]), np.zeros((1, 2)))
    np.testing.assert_array_equal(read_disparity(path, 1, None), [[np.nan, 2]])


def test_npy_takes_integers_and_any_invalid_value(tmp_path):
    path = tmp_path / "d.npy"
    np.save(path, np.array([[-1, 3]], np.int16))
    np.testing.assert_array_equal(read_disparity(path, 2, -1), [[np.nan, 1.5]])


@pytest.mark.parametrize("values", [np.zeros((2, 2, 2)), np.zeros(3), np.array([["a"]])])
def test_an_array_that_is_no_map_of_numbers_is_refused(tmp_path, values):
    np.save(tmp_path / "d.npy", values)
    with pytest.raises(ValueError, match=r"takes \(H, W\) numbers"):
        read_disparity(tmp_path / "d.npy", 1, None)


@pytest.mark.parametrize("name", ["d.npz", "d.npy", "d.png", "d.pfm"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_a_value_error_that_names_it(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        read_disparity(tmp_path / name, 1, None)


def test_pickled_content_is_never_loaded(tmp_path):
    np.save(tmp_path / "d.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"d\.npy"):
        read_disparity(tmp_path / "d.npy", 1, None)


def test_any_value_but_zero_is_inside_the_mask(tmp_path):
    path = png(tmp_path / "m.png", np.array([[0, 1, 128, 255]], np.uint8))
    np.testing.assert_array_equal(read_mask(path), [[False, True, True, True]])


def test_colour_images_become_grey(tmp_path):
    colour = np.zeros((2, 3, 3), np.uint8)
    colour[..., 1] = 100
    grey = read_grey(png(tmp_path / "i.png", colour))
    assert grey.shape == (2, 3)
    assert grey.dtype == np.uint8
    assert set(np.unique(grey)) <= {58, 59}
