"""Test vectors from the simulated rig, with a host engine's outputs as the reference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import Array, EngineOptions, open_engine
from roma_device.runtime.input_plan import InputPlan
from roma_device.runtime.preprocess import Preprocessor

from .cameras import open_camera
from .geometry import GeometryChoice, choose_rectification
from .simulation.scenes import SCENES
from .vectors import VectorFolder, VectorWriter

REFERENCE_ENGINE = "opencv"


def make_vectors(
    card: ModelCard, root: Path, options: EngineOptions, count: int, chosen_engine: str = REFERENCE_ENGINE
) -> VectorFolder:
    """Write ``count`` vectors into the new folder ``root``; raises EngineError, ModelError or VectorError."""
    writer = VectorWriter(root)
    engine = open_engine(card, chosen_engine, options)
    try:
        for index in range(count):
            _fill(card, engine.inputs, options.size, index)
            engine.run()
            writer.add(engine.inputs, engine.outputs)
    finally:
        engine.close()
    return writer.finish()


def _fill(card: ModelCard, inputs: Mapping[str, Array], size: tuple[int, int], index: int) -> None:
    """The first frame of another scene, or of the same with other textures, for each ``index``."""
    scenes = sorted(SCENES)
    scene, seed = scenes[index % len(scenes)], index // len(scenes)
    with open_camera(f"simulated:{scene}?seed={seed}&frames=1&size={size[0]}x{size[1]}") as camera:
        rectification = choose_rectification(GeometryChoice(), camera.calibration, size)
        preprocess = Preprocessor(rectification, InputPlan(size, size), card.normalization)
        preprocess(next(camera.frames()), inputs)
