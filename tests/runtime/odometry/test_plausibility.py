"""What a rig can do, and what a motion has to rest on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roma_device.calibration.pose import Pose
from roma_device.runtime.odometry.plausibility import (
    Support,
    implausibility,
    judge_support,
    predict_constant_velocity,
)

GOOD = Support(inliers=200, ratio=0.9, spread=0.9, rival=0.0, sigma_share=0.001)


def moved(shift_m: float, turn_rad: float = 0.0) -> Pose:
    return Pose.from_rotation_vector([0, turn_rad, 0], [0, 0, shift_m])


def test_good_support_is_ok() -> None:
    verdict = judge_support(GOOD)
    assert verdict.state == "ok" and verdict.reasons == ()


@pytest.mark.parametrize(
    ("change", "state", "said"),
    [
        ({"inliers": 30}, "degraded", "30 points"),
        ({"inliers": 10}, "lost", "10 points"),
        ({"ratio": 0.4}, "degraded", "40 %"),
        ({"ratio": 0.2}, "lost", "20 %"),
        ({"spread": 0.2}, "degraded", "cover 20 %"),
        ({"spread": 0.05}, "lost", "cover 5 %"),
        ({"rival": 0.6}, "degraded", "moves by itself"),
        ({"sigma_share": 0.2}, "degraded", "poorly known"),
    ],
)
def test_weak_support_is_said(change: dict[str, float], state: str, said: str) -> None:
    verdict = judge_support(replace(GOOD, **change))
    assert verdict.state == state and said in verdict.reasons[0]


def test_what_a_car_and_a_hand_do_is_plausible() -> None:
    assert implausibility(moved(3.0), moved(2.9), 0.1, 0.01) is None  # 30 m/s, braking with 10 m/s^2
    assert implausibility(moved(0.05, 0.1), moved(0.03, 0.0), 1 / 30, 0.001) is None  # a hand that turns a camera away
    assert implausibility(moved(3.0), None, 0.1, 0.01) is None


@pytest.mark.parametrize(
    ("motion", "expected"),
    [(moved(7.0), None), (moved(0.0, 2.0), None), (moved(2.0), moved(0.0)), (moved(-1.0), moved(1.0))],
)
def test_what_nothing_does_is_refused(motion: Pose, expected: Pose | None) -> None:
    reason = implausibility(motion, expected, 0.1, 0.01)
    assert reason is not None and "not possible" in reason


def test_a_poorly_known_translation_widens_the_gate() -> None:
    assert implausibility(moved(2.0), moved(0.0), 0.1, 1.0) is None
    assert implausibility(moved(7.0), None, 0.1, 0.01) and implausibility(moved(7.0), None, 0.1, 0.5) is None


def test_a_constant_speed_is_carried_over_a_longer_interval() -> None:
    """0.1 m in 0.1 s; three frames are missing, so 0.4 m are expected in the next 0.4 s."""
    before, last = (0, moved(0.0)), (10**8, moved(0.1))
    prediction = predict_constant_velocity(last, before, 5 * 10**8, lost=False)
    assert prediction.expected.translation_m == pytest.approx([0, 0, 0.5])
    assert prediction.elapsed_s == pytest.approx(0.4)
    assert predict_constant_velocity(last, before, 3 * 10**9, lost=False).expected.translation_m[2] == 0.1  # too long


def test_only_what_was_seen_in_the_last_frame_tells_a_jump() -> None:
    before, last, jump = (0, moved(0.0)), (10**8, moved(0.0)), moved(2.0)
    assert "jump" in str(predict_constant_velocity(last, before, 2 * 10**8, lost=False).refuses(jump, 0.01))
    assert predict_constant_velocity(last, before, 2 * 10**8, lost=True).refuses(jump, 0.01) is None
    assert predict_constant_velocity(last, None, 2 * 10**8, lost=False).refuses(jump, 0.01) is None
