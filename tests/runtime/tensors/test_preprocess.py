from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.calibration.arrays import Image, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.card import ModelCard, ModelError
from roma_device.runtime.grey import grey
from roma_device.runtime.tensors.bfloat16 import from_float32
from roma_device.runtime.tensors.inputs import InputPlan, plan_input
from roma_device.runtime.tensors.preprocess import Preprocessor, value_table


def tensors(size: tuple[int, int]) -> dict[str, np.ndarray]:
    return {name: np.full((1, 1, size[1], size[0]), np.nan, np.float32) for name in ("left", "right")}


def photo(seed: int, size: tuple[int, int] = (64, 32), low: int = 0, high: int = 256) -> Image:
    return np.random.default_rng(seed).integers(low, high, (size[1], size[0]), dtype=np.uint8)


def instance_norm(image: Image) -> np.ndarray:
    """The definition, in float64: biased variance, eps 1e-5, grey in [0, 1]."""
    x = image.astype(np.float64) / 255
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), low=st.integers(0, 200), span=st.integers(1, 55))
def test_normalization_is_instance_norm_of_each_image(seed: int, low: int, span: int) -> None:
    left, right = photo(seed, low=low, high=low + span), photo(seed + 1)
    inputs = tensors((64, 32))
    Preprocessor((64, 32), InputPlan((64, 32), (64, 32)), "preprocess")(left, right, inputs)
    assert np.abs(inputs["left"][0, 0] - instance_norm(left)).max() < 2e-4
    assert np.abs(inputs["right"][0, 0] - instance_norm(right)).max() < 2e-4


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), low=st.integers(0, 254), span=st.integers(1, 255))
def test_tensors_are_the_table_looked_up_whatever_the_type(seed: int, low: int, span: int) -> None:
    image = photo(seed, low=low, high=min(low + span, 255) + 1)
    table = value_table(image, "preprocess")
    inputs = {"left": np.empty((1, 1, 32, 64), np.float32), "right": np.empty((1, 1, 32, 64), np.uint16)}
    Preprocessor((64, 32), InputPlan((64, 32), (64, 32)), "preprocess")(image, image, inputs)
    assert np.abs(inputs["left"][0, 0] - table[image]).max() <= 1e-6 * np.abs(table).max()
    assert np.array_equal(inputs["right"][0, 0], from_float32(table)[image])


def test_colour_frames_of_any_size_leave_those_before_alone() -> None:
    """The buffer for grey is the program's own: images that were given stay as they are."""
    colour = np.dstack([photo(seed) for seed in range(3)])
    before, inputs = colour.copy(), tensors((64, 32))
    preprocess = Preprocessor((64, 32), InputPlan((64, 32), (64, 32)), "preprocess")
    preprocess(colour, photo(9), inputs)
    preprocess(photo(8), colour, inputs)
    assert np.array_equal(colour, before)
    assert np.abs(inputs["left"][0, 0] - instance_norm(photo(8))).max() < 2e-4
    assert np.abs(inputs["right"][0, 0] - instance_norm(grey(colour))).max() < 2e-4


def test_flat_image_stays_finite() -> None:
    inputs = tensors((64, 32))
    flat = np.full((32, 64), 7, np.uint8)
    Preprocessor((64, 32), InputPlan((64, 32), (64, 32)), "preprocess")(flat, flat, inputs)
    assert not inputs["left"].any() and not inputs["right"].any()


def test_without_normalization_grey_goes_in_as_it_is() -> None:
    inputs = tensors((64, 32))
    image = photo(3)
    Preprocessor((64, 32), InputPlan((64, 32), (64, 32)), "in_graph")(image, image, inputs)
    assert np.allclose(inputs["left"][0, 0], image / 255)


def test_padding_repeats_the_border_and_leaves_the_statistics_alone() -> None:
    inputs = tensors((96, 64))
    image = photo(4, (64, 32))
    Preprocessor((64, 32), InputPlan((64, 32), (96, 64)), "preprocess")(image, image, inputs)
    tensor = inputs["left"][0, 0]
    assert np.abs(tensor[:32, :64] - instance_norm(image)).max() < 2e-4
    assert (tensor[:32, 64:] == tensor[:32, 63:64]).all()
    assert (tensor[32:] == tensor[31]).all()


