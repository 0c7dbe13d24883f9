from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from model.data.two_view_pairs import TwoViewBatch, own_positions  # noqa: E402
from model.studies.two_view_score import measured, report  # noqa: E402
from model.tiny_roma.config import TinyRomaConfig  # noqa: E402
from model.tiny_roma.export import write_bundle  # noqa: E402
from model.tiny_roma.network import TinyRoma  # noqa: E402
from roma_device.runtime.card import load_card  # noqa: E402
from roma_device.runtime.engine import EngineOptions, open_engine  # noqa: E402


def test_table_says_how_often_each_certainty_is_right() -> None:
    certainty = np.repeat([0.25, 0.95], 100)
    error_px = np.concatenate([np.repeat([0.5, 5.0, np.inf], [25, 50, 25]), np.repeat([0.2, 9.0], [95, 5])])
    text = report(certainty, error_px).splitlines()
    assert text[0].startswith("175 matches known: median 0.20 px, 54.3 % within 0.5 px, 68.6 % within 1 px")
    assert [line.split() for line in text[2:4]] == [
        ["0.2", "to", "0.3", "100", "25.0", "%", "25.0", "%"],
        ["0.9", "to", "1.0", "100", "95.0", "%", "95.0", "%"],
    ]
    assert text[-1] == "of the 50.0 % with at least 0.5: median 0.20 px"


def test_errors_are_those_of_the_exported_warp(tmp_path: Path) -> None:
    """The truth is the identity; one half of the image is hidden."""
    torch.manual_seed(0)
    network = TinyRoma(TinyRomaConfig.load("tiny_fine")).eval()
    write_bundle(network, (128, 96), tmp_path / "b", "b")
    card = load_card(tmp_path / "b")
    engine = open_engine(card, "onnx", EngineOptions((128, 96), 1))
    a, b = torch.rand(2, 1, 1, 96, 128)
    seen = torch.ones(1, 96, 128, dtype=torch.bool)
    seen[..., 64:] = False
    own = own_positions(96, 128, torch.device("cpu"))
    certainty, error_px = measured(engine, 4, TwoViewBatch(a, b, own, seen))
    warp, logit = engine.outputs["warp"].copy(), engine.outputs["certainty"].copy()
    off = (warp - own_positions(24, 32, torch.device("cpu")).numpy()) * np.array([64, 48]).reshape(1, 2, 1, 1)
    expected = np.hypot(off[0, 0], off[0, 1])
    assert np.allclose(error_px.reshape(24, 32)[:, :16], expected[:, :16], atol=1e-3)
    assert np.isinf(error_px.reshape(24, 32)[:, 16:]).all()
    assert np.allclose(certainty.reshape(24, 32), 1 / (1 + np.exp(-logit[0, 0])), atol=1e-5)
