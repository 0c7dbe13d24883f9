"""Sections of the settings file whose keys are the fields of a dataclass, names and defaults with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, create_model
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# Strictness stops YAML's `yes` from passing as the number 1; YAML has no paths and no tuples of its own.
AnyPath = Annotated[Path, BeforeValidator(lambda value: Path(value) if isinstance(value, str) else value)]


class Section(BaseModel):
    """A mapping of known keys; others are refused, and so are values that only look like the right type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class OfDataclass:
    """Annotation of a key that takes a mapping and gives the dataclass ``options``.

    ``narrower`` says more of a field than its type does: name -> type to check it by.
    """

    def __init__(self, options: Callable[..., Any], **narrower: Any) -> None:
        self._options = options
        hints = {**get_type_hints(options), **narrower}
        keys: dict[str, Any] = {key.name: (hints[key.name], key.default) for key in fields(options)}  # type: ignore[arg-type]
        self.section: type[BaseModel] = create_model(options.__name__, __base__=Section, **keys)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        mapping = core_schema.no_info_after_validator_function(self._made, handler(self.section))
        as_mapping = core_schema.plain_serializer_function_ser_schema(asdict)
        return core_schema.no_info_before_validator_function(_as_mapping, mapping, serialization=as_mapping)

    def _made(self, section: BaseModel) -> Any:
        return self._options(**dict(section))


def _as_mapping(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a key of the settings holds; None for a key with a plain value."""
    for mark in field.metadata:
        if isinstance(mark, OfDataclass):
            return mark.section
    annotation = field.annotation
    if (
        not isinstance(annotation, type) or get_origin(annotation) is not None
    ):  # tuple[str, ...] is a type in Python 3.10
        return None
    return annotation if issubclass(annotation, BaseModel) else None
