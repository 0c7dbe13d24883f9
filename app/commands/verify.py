"""``roma-device verify``: an engine's outputs against reference outputs."""

from __future__ import annotations

from typing import Any

import click

from .options import PATH, json_option, show, size_option


@click.command()
@click.argument("bundle")
@click.option("--engine", help="Engine to verify.  [default: auto; opencv for --make-vectors]")
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads of a host engine; 0: its own choice.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "int8"]),
    default="auto",
    help="Of a host engine; auto: the faster.",
)
@size_option("the network's input, for models of open size.")
@click.option("--vectors", type=PATH, help="Stored vectors: list.txt, input/, output/.")
@click.option("--make-vectors", type=PATH, help="Write such a folder and end.")
@click.option("--count", type=click.IntRange(1), default=4, show_default=True, help="Vectors to make.")
@click.option("--reference", help="Bundle whose ONNX file gives the reference outputs.  [default: BUNDLE]")
@click.option(
    "--min-cosine",
    type=click.FloatRange(-1, 1),
    help="Least cosine similarity of an output.  [default: 0.99; less of a host in 8 bits]",
)
@click.option(
    "--max-mean-px",
    type=click.FloatRange(0),
    help="Greatest mean change of disparity or match.  [default: 0.25; more of a host in 8 bits, and of a "
    "graph that a later one refines]",
)
@click.option(
    "--max-over-1px",
    type=click.FloatRange(0, 1),
    help="Greatest share changed by over 1 px.  [default: 0.05; more of a host in 8 bits]",
)
@json_option
def verify(
    as_json: bool, min_cosine: float | None, max_mean_px: float | None, max_over_1px: float | None, **options: Any
) -> int:
    """Compare an engine's outputs with reference outputs: did the chip's rounding break the network?

    BUNDLE is a folder or the name of a bundled model. Without --vectors the reference is the OpenCV engine on
    frames of the simulated rig. The folders are those of pulsar2 run and ax_run_model. Exit code 1: not passed.
    """
    from roma_device.app.verify.command import VerifyChoice, verify_command
    from roma_device.app.verify.limits import LimitChoice

    limits = LimitChoice(min_cosine, max_mean_px, max_over_1px)
    report, code = verify_command(VerifyChoice(**options), limits)
    show(report, as_json)
    return code
