"""What the host engines share: the choice between the fp32 and the int8 ONNX file, and how failures are told."""

from __future__ import annotations

import platform

from roma_device.runtime.card import ModelCard, ModelFile
from roma_device.runtime.engine import EngineError, Precision

INT8_PAYS = frozenset((engine, machine) for engine in ("openvino", "onnx") for machine in ("x86_64", "AMD64"))
"""Engine and machine (``platform.machine()``) where the 8-bit file was measured faster: ``bench/stereo_cost.py``."""

FILES: dict[Precision, str] = {"fp32": "onnx", "int8": "onnx_int8"}
"""Precision -> format in the card."""


def reason_of(error: Exception) -> str:
    """A host library's message in one line of bearable length."""
    return " ".join(str(error).split())[:300]


def common_precision(card: ModelCard, engine: str, precision: Precision) -> Precision:
    """What all graphs of ``card`` run in: "auto" stays so where the engine may choose for each by the same rule."""
    if precision != "auto" or all(FILES["int8"] in graph.files for graph in card.graphs):
        return precision
    return "fp32"


def onnx_file(card: ModelCard, engine: str, precision: Precision) -> tuple[Precision, ModelFile]:
    """What ``engine`` is to run, and in which precision; "auto" takes 8 bits where they are there and pay.

    Raises EngineError where the bundle has no such file.
    """
    if precision == "auto":
        pays = (engine, platform.machine()) in INT8_PAYS and FILES["int8"] in card.files
        precision = "int8" if pays else "fp32"
    if FILES[precision] not in card.files:
        raise EngineError(f"model {card.name} has no ONNX file in {precision} ({FILES[precision]!r} in its card)")
    return precision, card.files[FILES[precision]]
