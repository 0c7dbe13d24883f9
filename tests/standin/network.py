"""The real network inside a stand-in: its model file, and the callback that runs it."""

from __future__ import annotations

import ctypes
import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from roma_device.runtime.card import CARD_NAME, ModelCard, ModelFile, TensorSpec
from roma_device.runtime.engine import Engine, EngineOptions, open_engine

from .control import Runner

HOST_ENGINE = "opencv"


def standin_card(
    card: ModelCard, size: tuple[int, int], path: Path, *, facts: tuple[str, ...] = (), network: bytes | None = None
) -> ModelCard:
    """``card`` with an axmodel for ``size`` (width, height), which is written to ``path``.

    ``facts`` are further lines of its header; ``network`` b"" makes a model whose outputs are its inputs.
    """
    lines = [
        "ROMA-STANDIN 1",
        *facts,
        *_lines("input", card.inputs, size),
        *_lines("output", card.outputs, size),
    ]
    onnx = card.files["onnx"].read() if network is None else network
    data = "\n".join([*lines, "", ""]).encode() + onnx
    path.write_bytes(data)
    file = ModelFile(path, hashlib.sha256(data).hexdigest())
    return dataclasses.replace(card, files={**card.files, "axmodel": file})


def _lines(side: str, specs: tuple[TensorSpec, ...], size: tuple[int, int]) -> Iterable[str]:
    for spec in specs:
        yield f"{side} {spec.name} {spec.dtype} {' '.join(map(str, spec.shape_at(size)))}"


class NetworkRunner:
    """Runs the network for a stand-in, on a host engine; ``callback`` is what the library is given."""

    def __init__(self, card: ModelCard, size: tuple[int, int]) -> None:
        self.engine: Engine = open_engine(card, HOST_ENGINE, EngineOptions(size, threads=1))
        self.callback = Runner(self._run)

    def _run(self, _onnx: int, _bytes: int, inputs: Any, outputs: Any) -> int:
        return self.execute(inputs, outputs)

    def execute(self, inputs: Any, outputs: Any) -> int:
        """One run on the memory at these addresses."""
        for array, address in zip(self.engine.inputs.values(), inputs, strict=False):
            ctypes.memmove(array.ctypes.data, address, array.nbytes)
        self.engine.run()
        for array, address in zip(self.engine.outputs.values(), outputs, strict=False):
            ctypes.memmove(address, np.ascontiguousarray(array).ctypes.data, array.nbytes)
        return 0


def staged_standin_card(card: ModelCard, size: tuple[int, int], folder: Path) -> ModelCard:
    """``card``, of a model of several graphs, with axmodels that hold the graphs' names, for StagedRunner."""
    stages = []
    for stage, graph in zip(card.stages, card.graphs, strict=True):
        file = standin_card(graph, size, folder / f"{stage.name}.axmodel", network=graph.name.encode()).files["axmodel"]
        stages.append(dataclasses.replace(stage, files={**stage.files, "axmodel": file}))
    return dataclasses.replace(card, files=stages[0].files, stages=tuple(stages))


class StagedRunner:
    """NetworkRunner for a model of several graphs."""

    def __init__(self, card: ModelCard, size: tuple[int, int]) -> None:
        self._runners = {graph.name.encode(): NetworkRunner(graph, size) for graph in card.graphs}
        self.callback = Runner(self._run)

    def _run(self, name: int, length: int, inputs: Any, outputs: Any) -> int:
        return self._runners[ctypes.string_at(name, length)].execute(inputs, outputs)


def standin_bundle(card: ModelCard, size: tuple[int, int], folder: Path, *, network: bytes | None = None) -> Path:
    """A model bundle for ``size`` in the new folder ``folder``: the ONNX file of ``card`` and its stand-in axmodel.

    Of a model of several graphs the first one alone.
    """
    card = card.first_alone()
    folder.mkdir()
    with_axmodel = standin_card(card, size, folder / "stereo.axmodel", network=network)
    (folder / "stereo.onnx").write_bytes(card.files["onnx"].read())
    fields = yaml.safe_load((card.files["onnx"].path.parent / CARD_NAME).read_text())
    if "stages" in fields:
        fields |= {"files": fields.pop("stages")[0]["files"]}
    fields["files"] = {
        kind: {"file": f"stereo.{kind}", "sha256": with_axmodel.files[kind].sha256} for kind in ("onnx", "axmodel")
    }
    for side, specs in (("inputs", card.inputs), ("outputs", card.outputs)):
        fields[side] = [
            {"name": spec.name, "shape": [*spec.shape_at(size)], "dtype": spec.dtype, "layout": spec.layout}
            for spec in specs
        ]
    fields["normalization"] = card.normalization
    (folder / CARD_NAME).write_text(yaml.safe_dump(fields))
    return folder
