"""The dense path from bundle to pose, with an engine that knows the warp."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roma_device.app.evaluate.pose.report import pose_error_deg
from roma_device.app.matchers import open_matcher
from roma_device.app.simulation.two_views import TwoViewSpec, simulate_dense
from roma_device.runtime import engine
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import EngineOptions
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose

CARD = """\
name: known
task: two_view
files:
  onnx: {{file: known.onnx, sha256: {digest}}}
inputs:
  - {{name: left, shape: [1, 1, -1, -1], dtype: float32}}
  - {{name: right, shape: [1, 1, -1, -1], dtype: float32}}
outputs:
  - {{name: warp, shape: [1, 2, -1, -1], dtype: float32, stride: "4"}}
  - {{name: certainty, shape: [1, 1, -1, -1], dtype: float32, stride: "4"}}
normalization: preprocess
convention: test
size_multiple: 32
default_size: [640, 480]
"""
MATCHES, CAMERA, B_FROM_A = simulate_dense(TwoViewSpec(outliers=0, noise_px=0), 2, cell_px=32)


class KnownWarp:
    """Gives the simulated warp at a quarter of the resolution, in the coordinates of the network."""

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        width, height = options.size
        self.inputs: Mapping[str, Any] = engine.allocate(card.inputs, options.size)
        pixels = MATCHES.warp[1::4, 1::4] / 2 + MATCHES.warp[2::4, 2::4] / 2  # at the centres of cells of 4 px
        warp = (2 * (pixels + 0.5) / np.array([width, height]) - 1).transpose(2, 0, 1)
        logit = np.where((np.abs(warp) < 1).all(axis=0), 4.0, -8.0)
        self.outputs: Mapping[str, Any] = {
            "warp": warp[None].astype(np.float32),
            "certainty": logit[None, None].astype(np.float32),
        }

    def run(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to free."""


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "known.onnx").write_bytes(b"none")
    (tmp_path / "card.yaml").write_text(CARD.format(digest=hashlib.sha256(b"none").hexdigest()))
    monkeypatch.setattr(engine, "engine_class", lambda name: KnownWarp)
    return tmp_path


@pytest.mark.parametrize("scale", [1, 2])
def test_pose_through_a_two_view_bundle(bundle: Path, scale: int) -> None:
    """The second image may have another size: its pixels are those of its own camera."""
    matcher = open_matcher(str(bundle), NetworkOptions(engine="opencv"))
    other = CAMERA.scaled((640 * scale, 480 * scale))
    pairs = matcher.match(np.zeros((480, 640), np.uint8), np.zeros((480 * scale, 640 * scale), np.uint8))
    matcher.close()
    assert len(pairs) > 1000 and pairs.block is not None
    found = estimate_relative_pose(pairs, CAMERA, other)
    assert found.state == "ok" and pose_error_deg(found.b_from_a, B_FROM_A) < 0.5
