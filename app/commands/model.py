"""``roma-device model``: what can be said of a model without running it."""

from __future__ import annotations

import json

import click


@click.group()
def model() -> None:
    """Examine models."""


@model.command()
@click.argument("bundle")
@click.option("--chip", required=True, help="AX650 or AX620E.")
@click.option("--npu", help="NPU1, NPU2 or NPU3: cores that the model is compiled for.  [default: NPU1]")
@click.option("--size", help="WIDTHxHEIGHT of the input, for models of open size.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def check(bundle: str, chip: str, npu: str | None, size: str | None, as_json: bool) -> int:
    """Will the NPU's compiler take this model, and how fast will it be?

    BUNDLE is a bundle folder, the name of a bundled model, or an .onnx or .axmodel file. The answer comes from the
    vendor's lists and from earlier measurements; only the compiler knows for sure. Exit code 1: it will not compile.
    """
    from roma_device.app.verify.model_check import check_model, parse_size

    report = check_model(bundle, chip, npu, parse_size(size))
    click.echo(json.dumps(report.as_dict()) if as_json else report.as_text())
    return 1 if report.verdict == "fails" else 0
