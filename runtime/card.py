"""The card of a model bundle: what its files expect and promise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast, get_args

from roma_device.calibration.arrays import Size
from roma_device.calibration.storage.yaml_section import Section, read_section

from .model_file import ModelError as ModelError
from .model_file import ModelFile as ModelFile
from .tensor_spec import DTYPES, STRIDES, Layout
from .tensor_spec import TensorSpec as TensorSpec

CARD_NAME = "card.yaml"

Normalization = Literal["in_graph", "preprocess", "none"]
Task = Literal["stereo", "two_view"]
HostStep = Literal["warp_right", "warp_features"]
"""What the host does between two graphs; ``runtime/cascade/steps.py`` has the code."""
DEFAULT_SIZE = Size(640, 320)
MOST_PASSES = 8
MOST_ENLARGED = 4.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One of several graphs that run one after the other; all but the first on what the host makes of the results."""

    name: str
    files: Mapping[str, ModelFile]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    host: HostStep | None = None  # what the host does before each pass; None: of the first stage
    passes: int = 1  # how often it runs on its own result


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Facts about a model that the program relies on; read from ``card.yaml`` in its bundle."""

    name: str
    task: Task
    files: Mapping[str, ModelFile]  # of the first graph: format ("onnx", "axmodel", ...) -> file
    inputs: tuple[TensorSpec, ...]  # of the first graph
    outputs: tuple[TensorSpec, ...]  # of the last graph
    normalization: Normalization
    convention: str  # pixel convention of the outputs
    size_multiple: int = 32  # width and height must be multiples of it
    default_size: Size = DEFAULT_SIZE
    min_confidence: float = 0.0  # default threshold on the certainty
    enlarge: float = 1.0  # images are seen so many times as wide as ``input_width`` says
    tolerated_vertical_px: float = 0.0  # rows by which left and right may differ, px of images not enlarged; 0: unknown
    trained_on: str = ""
    measured: Mapping[str, float] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()  # of a model of several graphs, in their order; empty: there is one

    def fixed_size(self) -> Size | None:
        """Width and height of the input where the model has only one, else None."""
        return self.inputs[0].size

    @property
    def tolerated_share(self) -> float:
        """``tolerated_vertical_px`` as a share of the image's width; 0: not measured."""
        return self.tolerated_vertical_px * self.enlarge / self.default_size.width

    @property
    def graphs(self) -> tuple[ModelCard, ...]:
        """A card of its own for each graph, in their order: this one where there is one."""
        return tuple(map(self._of, self.stages)) or (self,)

    @property
    def every_file(self) -> dict[str, ModelFile]:
        """The files of all graphs: format -> file, of a model of several stages "STAGE FORMAT" -> file."""
        if not self.stages:
            return dict(self.files)
        return {f"{stage.name} {kind}": file for stage in self.stages for kind, file in stage.files.items()}

    def _of(self, stage: Stage) -> ModelCard:
        name = f"{self.name}/{stage.name}"
        return replace(self, name=name, files=stage.files, inputs=stage.inputs, outputs=stage.outputs, stages=())

    def first_alone(self) -> ModelCard:
        """The same model without its later graphs: faster, less precise; raises ModelError where it finds nothing."""
        if not self.stages:
            return self
        if "certainty" not in {spec.name for spec in self.stages[0].outputs}:
            raise ModelError(
                lambda option: (
                    f"model {self.name}: the first graph alone finds no matches; {option('passes')} takes 1 or more"
                ),
                exit_code=os.EX_USAGE,
            )
        return replace(self._of(self.stages[0]), name=self.name)

    def passes(self, wanted: int | None) -> int:
        """How often the later graphs run: as the card says, or ``wanted``; raises ModelError where that means nothing.

        Of a model of one graph 0.
        """
        if wanted is not None and not self.stages:
            raise ModelError(
                lambda option: f"model {self.name} has one stage: {option('passes')} is for those with two",
                exit_code=os.EX_USAGE,
            )
        return wanted or max((stage.passes for stage in self.stages[1:]), default=0)


