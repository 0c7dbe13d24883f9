"""The filters with a memory: noise is averaged, motion is followed, nothing that left stays."""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.runtime.filters.chain import DepthFilters
from roma_device.runtime.filters.options import PRESETS, DepthOptions, FilterSettings
from roma_device.runtime.filters.temporal import Hysteresis
from roma_device.runtime.types import Matches

SIZE = Size(80, 60)
FRAME_NS = 33_000_000
SURE = np.full((60, 80), 0.9, np.float32)


def scene(disparity_px: float, noise_px: float = 0.0, seed: int = 0) -> Matches:
    noise = np.random.default_rng(seed).normal(0, noise_px, (60, 80)) if noise_px else 0
    return Matches(SURE, (disparity_px + noise + np.zeros((60, 80))).astype(np.float32))


def disparity(filters: DepthFilters, matches: Matches, index: int) -> np.ndarray:
    filtered, _ = filters(matches, 0.5, index * FRAME_NS)
    assert filtered.disparity_px is not None
    return filtered.disparity_px


def test_noise_over_time_falls_to_half_or_less() -> None:
    filters = DepthFilters(PRESETS["smooth"], SIZE)
    steady = np.array([disparity(filters, scene(20, 0.08, seed), seed) for seed in range(30)])[8:]
    has_partner = slice(20, None)
    assert steady[..., has_partner].std(axis=0).mean() < 0.04


def test_what_comes_nearer_is_followed_without_a_lag() -> None:
    filters = DepthFilters(PRESETS["smooth"], SIZE)
    for index in range(12):
        last = disparity(filters, scene(20 + 0.5 * index), index)
    assert np.abs(last - 25.5).max() < 0.3


def test_an_object_that_leaves_is_gone_in_the_same_frame() -> None:
    filters = DepthFilters(PRESETS["smooth"], SIZE)
    with_object = scene(10)
    assert with_object.disparity_px is not None
    with_object.disparity_px[20:40, 30:50] = 30
    for index in range(5):
        disparity(filters, with_object, index)
    assert np.abs(disparity(filters, scene(10), 5) - 10).max() < 0.01


def test_another_scene_and_a_long_pause_forget_the_one_before() -> None:
    filters = DepthFilters(FilterSettings(temporal=0.7, temporal_reset_px=5.0), SIZE)
    disparity(filters, scene(20), 0)
    assert (disparity(filters, scene(21), 1000) == 21).all()
    assert (disparity(filters, scene(40), 1001) == 40).all()
    assert (disparity(filters, scene(41), 5) == 41).all()


def test_a_certainty_that_wavers_around_the_threshold_does_not_flicker() -> None:
    hysteresis = Hysteresis(0.05, 1.0)
    still = np.full((2, 2), 10, np.float32)
    known = [
        hysteresis(still, np.full((2, 2), value, np.float32), 0.5).all() for value in (0.6, 0.47, 0.52, 0.44, 0.52)
    ]
    assert known == [True, True, True, False, False]


def test_hysteresis_holds_nothing_whose_disparity_has_changed() -> None:
    hysteresis = Hysteresis(0.05, 1.0)
    hysteresis(np.full((2, 2), 30, np.float32), np.full((2, 2), 0.9, np.float32), 0.5)
    assert not hysteresis(np.full((2, 2), 10, np.float32), np.full((2, 2), 0.5, np.float32), 0.5).any()


def test_a_key_of_its_own_wins_over_the_preset() -> None:
    assert DepthOptions(preset="smooth", temporal=0.0).filters.temporal == 0
    assert DepthOptions(preset="smooth").filters == PRESETS["smooth"]
    assert DepthOptions(preset="raw", edge_step=0.5, speckle_step_px=3.0).filters.is_off
    assert not DepthOptions(region=(0, 0, 1, 0.5)).filters.is_off
