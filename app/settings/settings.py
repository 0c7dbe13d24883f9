"""Settings of the program: typed, checked before the first frame, read from YAML."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from roma_device.app.addresses import is_loopback, parse_address
from roma_device.app.cameras import CAMERAS
from roma_device.app.publishers import PUBLISHERS
from roma_device.app.sinks import SINKS
from roma_device.calibration.errors import CalibrationError, RomaError
from roma_device.calibration.plausibility import check_numbers
from roma_device.calibration.rectify import View
from roma_device.calibration.storage.files import read_text
from roma_device.calibration.storage.strict_yaml import YamlError
from roma_device.runtime.card import MOST_PASSES
from roma_device.runtime.depth import RELOADABLE
from roma_device.runtime.engine import ENGINES, NpuOptions, Precision
from roma_device.runtime.filters.options import DepthOptions, Region
from roma_device.runtime.obstacles.options import ObstacleOptions
from roma_device.runtime.odometry.stereo_odometry import OdometryOptions

from .sections import AnyPath, OfDataclass, Positive, Section, section_of
from .yaml_lines import KeyPath, YamlDocument, parse_yaml


def _as_tuple(value: Any) -> Any:
    """YAML has lists alone."""
    return tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]

_DEMANDS = {
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "is_instance_of": "must be a path",
    "model_type": "must be a mapping of keys to values",
    "string_too_short": "must be a text with something in it",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
}
"""pydantic's kind of mistake -> what to tell the user; its own words serve for the rest."""


class SettingsError(RomaError):
    """Settings that cannot be read or make no sense."""

    exit_code = os.EX_CONFIG


Odometry = Annotated[
    OdometryOptions,
    OfDataclass(OdometryOptions, points=Annotated[int, Field(ge=50, le=2000)], seed=Annotated[int, Field(ge=0)]),
]
Npu = Annotated[
    NpuOptions,
    OfDataclass(
        NpuOptions,
        device=Annotated[int, Field(ge=0)],
        affinity=Annotated[int, Field(ge=0, le=0b111)],
        library_dir=AnyPath | None,
        run_limit_s=Positive,
    ),
]
Obstacles = Annotated[
    ObstacleOptions,
    OfDataclass(
        ObstacleOptions,
        camera_height_m=Positive | None,
        camera_pitch_deg=Annotated[float, Field(ge=-60, le=80)] | None,
        min_height_m=Positive,
        max_height_m=Positive,
        range_m=Annotated[float, Field(gt=0, le=50)],
        cell_m=Annotated[float, Field(ge=0.02, le=1)],
        corridor_m=Positive,
    ),
]
Share = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=0)]
Depth = Annotated[
    DepthOptions,
    OfDataclass(
        DepthOptions,
        min_m=Positive,
        max_m=Positive,
        min_confidence=Share | None,
        speckle_px=Pixels | None,
        speckle_step_px=Positive | None,
        edge_px=Annotated[int, Field(ge=0, le=16)] | None,
        edge_step=Positive | None,
        doubt=Share | None,
        lenience=Annotated[float, Field(ge=0, le=0.5)] | None,
        temporal=Annotated[float, Field(ge=0, le=0.95)] | None,
        temporal_reset_px=Positive | None,
        hysteresis=Annotated[float, Field(ge=0, le=0.5)] | None,
        fill_px=Pixels | None,
        decimate=Annotated[int, Field(ge=1, le=16)] | None,
        region=Annotated[Region, BeforeValidator(_as_tuple)] | None,
    ),
]

MOST_SHOWN = 80
"""Characters of a wrong value or key that are told."""

TASKS = ("depth", "pose", "obstacles")
"""What a run may find out of each frame."""


class OutputSettings(Section):
    """What is written, and where."""

    folder: AnyPath | None = None
    save: Names = ()  # names of sinks
    existing: Literal["number", "resume", "refuse"] = "number"  # what to do where folder holds another run

    @field_validator("save")
    @classmethod
    def _sinks_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            _check_known(name, SINKS)
        return names


def _check_address(listen: str | None, allow_remote: bool) -> None:
    """Raises ValueError for what is no address, and for one that others reach unless they may."""
    if listen is None:
        return
    try:
        host, _ = parse_address(listen)
    except ValueError:
        raise ValueError(f"listen {listen!r} is no address such as 127.0.0.1:9470") from None
    if not (allow_remote or is_loopback(host)):
        raise ValueError(f"listen {listen} could be reached by other machines: allow_remote must be true")


class MonitorSettings(Section):
    """How others may watch the run."""

    listen: str | None = None  # HOST:PORT of /healthz and /metrics
    allow_remote: bool = False
    status_file: AnyPath | None = None
    healthy_s: Positive = 10.0

    @model_validator(mode="after")
    def _stays_on_this_machine(self) -> MonitorSettings:
        _check_address(self.listen, self.allow_remote)
        return self


class PageSettings(Section):
    """The live page."""

    listen: str | None = None  # HOST:PORT of the page
    allow_remote: bool = False
    certificate: AnyPath | None = None  # PEM; with its key: https
    key: AnyPath | None = None

    @model_validator(mode="after")
    def _stays_on_this_machine(self) -> PageSettings:
        _check_address(self.listen, self.allow_remote)
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both, or none")
        return self


