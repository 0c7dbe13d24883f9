"""Test vectors from the simulated rig, with a host engine's outputs as the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from roma_device.app.cameras import open_camera
from roma_device.app.run.rectification_choice import GeometryChoice, choose_rectification
from roma_device.app.simulation.worlds.catalogue import SCENES
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.size import Size
from roma_device.runtime.card import ModelCard, ModelError, TensorSpec
from roma_device.runtime.engine import Array, EngineOptions, allocate, open_engine
from roma_device.runtime.tensors.bfloat16 import from_float32
from roma_device.runtime.tensors.decode import as_numbers
from roma_device.runtime.tensors.input_plan import InputPlan
from roma_device.runtime.tensors.preprocess import Preprocessor, check_inputs
from roma_device.runtime.types import StereoFrame

from .test_vectors import VectorFolder, VectorWriter

REFERENCE_ENGINE = "opencv"


@dataclass(frozen=True, slots=True)
class VectorSource:
    """What computes the reference outputs: the same network as a host engine runs it."""

    card: ModelCard
    engine: str = REFERENCE_ENGINE


def make_test_vectors(
    card: ModelCard, root: Path, options: EngineOptions, count: int, source: VectorSource | None = None
) -> VectorFolder:
    """Write ``count`` vectors for ``card`` into the new folder ``root``; without ``source`` its own ONNX file is run.

    Inputs and outputs are stored as ``card`` describes them, whatever those of ``source`` are like: images that a
    compiled model takes as uint8 are the same frames that its reference gets as normalized floats.

    Raises EngineError, ModelError or VectorError.
    """
    source = source or VectorSource(card)
    for model in (card, source.card):
        check_inputs(model)
    writer, inputs = VectorWriter(root), allocate(card.inputs, options.size)
    engine = open_engine(source.card, source.engine, replace(options, precision="fp32"))
    try:
        for index in range(count):
            frame, rectification = _frame(options.size, index)
            for model, arrays in ((card, inputs), (source.card, engine.inputs)):
                Preprocessor(rectification, InputPlan(options.size, options.size), model.normalization)(frame, arrays)
            engine.run()
            outputs = as_numbers(engine.outputs, source.card.outputs)
            writer.add(inputs, {spec.name: _stored(outputs, spec, options.size) for spec in card.outputs})
    finally:
        engine.close()
    return writer.finish()


def _frame(size: Size, index: int) -> tuple[StereoFrame, Rectification]:
    """The first frame of another scene, or of the same with other textures, for each ``index``."""
    scenes = sorted(SCENES)
    scene, seed = scenes[index % len(scenes)], index // len(scenes)
    with open_camera(f"simulated:{scene}?seed={seed}&frames=1&size={size[0]}x{size[1]}") as camera:
        return next(camera.frames()), choose_rectification(GeometryChoice(), camera.calibration, size)


def _stored(outputs: Mapping[str, Array], spec: TensorSpec, size: Size) -> Array:
    """The reference's output as ``spec`` has it; raises ModelError where the reference has no such output."""
    found = outputs.get(spec.name)
    if found is None or found.shape != spec.shape_at(size):
        raise ModelError(f"the reference has no output {spec.name} of shape {spec.shape_at(size)}")
    return from_float32(found) if spec.dtype == "bfloat16" else found.astype(spec.storage, copy=False)