def test_colour_and_grey_cameras_give_the_same() -> None:
    image = photo(5)
    assert np.array_equal(grey(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)), image)


def turned_rig() -> Rectification:
    camera = CameraModel(
        (128, 96), np.array([[100, 0, 62], [0, 101, 50], [0, 0, 1.0]]), np.array([-0.2, 0.05, 0, 0, 0])
    )
    pose = Pose.from_rotation_vector([0.01, -0.02, 0.015], [-0.1, 0.002, 0.001])
    return Rectification.from_calibration(StereoCalibration(camera, camera, pose))


def test_rectified_images_of_the_cameras_size_stay_for_others() -> None:
    maps, inputs, images = turned_rig().maps((128, 96)), tensors((128, 96)), [photo(seed, (128, 96)) for seed in (1, 2)]
    preprocess = Preprocessor((128, 96), InputPlan((128, 96), (128, 96)), "none", maps, keeps_rectified=True)
    preprocess(*images, inputs)
    kept = preprocess.rectified
    assert kept is not None
    for image, name in zip(kept, ("left", "right"), strict=True):
        assert np.abs(inputs[name][0, 0] * 255 - image).max() < 1e-3
    before = kept[0].copy()
    preprocess(*images[::-1], inputs)
    assert np.array_equal(kept[0], before)
    smaller = Preprocessor((128, 96), InputPlan((64, 48), (64, 48)), "none", turned_rig().maps((64, 48)), True)
    smaller(*images, tensors((64, 48)))
    assert smaller.rectified is None


def test_rectification_and_resizing_are_one_resampling() -> None:
    """The tensor equals the raw image looked up where rectified network pixels come from."""
    rectification = turned_rig()
    y, x = np.mgrid[:96, :128].astype(np.float32)
    smooth = (127 + 60 * np.sin(x / 9) + 60 * np.cos(y / 7)).astype(np.uint8)
    inputs = tensors((64, 64))
    Preprocessor((64, 48), InputPlan((64, 48), (64, 64)), "none", rectification.maps((64, 48)))(smooth, smooth, inputs)
    maps = rectification.maps((64, 48))
    assert maps is not None
    (left_x, left_y), _ = maps
    expected = 127 + 60 * np.sin(left_x / 9) + 60 * np.cos(left_y / 7)
    inside = (left_x > 1) & (left_x < 126) & (left_y > 1) & (left_y < 94)
    assert np.abs(inputs["left"][0, 0, :48] * 255 - expected)[inside].max() < 4


def test_wrong_tensor_type_is_refused() -> None:
    inputs = {name: np.zeros((1, 3, 32, 64), np.float32) for name in ("left", "right")}
    with pytest.raises(ModelError, match="cannot fill an input of shape"):
        Preprocessor((64, 32), InputPlan((64, 32), (64, 32)), "none")(photo(0), photo(1), inputs)


@pytest.mark.parametrize(
    ("image", "width", "content", "network"),
    [
        ((640, 320), 640, (640, 320), (640, 320)),
        ((1242, 375), 640, (640, 193), (640, 224)),
        ((430, 381), 640, (640, 567), (640, 576)),
        ((640, 480), 330, (330, 248), (352, 256)),
        ((60, 1920), 640, (80, 2560), (96, 2560)),
        ((400, 3000), 640, (400, 3000), (416, 3008)),
    ],
)
def test_plan_keeps_the_aspect_and_pads(
    stereo_card: ModelCard, image: tuple[int, int], width: int, content: tuple[int, int], network: tuple[int, int]
) -> None:
    assert plan_input(stereo_card, image, width) == InputPlan(content, network)


def test_a_card_may_ask_for_larger_images(stereo_card: ModelCard) -> None:
    larger = replace(stereo_card, enlarge=1.5)
    assert plan_input(larger, Size(1280, 720), 640) == InputPlan((960, 540), (960, 544))