class Settings(Section):
    """All settings; each is explained in ``configs/default.yaml``."""

    task: Names = ("depth",)
    camera: str | None = Field(default=None, min_length=1)  # KIND or KIND:ARGUMENT; None: simulated
    calibration: AnyPath | None = None
    rectified: bool = False
    focal_px: Positive | None = None
    baseline_m: Positive | None = None
    doffs_px: float = Field(default=0.0, allow_inf_nan=False)  # of a rectified pair: right cx minus left cx
    model: str = Field(default="auto", min_length=1)
    passes: int | None = Field(
        default=None, ge=0, le=MOST_PASSES
    )  # of a second stage, 0 for none; None: as the card says
    engine: str = "auto"
    threads: int = Field(default=0, ge=0)  # 0: the engine's choice
    precision: Precision = "auto"
    input_width: int = Field(default=640, gt=0, le=8192)  # px
    odometry: Odometry = OdometryOptions()
    npu: Npu = NpuOptions()
    depth: Depth = DepthOptions()
    obstacles: Obstacles = ObstacleOptions()
    output: OutputSettings = OutputSettings()
    publish: Names = ()  # NAME or NAME:ARGUMENT of publishers
    record: AnyPath | None = None  # folder for recordings
    # Rarer than that, the watchdog would take it for a program that hangs.
    max_fps: float | None = Field(default=None, ge=0.1, allow_inf_nan=False, json_schema_extra={**RELOADABLE})
    monitor: MonitorSettings = MonitorSettings()
    page: PageSettings = PageSettings()
    frames: int | None = Field(default=None, gt=0)  # None: until the camera ends
    health_every: int = Field(default=30, ge=0)  # frames between looks at the calibration; 0: never
    view: View = "native"  # what the rectified image shows

    @model_validator(mode="after")
    def _numbers_are_of_a_rig(self) -> Settings:
        try:
            check_numbers(self.focal_px, self.baseline_m)
        except CalibrationError as error:
            raise ValueError(str(error)) from None
        return self

    @model_validator(mode="after")
    def _page_with_tls_has_its_own_address(self) -> Settings:
        is_shared = self.page.listen is not None and self.page.listen == self.monitor.listen
        if is_shared and self.page.certificate is not None:
            raise ValueError("page.certificate needs an address of its own: monitor.listen has the same, without TLS")
        return self

    @field_validator("camera")
    @classmethod
    def _camera_is_known(cls, spec: str | None) -> str | None:
        if spec is not None:
            _check_known(spec.partition(":")[0], CAMERAS)
        return spec

    @field_validator("publish")
    @classmethod
    def _publishers_are_known(cls, specs: tuple[str, ...]) -> tuple[str, ...]:
        for spec in specs:
            _check_known(spec.partition(":")[0], PUBLISHERS)
        return specs

    @field_validator("task")
    @classmethod
    def _tasks_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            _check_known(name, TASKS)
        if not names:
            raise ValueError(f"must name at least one of {', '.join(TASKS)}")
        if "obstacles" in names and "depth" not in names:
            raise ValueError("obstacles are found in depth: name both, as in depth,obstacles")
        return names

    @field_validator("engine")
    @classmethod
    def _engine_is_known(cls, name: str) -> str:
        _check_known(name, ("auto", *ENGINES))
        return name

    def overridden(
        self, source: str = "command line", names: Mapping[str, str] | None = None, /, **flags: Any
    ) -> Settings:
        """New settings in which flags win; those that are None or () were not given.

        A key may be dotted (``**{"depth.min_m": 1.0}``) or hold a mapping (``depth={"min_m": 1.0}``).
        Raises SettingsError with the exit code for wrong usage; ``source`` says where the flags come from, ``names``
        how keys are called there, where it is otherwise.
        """
        changed = self.model_dump()
        for key, value in flags.items():
            _place(changed, tuple(key.split(".")), value)
        try:
            return Settings.model_validate(changed)
        except ValidationError as error:
            message = f"{source}: {_sentence(error.errors()[0], names or {})}"
            raise SettingsError(message, exit_code=os.EX_USAGE) from None


def load_settings(path: Path) -> Settings:
    """Read settings; raises SettingsError naming file, line and key of the first mistake."""
    document = _read(path)
    try:
        return Settings.model_validate({} if document.value is None else document.value)
    except ValidationError as error:
        first = min(error.errors(), key=lambda each: document.line_of(_key_path(each)))
        line = document.line_of(_key_path(first))
        raise SettingsError(f"{path}:{line}: {_sentence(first)}") from None


def _read(path: Path) -> YamlDocument:
    try:
        return parse_yaml(read_text(path, "settings", SettingsError))
    except YamlError as error:
        raise SettingsError(f"{path}:{error.line}: {error}") from None


def _place(values: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _place(values, (*keys, key), inner)
    elif value is not None and value != ():
        for key in keys[:-1]:
            if not isinstance(values.get(key), dict):
                values[key] = {}
            values = values[key]
        values[keys[-1]] = value


def _key_path(error: ErrorDetails) -> KeyPath:
    return tuple(error["loc"])


def _sentence(error: ErrorDetails, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """One clause for one mistake: the dotted key or what ``names`` calls it, then what is wrong with it."""
    keys = [str(key) for key in error["loc"]]
    key = ".".join(keys)
    message = _unknown_key(keys) if error["type"] == "extra_forbidden" else _wrong_value(error)
    return f"{names.get(key, _short(key)) or 'the settings'}: {message}"


def _short(text: str) -> str:
    """As much of it as a sentence bears."""
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _unknown_key(keys: list[str]) -> str:
    section: type[BaseModel] = Settings
    for key in keys[:-1]:
        inner = section_of(section.model_fields[key])
        assert inner is not None
        section = inner
    return f"unknown key; {_hint(keys[-1], section.model_fields)}"


def _wrong_value(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    demand = _DEMANDS.get(error["type"]) or error["msg"].replace("Input should", "must")
    return f"{demand}, not {_short(repr(error['input']))}"


def _check_known(name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ValueError(f"unknown name {_short(repr(name))}; {_hint(name, known)}")


def _hint(wrong: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(wrong[:MOST_SHOWN], list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
