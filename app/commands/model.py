"""``roma-device model``: what a model is, whether the NPU takes it, and which ones are installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import PATH, json_option, show, size_option
from .rollout_options import take_trial, trial_options

if TYPE_CHECKING:
    from roma_device.calibration.arrays import Size


@click.group()
def model() -> None:
    """Examine, install and roll back models."""


@model.command("show")
@click.argument("bundle", default="installed")
@size_option("the input that the cost is for, for models of open size.")
@json_option
def show_command(bundle: str, size: Size | None, as_json: bool) -> None:
    """What is this model: card, graphs, tensors, cost; of a compiled file its chip, cores and compiler.

    BUNDLE is a bundle folder, the name of a bundled model, installed:NUMBER, an .onnx or .axmodel file, or by default
    the installed model in use. Nothing is run.
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


@model.command()
@click.argument("source")
@click.option("--sha256", help="Of the archive; a URL needs it. `model pack` prints it.")
@click.option("--verify/--no-verify", default=True, help="Verify it on this machine's engine.  [default: --verify]")
@click.option("--use/--no-use", default=True, help="Put it to use.  [default: --use]")
@click.option("--engine", help="Engine to verify it on.  [default: as the service's settings have it]")
@click.option("--precision", type=click.Choice(["auto", "fp32", "int8"]), help="Of a host engine.  [default: likewise]")
@click.option("--reference", help="Bundle whose ONNX file it is verified by.  [default: its own]")
@click.option("--vectors", type=PATH, help="Stored vectors that it is verified by.")
@trial_options
@json_option
def install(source: str, as_json: bool, **options: Any) -> int:
    """Install a model: copied whole, checked, verified on this machine's engine, and then put to use on trial.

    SOURCE is a bundle folder, an archive of one (.tar, .tar.gz, .tar.xz, .zip), or the URL of an archive. What is
    wrong with it leaves all as it was. On trial it goes back by itself unless good frames come in time; exit code 1
    says that it did.
    """
    from roma_device.app.rollout import model_commands

    trial = take_trial(options)
    outcome = model_commands.install(source, model_commands.InstallChoice(**options), trial)
    show(outcome, as_json)
    return outcome.exit_code


@model.command("list")
@json_option
def list_installed(as_json: bool) -> None:
    """List the installed models; a star marks the one in use."""
    from roma_device.app.rollout import model_commands

    show(model_commands.installed_list(), as_json)


@model.command()
@click.argument("number", type=click.IntRange(1))
@trial_options
@json_option
def use(number: int, as_json: bool, **options: Any) -> int:
    """Put the installed version NUMBER to use."""
    from roma_device.app.rollout import model_commands

    outcome = model_commands.use(number, take_trial(options))
    show(outcome, as_json)
    return outcome.exit_code


@model.command()
@json_option
def rollback(as_json: bool) -> None:
    """Go back to the version in use before, and before the first one to the model that comes with the program."""
    from roma_device.app.rollout import model_commands

    show(model_commands.rollback(), as_json)


@model.command()
@click.argument("number", type=click.IntRange(1))
def remove(number: int) -> None:
    """Take the installed version NUMBER off the disk."""
    from roma_device.app.rollout import model_commands

    click.echo(model_commands.remove(number))


@model.command()
@click.argument("bundle")
@click.option("--output", type=PATH, required=True, help="Archive to write: NAME.tar.")
def pack(bundle: str, output: Path) -> None:
    """Pack BUNDLE into one archive for `model install`, and print its sha256."""
    from roma_device.app.rollout.pack import pack as pack_bundle

    click.echo(f"{pack_bundle(bundle, output)}  {output}")
