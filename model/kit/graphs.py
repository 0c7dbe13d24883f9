"""The graphs of a bundle as the NPU's compiler gets them, and what each is given for sample frames."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx

from model.base.npu_graph import for_npu, with_all_attributes, with_reduced_sums
from model.base.onnx_file import fixed
from model.base.safe_sums import bounded_sums, raise_bounds
from model.bundle_kind import two_view_pairs
from model.data.texture_atlas import Atlas
from model.data.textures import build_atlas
from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard, ModelError, TensorSpec
from roma_device.runtime.cascade.sequence import Cascade
from roma_device.runtime.engine import allocate
from roma_device.runtime.tensors.preprocess import value_table

from .arithmetic import Tensors, ranges, session_of

LEVELS_OF_SUMS = (1 << 16) - 1
"""Sums have 16 bits in every choice of precisions but u8."""
TEXTURES, SEED = 60, 8  # of generated two-view scenes
IMAGES = (".png", ".jpg", ".jpeg", ".bmp")


@dataclass(slots=True)
class CompilerGraph:
    """One graph of a bundle at a fixed size, and samples of its inputs."""

    card: ModelCard  # of this graph alone
    model: onnx.ModelProto
    precision: str  # a word of PRECISIONS
    samples: list[dict[str, npt.NDArray[np.float32]]] = field(default_factory=list)

    @property
    def folder(self) -> str:
        """Where its part of a kit lies: the stage's name, or nothing where the bundle has one graph."""
        return self.card.name.partition("/")[2]


def bundle_folder(name: str) -> Path:
    """The folder ``name``, or that of the bundled model of this name."""
    bundled = Path(str(files("roma_device.configs"))) / "models" / name
    return bundled if not Path(name).is_dir() and bundled.is_dir() else Path(name)


def compiler_graphs(
    card: ModelCard, size: Size, frames: Iterable[Tensors], precisions: Sequence[str], is_open: bool = False
) -> list[CompilerGraph]:
    """All graphs of ``card`` in their order; the later ones get what the earlier make of ``frames``, in every pass.

    Frames are of ``size``, and so are the graphs unless ``is_open``, where they stay as open as they are.

    ``precisions`` are words of PRECISIONS, for each graph in turn, the last for all others. Raises ModelError where a
    graph has no ONNX file or there are more words than graphs.
    """
    if len(precisions) > len(card.graphs):
        raise ModelError(
            f"model {card.name} has {len(card.graphs)} graph(s), and --precision names {len(precisions)}",
            exit_code=os.EX_USAGE,
        )
    graphs = []
    for index, one in enumerate(card.graphs):
        if "onnx" not in one.files:
            raise ModelError(f"model {one.name}: the bundle has no onnx file")
        model = onnx.load_from_string(one.files["onnx"].read())
        model = model if is_open else fixed(model, (size.width, size.height))
        precision = precisions[min(index, len(precisions) - 1)]
        for_npu(model)
        if precision == "mixed":
            with_reduced_sums(model)
        with_all_attributes(model)
        graphs.append(CompilerGraph(one, model, precision))
    _take_samples(card, size, graphs, frames)
    for graph in graphs:
        _raise_bounds(graph)
    return graphs


def _raise_bounds(graph: CompilerGraph) -> None:
    """What is divided by does not round to 0 in the ranges that the samples have."""
    if names := bounded_sums(graph.model):
        found = ranges(graph.model, graph.samples, names)
        raise_bounds(graph.model, {name: found[name][1] for name in names}, LEVELS_OF_SUMS)


def _take_samples(card: ModelCard, size: Size, graphs: Sequence[CompilerGraph], frames: Iterable[Tensors]) -> None:
    if not card.stages:
        graphs[0].samples.extend(dict(frame) for frame in frames)
        return
    runs = [_Recorded(graph, size) for graph in graphs]
    cascade = Cascade(card, size, runs)
    for frame in frames:
        for name, value in frame.items():
            np.copyto(runs[0].inputs[name], value)
        cascade.run()


class _Recorded:
    """A graph that keeps what it is given."""

    def __init__(self, graph: CompilerGraph, size: Size) -> None:
        self._graph, self._session = graph, session_of(graph.model)
        self.inputs: Mapping[str, Any] = allocate(graph.card.inputs, size)
        self.outputs: Mapping[str, Any] = allocate(graph.card.outputs, size)

    def run(self) -> None:
        self._graph.samples.append({name: value.copy() for name, value in self.inputs.items()})
        names = list(self.outputs)
        for name, value in zip(names, self._session.run(names, dict(self.inputs)), strict=True):
            np.copyto(self.outputs[name], value)


def generated_frames(bundle: Path, card: ModelCard, size: Size, count: int) -> Iterator[Tensors]:
    """Frames as the program prepares them: of the simulated rig, for a two-view model scenes of its training.

    Rectified pairs would leave out what moves freely: on other pairs a two-view model went beyond their ranges.
    Raises ModelError.
    """
    if card.task == "two_view":
        yield from _two_view_frames(card, size, count)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "vectors"
        make_vectors(bundle, folder, size, count)
        for line in (folder / "list.txt").read_text().split():
            yield {spec.name: _stored(folder / "input" / line, spec, size) for spec in card.inputs}


def _two_view_frames(card: ModelCard, size: Size, count: int) -> Iterator[Tensors]:
    for pair in two_view_pairs(Atlas(build_atlas(None, TEXTURES)), SEED, count, size):
        images = ((255 * image[0, 0]).round().byte().numpy() for image in pair)
        yield {spec.name: _as_input(image, card) for spec, image in zip(card.inputs, images, strict=True)}


def make_vectors(bundle: Path, folder: Path, size: Size, count: int) -> None:
    """``roma-device verify --make-vectors``; raises ModelError."""
    words = ["verify", str(bundle), "--make-vectors", str(folder), "--count", str(count), "--engine", "onnx"]
    command = [sys.executable, "-m", "roma_device.app.cli", *words, "--size", f"{size.width}x{size.height}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(f"no vectors: {done.stderr.strip()}")


def _stored(folder: Path, spec: TensorSpec, size: Size) -> npt.NDArray[np.float32]:
    return np.fromfile(folder / f"{spec.name}.bin", np.float32).reshape(spec.shape_at(size))


def own_frames(folder: Path | None, card: ModelCard, size: Size) -> Iterator[Tensors]:
    """Rectified pairs in ``folder``/left and ``folder``/right, in the order of their names."""
    if folder is None:
        return
    sides = [
        sorted(path for path in (folder / name).glob("*") if path.suffix.lower() in IMAGES)
        for name in ("left", "right")
    ]
    if not sides[0] or len(sides[0]) != len(sides[1]):
        raise ModelError(
            f"{folder}: needs as many images in left/ as in right/, found {len(sides[0])} and {len(sides[1])}"
        )
    for paths in zip(*sides, strict=True):
        yield {spec.name: _tensor(path, card, size) for spec, path in zip(card.inputs, paths, strict=True)}


def _tensor(path: Path, card: ModelCard, size: Size) -> npt.NDArray[np.float32]:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ModelError(f"{path}: not an image")
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _as_input(small, card)


def _as_input(image: npt.NDArray[np.uint8], card: ModelCard) -> npt.NDArray[np.float32]:
    return np.asarray(value_table(image, card.normalization)[image][None, None], np.float32)
