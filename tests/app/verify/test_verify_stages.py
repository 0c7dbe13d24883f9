"""Verification of a model of several graphs: each by itself on its real inputs, and the whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.model_store import find_model
from roma_device.app.verify.compare import verify
from roma_device.app.verify.limits import REFINED_LIMITS, LimitChoice, VerifyLimits
from roma_device.app.verify.test_vectors import VectorFolder, make_test_vectors
from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import EngineOptions

OPTIONS = EngineOptions(Size(96, 64), threads=1, precision="fp32")


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return find_model("stereo-large")


@pytest.fixture(scope="module")
def vectors(card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> VectorFolder:
    return make_test_vectors(card, tmp_path_factory.mktemp("vectors") / "all", OPTIONS, 1)


def test_the_engine_that_made_them_passes_with_all_graphs(card: ModelCard, vectors: VectorFolder) -> None:
    report = verify(card, "opencv", OPTIONS, vectors, LimitChoice())
    assert not report.failures and list(report.stages) == ["matching", "refinement"]
    assert report.effect is not None and report.effect.max_px == 0
    for stage in report.stages.values():
        assert stage.effect is not None and stage.effect.max_px == 0
        assert all(error.max_abs == 0 for error in stage.outputs.values())
    assert "model: stereo-large/refinement" in report.as_text() and report.as_json()["stages"]["matching"]["passed"]


def test_a_graph_that_others_refine_may_be_further_off(card: ModelCard, vectors: VectorFolder) -> None:
    stages = verify(card, "opencv", OPTIONS, vectors, LimitChoice(min_cosine=0.5)).stages
    assert stages["matching"].limits == dataclasses.replace(REFINED_LIMITS, min_cosine=0.5)
    assert stages["refinement"].limits == VerifyLimits(min_cosine=0.5)
    chosen = verify(card, "opencv", OPTIONS, vectors, LimitChoice(max_mean_px=0.1)).stages
    assert {stage.limits.max_mean_px for stage in chosen.values()} == {0.1}


def test_the_vendors_layout_holds_for_each_graph(card: ModelCard, vectors: VectorFolder) -> None:
    folder = VectorFolder.open(vectors.root / "refinement")
    names = {path.name for path in (folder.root / "input" / folder.names[0]).iterdir()}
    assert names == {"left.bin", "warped.bin", "disparity.bin", "hints.bin"}


def test_the_graph_that_is_wrong_is_named(card: ModelCard, vectors: VectorFolder) -> None:
    path = vectors.root / "refinement" / "output" / vectors.names[0] / "parts.bin"
    kept = path.read_bytes()
    path.write_bytes((np.frombuffer(kept, np.float32) + 2).tobytes())
    try:
        failures = verify(card, "opencv", OPTIONS, vectors, LimitChoice(min_cosine=-1)).failures
    finally:
        path.write_bytes(kept)
    assert failures and all(each.startswith("refinement: ") for each in failures)


def test_without_vectors_of_the_graphs_the_whole_is_verified(
    card: ModelCard, vectors: VectorFolder, tmp_path: Path
) -> None:
    for part in ("list.txt", "input", "output"):
        (tmp_path / part).symlink_to(vectors.root / part)
    report = verify(card, "opencv", OPTIONS, dataclasses.replace(vectors, root=tmp_path), LimitChoice())
    assert not report.failures and not report.stages
