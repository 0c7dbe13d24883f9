"""``roma-device calibrate``: from pairs of images or a camera to a calibrated rig."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import PATH, json_option, show

if TYPE_CHECKING:
    from roma_device.app.calibrate.finish import Calibrated

BOARD_HELP = (
    "Such as chessboard:9x6:25mm (inner corners), charuco:8x6:30mm:22mm, aprilgrid:6x6:88mm:0.3, "
    "squares:3x4:30mm:30mm (square, gap), or a file."
)
EXIT_INTERRUPTED = 130


@click.group(invoke_without_command=True)
@click.option("--images", help="Folder with left/ and right/, or with left* and right* images, paired by number.")
@click.option("--mono", is_flag=True, help="With --images: a folder of one camera's images; its lens alone is solved.")
@click.option("--camera", help="Guided capture: the rig's camera, as for run.")
@click.option("--board", "board_text", help=BOARD_HELP)
@click.option(
    "--lens",
    type=click.Choice(["auto", "plumb_bob", "rational", "fisheye"]),
    default="auto",
    show_default=True,
    help="Model of the lenses; auto takes the simplest that fits.",
)
@click.option("--output", type=PATH, help="Calibration file to write.  [default: a new stored version]")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["ros", "opencv", "kalibr"]),
    help="With --mono: format of --output.  [default: ros]",
)
@click.option("--report", type=PATH, help="HTML file with plots to write.")
@click.option("--force", is_flag=True, help="Replace --output and --report where they exist.")
@click.option("--baseline-m", type=click.FloatRange(0, min_open=True), help="Known distance of the cameras, to check.")
@click.option("--swap", is_flag=True, help="Exchange left and right.")
@click.option("--serial", default="", help="Serial numbers of the cameras, to keep with the result.")
@click.option("--temperature-c", type=float, help="Temperature of the rig, to keep with the result.")
@click.option("--session", type=PATH, help="Folder for captured pairs; what is in it is gone on with.")
@click.option("--pairs", type=click.IntRange(6, 60), default=24, show_default=True, help="Pairs to capture.")
@click.option("--page", type=click.IntRange(0, 65535), help="Also show the capture on a page at this port (loopback).")
@click.option("--max-skew-ms", type=float, default=5.0, show_default=True, help="Time between left and right at most.")
@json_option
@click.pass_context
def calibrate(context: click.Context, /, as_json: bool, **options: Any) -> int | None:
    """Calibrate a stereo rig, from images or guided at its camera; works over SSH. With --mono: a single camera.

    The answer is a verdict with reasons, and what the calibration does to depth in centimetres.
    """
    if context.invoked_subcommand is not None:
        return None
    _check_options(options)
    result = _calibrated(options)
    if result is None:
        return EXIT_INTERRUPTED
    show(result, as_json)
    return result.exit_code


def _check_options(options: Mapping[str, Any]) -> None:
    if (options["images"] is None) == (options["camera"] is None):
        raise click.UsageError("give either --images DIR or --camera CAMERA")
    if options["board_text"] is None and (options["session"] is None or options["images"] is not None):
        raise click.UsageError("give --board, such as --board chessboard:9x6:25mm")
    if options["mono"] and (options["images"] is None or options["swap"] or options["baseline_m"] is not None):
        raise click.UsageError("--mono is for --images of one camera, without --swap and --baseline-m")
    if options["format_name"] is not None and not options["mono"]:
        raise click.UsageError("--format is for --mono; a rig is written for others by: roma-device calibration export")


def _calibrated(options: Mapping[str, Any]) -> Calibrated | None:
    """None: interrupted before there was enough to solve."""
    from roma_device.app.calibrate.finish import FinishChoice, calibrate_images, calibrate_one_camera

    keys = ("lens", "output", "report", "force", "baseline_m", "serial", "temperature_c")
    choice = FinishChoice(**{key: options[key] for key in keys}, camera="" if options["images"] else _camera(options))
    images, board_text = options["images"], options["board_text"]
    if options["mono"]:
        return calibrate_one_camera(images, board_text, options["format_name"] or "ros", choice)
    if images is not None:
        return calibrate_images(images, board_text, options["swap"], choice)
    from roma_device.app.calibrate.guided.command import CaptureChoice, calibrate_camera

    names = ("camera", "board_text", "swap", "session", "pairs", "page", "max_skew_ms")
    return calibrate_camera(CaptureChoice(**{name: options[name] for name in names}), choice)


def _camera(options: Mapping[str, Any]) -> str:
    """The camera whose rig is calibrated, as ``run`` would name it, left one first; "" where none is named."""
    kind, colon, rest = (options["camera"] or "").partition(":")
    names = rest.partition("?")[0].split(",")
    return f"{kind}{colon}{','.join(reversed(names) if options['swap'] else names)}"


@calibrate.command()
@click.option("--type", "board_text", required=True, help=BOARD_HELP)
@click.option(
    "--paper",
    type=click.Choice(["A4", "A3", "A2", "A1", "A0", "Letter", "Legal", "Tabloid"], case_sensitive=False),
    help="Paper that the board must fit.  [default: the smallest of A4 to A0]",
)
@click.option("--output", type=PATH, required=True, help="File to write; its ending is .pdf, .svg or .png.")
@click.option("--dpi", type=click.IntRange(72, 2400), default=600, show_default=True, help="Resolution of a .png.")
@click.option("--force", is_flag=True, help="Replace the file where it exists.")
def board(board_text: str, output: Path, dpi: int, force: bool, paper: str | None) -> None:
    """Print a calibration board to scale, with a ruler to check the print."""
    from roma_device.app.calibrate.board_command import print_board

    click.echo(print_board(board_text, output, dpi, force, paper))


@calibrate.command()
@click.option("--camera", help="Where frames come from, as for run.")
@click.option("--images", help="Folder of pairs to check with instead.")
@click.option("--calibration", type=PATH, help="Calibration file.  [default: the stored version in use]")
@click.option("--board", "board_text", help=f"Board in view, for scale and yaw. {BOARD_HELP}")
@click.option("--distance-m", type=click.FloatRange(0, min_open=True), help="Measured distance of board or wall.")
@click.option("--frames", type=click.IntRange(1), default=20, show_default=True, help="Frames to look at.")
@click.option("--propose", is_flag=True, help="Store a corrected calibration as a new version to try.")
@json_option
def check(propose: bool, as_json: bool, **options: Any) -> int:
    """Is the rig still calibrated? Exit code 0: good, 1: warning, 2: calibrate again.

    Rows that differ between left and right show roll and pitch. Yaw hardly shows there, and is what ruins depth:
    give --board with the board in view, or --distance-m with a wall or board straight ahead.
    """
    from roma_device.app.calibrate import check_command

    report, calibration = check_command.check_rig(check_command.CheckChoice(**options))
    show(report, as_json)
    if propose:
        click.echo(check_command.propose(calibration, report), err=as_json)
    return report.exit_code
