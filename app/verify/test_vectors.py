"""Golden test vectors on disk, in the folder layout of the NPU vendor's ``pulsar2 run`` and ``ax_run_model``.

``DIR/list.txt`` names one sub-folder per line; ``DIR/input/LINE/NAME.bin`` and ``DIR/output/LINE/NAME.bin``
hold the tensors of that line, raw bytes in C order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from roma_device.app.cameras import open_camera
from roma_device.app.run.from_settings import GeometryChoice, choose_rectification
from roma_device.app.simulation.worlds.catalogue import SCENES
from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import RomaError
from roma_device.calibration.rectify import MapPair
from roma_device.calibration.storage.files import read_bytes, read_text
from roma_device.runtime.card import ModelCard, ModelError, TensorSpec
from roma_device.runtime.engine import Array, Engine, EngineOptions, allocate
from roma_device.runtime.engines.staged import StagedEngine
from roma_device.runtime.matching_network import MatchingNetwork, NetworkOptions
from roma_device.runtime.tensors.bfloat16 import from_float32
from roma_device.runtime.tensors.inputs import InputPlan, set_inputs
from roma_device.runtime.tensors.preprocess import Preprocessor, check_inputs
from roma_device.runtime.types import StereoFrame

from .stage_vectors import record_stages, stage_folders

LIST, INPUT, OUTPUT = "list.txt", "input", "output"


class VectorError(RomaError):
    """Vectors that are missing, incomplete or of another size than the model's tensors."""

    exit_code = os.EX_DATAERR


def file_name(tensor: str) -> str:
    """The file of the tensor ``tensor``: the vendor's tools replace all but letters, digits, - and _."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", tensor) + ".bin"


@dataclass(frozen=True, slots=True)
class VectorFolder:
    """A folder of vectors; ``names`` are the lines of its list."""

    root: Path
    names: tuple[str, ...]

    @classmethod
    def open(cls, root: Path) -> VectorFolder:
        """Raises VectorError where the list is missing, empty or not text."""
        path = root / LIST
        lines = read_text(path, error=VectorError).splitlines()
        names = tuple(line.strip() for line in lines if line.strip())
        if not names:
            raise VectorError(f"{path}: the list is empty; it names one sub-folder of {INPUT}/ per line")
        return cls(root, names)

    def read_inputs(self, name: str, tensors: Mapping[str, Array]) -> None:
        """Fill ``tensors`` from ``input/NAME``; raises VectorError for what does not fit them byte for byte."""
        set_inputs(tensors, dict(_read(self.root / INPUT / name, tensors)))

    def read_outputs(self, name: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """New arrays from ``output/NAME``, shaped like ``tensors``; raises VectorError as read_inputs."""
        return dict(_read(self.root / OUTPUT / name, tensors))


class VectorWriter:
    """Writes a folder of vectors, one line at a time; the list comes last, so that a broken folder has none."""

    def __init__(self, root: Path) -> None:
        """Raises VectorError where ``root`` exists and is not an empty folder."""
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise VectorError(f"{root}: vectors go into a new or empty folder only", exit_code=os.EX_CANTCREAT)
        self._root = root
        self._names: list[str] = []

    def add(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        """Write both sides of the next line; raises VectorError where the disk refuses."""
        name = f"{len(self._names):06d}"
        try:
            _write(self._root / INPUT / name, inputs)
            _write(self._root / OUTPUT / name, outputs)
        except OSError as error:
            raise _unwritable(self._root, error) from None
        self._names.append(name)

    def finish(self) -> VectorFolder:
        """Write the list and return the finished folder."""
        try:
            (self._root / LIST).write_text("".join(f"{name}\n" for name in self._names))
        except OSError as error:
            raise _unwritable(self._root, error) from None
        return VectorFolder(self._root, tuple(self._names))


def _read(folder: Path, tensors: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    _refuse_unknown_files(folder, tensors)
    for tensor, like in tensors.items():
        path = folder / file_name(tensor)
        data = read_bytes(path, error=VectorError)
        if len(data) != like.nbytes:
            shape = "x".join(map(str, like.shape))
            raise VectorError(f"{path}: {len(data)} bytes, but {shape} of {like.dtype} takes {like.nbytes}")
        yield tensor, np.frombuffer(data, like.dtype).reshape(like.shape)


def _refuse_unknown_files(folder: Path, tensors: Mapping[str, Array]) -> None:
    """A file that no tensor asks for means vectors of another model."""
    if not folder.is_dir():
        raise VectorError(f"{folder}: no such folder, though {LIST} names it", exit_code=os.EX_NOINPUT)
    known = sorted(map(file_name, tensors))
    for path in sorted(folder.glob("*.bin")):
        if path.name not in known:
            raise VectorError(f"{path}: the model has no such tensor; its files here are {', '.join(known)}")


def _write(folder: Path, tensors: Mapping[str, Array]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for tensor, array in tensors.items():
        (folder / file_name(tensor)).write_bytes(array.tobytes())


def _unwritable(path: Path, error: OSError) -> VectorError:
    return VectorError(f"{path}: cannot write vectors ({error.strerror})", exit_code=os.EX_CANTCREAT)


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
    stages = _StageWriters(card, root)
    with network_at(source.card, source.engine, replace(options, precision="fp32")) as network:
        for index in range(count):
            frame, maps = _frame(size, index)
            for described, arrays in ((card, inputs), (source.card, network.engine.inputs)):
                preprocess = Preprocessor(size, InputPlan(size, size), described.normalization, maps)
                preprocess(frame.left.image, frame.right.image, arrays)
            outputs = network.infer()
            writer.add(inputs, {spec.name: _stored(outputs, spec, size) for spec in card.outputs})
            stages.add(network.engine, source.card, size)
    stages.finish()
    return writer.finish()


def network_at(card: ModelCard, engine: str, options: EngineOptions) -> MatchingNetwork:
    """A network whose input has the size of ``options``, whatever ``card`` enlarges; raises ModelError, EngineError."""
    chosen = NetworkOptions(engine, options.threads, options.size[0], options.npu, options.precision)
    return MatchingNetwork(replace(card, enlarge=1.0), options.size, chosen)


class _StageWriters:
    """Of the single graphs of a model of several; of one they do nothing."""

    def __init__(self, card: ModelCard, root: Path) -> None:
        self._graphs = card.graphs
        self._writers = [VectorWriter(folder) for folder in stage_folders(card, root).values()]

    def add(self, engine: Engine, card: ModelCard, size: Size) -> None:
        """What the graphs of the reference, ``card``, take and give for the frame that ``engine`` has as its inputs."""
        if not self._writers:
            return
        if not isinstance(engine, StagedEngine) or len(card.stages) != len(self._writers):
            raise ModelError(f"the reference {card.name} has not the stages of the model that it is for")
        adds = [partial(self._add, index, size) for index in range(len(self._writers))]
        record_stages(engine, card, size, adds)

    def _add(self, index: int, size: Size, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        graph = self._graphs[index]
        sides = ((inputs, graph.inputs), (outputs, graph.outputs))
        self._writers[index].add(*({spec.name: _stored(side, spec, size) for spec in specs} for side, specs in sides))

    def finish(self) -> None:
        for writer in self._writers:
            writer.finish()


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
        raise ModelError(f"the reference has no {spec.name} of shape {spec.shape_at(size)}")
    return from_float32(found) if spec.dtype == "bfloat16" else found.astype(spec.storage, copy=False)
