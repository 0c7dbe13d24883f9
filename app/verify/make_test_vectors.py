"""Test vectors from the simulated rig, with a host engine's outputs as the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roma_device.app.cameras import open_camera
from roma_device.app.run.rectification_choice import GeometryChoice, choose_rectification
from roma_device.app.simulation.worlds.catalogue import SCENES
from roma_device.calibration.rectify import MapPair
from roma_device.calibration.size import Size
from roma_device.runtime.card import ModelCard, ModelError, TensorSpec
from roma_device.runtime.engine import Array, EngineOptions, allocate
from roma_device.runtime.matching_network import MatchingNetwork, NetworkOptions
from roma_device.runtime.tensors.bfloat16 import from_float32
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
    source, size = source or VectorSource(card), options.size
    check_inputs(card)
    writer, inputs = VectorWriter(root), allocate(card.inputs, size)
    chosen = NetworkOptions(source.engine, options.threads, size[0], options.npu, "fp32")
    with MatchingNetwork(source.card, size, chosen) as network:
        for index in range(count):
            frame, maps = _frame(size, index)
            for described, arrays in ((card, inputs), (source.card, network.engine.inputs)):
                preprocess = Preprocessor(size, InputPlan(size, size), described.normalization, maps)
                preprocess(frame.left.image, frame.right.image, arrays)
            outputs = network.infer()
            writer.add(inputs, {spec.name: _stored(outputs, spec, size) for spec in card.outputs})
    return writer.finish()


def _frame(size: Size, index: int) -> tuple[StereoFrame, tuple[MapPair, MapPair] | None]:
    """The first frame of another scene, or of the same with other textures, for each ``index``, and its maps."""
    scenes = sorted(SCENES)
    scene, seed = scenes[index % len(scenes)], index // len(scenes)
    with open_camera(f"simulated:{scene}?seed={seed}&frames=1&size={size[0]}x{size[1]}") as camera:
        rectification = choose_rectification(GeometryChoice(), camera.calibration, size)
        return next(camera.frames()), rectification.maps(size)


def _stored(outputs: Mapping[str, Array], spec: TensorSpec, size: Size) -> Array:
    """The reference's output as ``spec`` has it; raises ModelError where the reference has no such output."""
    found = outputs.get(spec.name)
    if found is None or found.shape != spec.shape_at(size):
        raise ModelError(f"the reference has no output {spec.name} of shape {spec.shape_at(size)}")
    return from_float32(found) if spec.dtype == "bfloat16" else found.astype(spec.storage, copy=False)
