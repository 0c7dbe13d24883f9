"""``roma-device model``: what a model is and whether the NPU takes it, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .options import json_option, show, size_option

if TYPE_CHECKING:
    from roma_device.calibration.arrays import Size


@click.group()
def model() -> None:
    """Examine models."""


@model.command("show")
@click.argument("bundle")
@size_option("the input that the cost is for, for models of open size.")
@json_option
def show_command(bundle: str, size: Size | None, as_json: bool) -> None:
    """What is this model: card, graphs, tensors, cost; of a compiled file its chip, cores and compiler.

    BUNDLE is a bundle folder, the name of a bundled model, or an .onnx or .axmodel file. Nothing is run.
    """
    from roma_device.app.verify.model_show import describe_model

    show(describe_model(bundle, size), as_json)


@model.command()
@click.argument("bundle")
@click.option("--chip", required=True, help="AX650 (AX650A, AX650N, AX8850) or AX620E (AX630C, AX620Q).")
@click.option("--npu", help="NPU1, NPU2 or NPU3: cores that the model is compiled for.  [default: NPU1]")
@size_option("the input, for models of open size.")
@json_option
def check(bundle: str, chip: str, npu: str | None, size: Size | None, as_json: bool) -> int:
    """Will the NPU's compiler take this model, and how fast will it be?

    BUNDLE is a bundle folder, the name of a bundled model, or an .onnx or .axmodel file. The answer comes from the
    vendor's lists and from earlier measurements; only the compiler knows for sure. Exit code 1: it will not compile.
    """
    from roma_device.app.verify.model_check import check_model

    report = check_model(bundle, chip, npu, size)
    show(report, as_json)
    return 1 if report.verdict == "fails" else 0