def load_card(bundle: Path) -> ModelCard:
    """Read the card of the bundle folder ``bundle``; raises ModelError with file, line and key at fault."""
    top = read_section(bundle / CARD_NAME, "model card", ModelError)
    width, height = top.numbers("default_size", 2)
    name, stages = top.text("name"), _stages(top, bundle)
    card = ModelCard(
        name=name,
        task=cast(Task, top.choice("task", get_args(Task))),
        files=stages[0].files,
        inputs=stages[0].inputs,
        outputs=stages[-1].outputs,
        normalization=cast(Normalization, top.choice("normalization", get_args(Normalization))),
        convention=top.text("convention"),
        size_multiple=int(top.number("size_multiple")),
        default_size=Size(int(width), int(height)),
        min_confidence=top.number("min_confidence", 0.0),
        enlarge=_enlarge(top),
        tolerated_vertical_px=top.number("tolerated_vertical_px", 0.0),
        trained_on=top.text("trained_on", ""),
        measured=top.section("measured").rest() if "measured" in top.untaken() else {},
        stages=stages if len(stages) > 1 else (),
    )
    top.finish()
    return card


def _enlarge(top: Section) -> float:
    value = top.number("enlarge", 1.0)
    if not 1 <= value <= MOST_ENLARGED:
        raise top.mistake("enlarge", f"must be from 1 to {MOST_ENLARGED:g}")
    return value


def _stages(top: Section, bundle: Path) -> tuple[Stage, ...]:
    """Of a card of one graph, which stands at the top, or as ``stages`` has them."""
    if "stages" not in top.untaken():
        return (_stage(top, bundle, ""),)
    sections = top.sections("stages")
    if len(sections) < 2:
        raise top.mistake("stages", "must list two or more: a card of one graph has its files at the top")
    stages: list[Stage] = []
    for section in sections:
        stage = _stage(section, bundle, section.text("name"))
        stages.append(_repeated(section, stage) if stages else stage)
        section.finish()
    return tuple(stages)


def _stage(section: Section, bundle: Path, name: str) -> Stage:
    files = _files(section.section("files"), bundle)
    inputs, outputs = (tuple(map(_tensor, section.sections(side))) for side in ("inputs", "outputs"))
    return Stage(name, files, inputs, outputs)


def _repeated(section: Section, stage: Stage) -> Stage:
    host = cast(HostStep, section.choice("host", get_args(HostStep)))
    passes = int(section.choice("passes", tuple(map(str, range(1, MOST_PASSES + 1)))))
    return replace(stage, host=host, passes=passes)


def _files(section: Section, bundle: Path) -> dict[str, ModelFile]:
    files = {}
    for kind in section.untaken():
        entry = section.section(kind)
        files[kind] = ModelFile(bundle / entry.text("file"), entry.text("sha256"))
        entry.finish()
    return files


def _tensor(section: Section) -> TensorSpec:
    """Dimensions of -1 are open."""
    shape = tuple(None if size < 0 else int(size) for size in section.numbers("shape"))
    dtype = section.choice("dtype", tuple(DTYPES))
    layout = cast(Layout, section.choice("layout", get_args(Layout))) if "layout" in section.untaken() else "NCHW"
    spec = TensorSpec(section.text("name"), shape, dtype, layout, _stride(section))
    section.finish()
    return spec


def _stride(section: Section) -> int | tuple[int, int]:
    """One number for both axes, or a list of that of the rows and that of the columns."""
    if "stride" not in section.untaken():
        return 1
    if not section.is_list("stride"):
        return int(section.choice("stride", tuple(map(str, STRIDES))))
    rows, columns = section.numbers("stride", 2)
    if not {rows, columns} <= set(STRIDES):
        raise section.mistake("stride", f"must hold two of {', '.join(map(str, STRIDES))}")
    return int(rows), int(columns)
