"""Who matches where nobody is named, and what happens where no engine runs the network."""

from __future__ import annotations

import numpy as np
import pytest

from roma_device.app.matchers import DEFAULT_MATCHER, WITHOUT_ENGINE, FallbackMatcher, open_matcher
from roma_device.calibration.arrays import Image
from roma_device.runtime.engine import EngineError
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.matching_network import NetworkOptions

IMAGE = np.zeros((8, 8), np.uint8)


class Scripted:
    """Fails when its script says so."""

    def __init__(self, name: str, *works: bool) -> None:
        self.name, self._works, self.closed = name, list(works), False

    def match(self, a: Image, b: Image) -> PointPairs:
        if not self._works.pop(0):
            raise EngineError("no engine can run this model")
        return PointPairs.none()

    def close(self) -> None:
        self.closed = True


def test_the_second_takes_over_where_the_first_cannot_begin() -> None:
    first, second = Scripted("network", False), Scripted("features", True, True)
    matcher = FallbackMatcher(first, second)
    assert matcher.name == "network"
    matcher.match(IMAGE, IMAGE)
    matcher.match(IMAGE, IMAGE)
    assert matcher.name == "features" and first.closed and not second.closed


def test_an_engine_that_fails_later_is_not_replaced_in_silence() -> None:
    first, second = Scripted("network", True, False), Scripted("features")
    matcher = FallbackMatcher(first, second)
    matcher.match(IMAGE, IMAGE)
    with pytest.raises(EngineError):
        matcher.match(IMAGE, IMAGE)
    matcher.close()
    assert matcher.name == "network" and first.closed and second.closed


def test_an_engine_that_is_named_has_to_run() -> None:
    assert isinstance(open_matcher(None, NetworkOptions()), FallbackMatcher)
    named = open_matcher(None, NetworkOptions(engine="ax"))
    assert named.name == DEFAULT_MATCHER and not isinstance(named, FallbackMatcher)


@pytest.mark.slow
def test_the_default_matches_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    """By the network, or with OpenCV 4 alone by features."""
    noise = np.random.default_rng(0).integers(0, 255, (96, 128), dtype=np.uint8)
    image = np.repeat(np.repeat(noise, 2, axis=0), 2, axis=1)
    matcher = open_matcher(None, NetworkOptions(threads=1))
    pairs = matcher.match(image, np.roll(image, 3, axis=1))
    assert matcher.name in (DEFAULT_MATCHER, WITHOUT_ENGINE) and len(pairs) > 50
    assert np.median(np.abs(pairs.b - pairs.a - [3, 0])) < 0.5
    matcher.close()
