"""The command line: options in, exit codes out, no logic."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from loguru import logger

from roma_device.calibration.errors import RomaError

from .commands.calibrate import calibrate
from .commands.calibration import calibration
from .commands.cameras import cameras
from .commands.doctor import doctor
from .commands.model import model
from .commands.odometry import evaluate_odometry
from .commands.options import settings_from_options
from .commands.pose import bench_pose_option, evaluate_pose, pair_pose_options, take_pair_pose
from .commands.service import service
from .log import set_up_log

if TYPE_CHECKING:
    from .settings.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])
EXIT_SIGINT, EXIT_SIGTERM = 130, 143

# Before numpy is loaded: its matrices here are small, and threads that wait for each other only cost.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Entry point: every expected failure is one sentence on stderr and a sysexits code."""
    try:
        with _exit_on_sigterm():
            code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else os.EX_OK)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(EXIT_SIGINT)
    except BrokenPipeError:  # the reader of our stdout went away: not worth a word
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(os.EX_OK)
    except RomaError as error:
        click.echo(f"roma-device: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        logger.opt(exception=error).debug("unexpected failure")
        click.echo(f"roma-device: internal error, please report it (-vv shows where): {error!r}", err=True)
        sys.exit(os.EX_SOFTWARE)


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Not the end at once that is the default: what the driver of an NPU gave us must go back to it."""
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("roma-device"), prog_name="roma-device")
@click.option("-v", "--verbose", count=True, help="Say more; twice for debugging.")
@click.option("-q", "--quiet", count=True, help="Say less.")
def cli(verbose: int, quiet: int) -> None:
    """Dense depth from a stereo camera, by a neural network on an Axera NPU or on any CPU."""
    set_up_log(verbose - quiet)


cli.add_command(calibrate)
cli.add_command(calibration)
cli.add_command(cameras)
cli.add_command(doctor)
cli.add_command(model)
cli.add_command(service)


def model_options(command: Command) -> Command:
    """Options that choose and run the network."""
    for option in (
        click.option("--threads", type=click.IntRange(0), help="Threads of a host engine; 0: its own choice."),
        click.option("--precision", help="auto, fp32 or int8 on a host engine.  [default: auto]"),
        click.option("--engine", help="auto, axcl, ax, openvino, onnx or opencv.  [default: auto]"),
        click.option("--model", help="Bundle folder, or name of a bundled model.  [default: stereo]"),
    ):
        command = option(command)
    return command


def camera_options(command: Command) -> Command:
    """Options that say where frames come from and what is known of the rig."""
    path = click.Path(path_type=Path)
    for option in (
        click.option("--baseline-m", type=float, help="Distance of the cameras; with --rectified."),
        click.option("--focal-px", type=float, help="Focal length at camera resolution; with --rectified."),
        click.option("--rectified", is_flag=True, default=None, help="The pairs are rectified already."),
        click.option("--calibration", type=path, help="Calibration file of the rig (YAML)."),
        click.option(
            "--camera",
            help="v4l2:LEFT,RIGHT, simulated[:SCENE], images:LEFT,RIGHT or images:DIR, video:FILE or video:LEFT,RIGHT, "
            "recording:DIR.",
        ),
        click.option("--config", type=path, help="Settings file; options on the command line win over it."),
    ):
        command = option(command)
    return command


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="JSON to stdout.")(command)


def _show(report: Any, as_json: bool) -> None:
    click.echo(json.dumps(report.as_json()) if as_json else report.as_text())


@cli.command()
@camera_options
@model_options
@click.option("--task", help="depth, pose (the rig's way, as a TUM trajectory) or depth,pose.  [default: depth]")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for what --save names.")
@click.option("--save", help="Comma-separated: disparity, depth, confidence, preview, ply, mcap, trajectory, results.")
@click.option("--frames", type=click.IntRange(1), help="Stop after so many frames.")
@click.option("--min-confidence", type=click.FloatRange(0, 1), help="Drop less certain pixels.")
@click.option("--max-fps", type=click.FloatRange(0.1), help="Process at most so many frames per second.")
@click.option("--record", type=click.Path(path_type=Path), help="Folder to record the raw pairs into.")
@click.option("--min-depth-m", type=float, help="Nearest depth that counts.")
@click.option("--max-depth-m", type=float, help="Farthest depth that counts.")
@pair_pose_options
@json_option
def run(config: Path | None, as_json: bool, **options: Any) -> int:
    """Turn stereo frames into disparity and metric depth, and into poses (--task pose): the rig's way, or with
    --intrinsics how the two cameras of each pair stand to each other."""
    from .run.command import run_from_settings

    if (pair_pose := take_pair_pose(options, as_json)) is not None:
        return pair_pose(settings_from_options(config, options))

    def load() -> Settings:
        return settings_from_options(config, options)

    return run_from_settings(load(), load, as_json)


@cli.command()
@camera_options
@model_options
@click.option("--repeat", type=click.IntRange(1), default=100, show_default=True, help="Measured runs.")
@click.option("--warmup", type=click.IntRange(0), default=5, show_default=True, help="Runs before that.")
@bench_pose_option
@json_option
def bench(config: Path | None, as_json: bool, task: str, repeat: int, warmup: int, **options: Any) -> None:
    """Measure the latency of every stage on the camera's first frame.

    Without --camera: the simulated rig at 640x320 px. --task pose: from a dense warp to a pose, without the network.
    """
    if task == "pose":
        from .benchmark.pose import bench_pose

        _show(bench_pose(repeat, warmup, options["threads"] or 0), as_json)
        return
    from .benchmark.command import bench_from_settings

    _show(bench_from_settings(settings_from_options(config, options), repeat, warmup), as_json)


@cli.command()
@click.argument("bundle")
@click.option("--engine", help="Engine to verify.  [default: auto; opencv for --make-vectors]")
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads of a host engine; 0: its own choice.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "int8"]),
    default="auto",
    help="Of a host engine; auto: the faster.",
)
@click.option("--size", help="WIDTHxHEIGHT of the network's input, for models of open size.")
@click.option("--vectors", type=click.Path(path_type=Path), help="Stored vectors: list.txt, input/, output/.")
@click.option("--make-vectors", type=click.Path(path_type=Path), help="Write such a folder and end.")
@click.option("--count", type=click.IntRange(1), default=4, show_default=True, help="Vectors to make.")
@click.option("--reference", help="Bundle whose ONNX file gives the reference outputs.  [default: BUNDLE]")
@click.option(
    "--min-cosine",
    type=click.FloatRange(-1, 1),
    default=0.99,
    show_default=True,
    help="Least cosine similarity of an output.",
)
@click.option(
    "--max-mean-px",
    type=click.FloatRange(0),
    default=0.25,
    show_default=True,
    help="Greatest mean change of disparity.",
)
@click.option(
    "--max-over-1px",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="Greatest share changed by over 1 px.",
)
@json_option
def verify(as_json: bool, min_cosine: float, max_mean_px: float, max_over_1px: float, **options: Any) -> int:
    """Compare an engine's outputs with reference outputs: did the chip's rounding break the network?

    BUNDLE is a folder or the name of a bundled model. Without --vectors the reference is the OpenCV engine on
    frames of the simulated rig. The folders are those of pulsar2 run and ax_run_model. Exit code 1: not passed.
    """
    from .verify.command import VerifyChoice, verify_command
    from .verify.compare import VerifyLimits

    limits = VerifyLimits(min_cosine, max_mean_px, max_over_1px)
    report, code = verify_command(VerifyChoice(**options), limits)
    _show(report, as_json)
    return code


@cli.group()
def evaluate() -> None:
    """Measure accuracy on data with ground truth."""


@evaluate.command()
@click.argument("index", type=click.Path(path_type=Path))
@model_options
@click.option("--compare", type=click.Choice(["sgbm"]), multiple=True, help="Baseline to run beside it.")
@click.option("--shift-rows", help="Shift right images by these px up and down instead, such as 0.25,0.5,1,2.")
@click.option("--write-card", is_flag=True, help="With --shift-rows: note what is tolerated in the model's card.")
@json_option
def stereo(
    index: Path, compare: tuple[str, ...], shift_rows: str | None, write_card: bool, as_json: bool, **options: Any
) -> None:
    """Score the stereo model on the rectified pairs that INDEX (JSON) lists."""
    from .evaluate.stereo.command import evaluate_from_settings, tolerance_from_settings

    settings = settings_from_options(None, options)
    if shift_rows is None:
        _show(evaluate_from_settings(settings, index, compare), as_json)
    else:
        _show(tolerance_from_settings(settings, index, _positive_numbers(shift_rows), write_card), as_json)


evaluate.add_command(evaluate_pose)
evaluate.add_command(evaluate_odometry)


def _positive_numbers(text: str) -> list[float]:
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < 100 for number in numbers):
        raise click.BadParameter(
            f"{text!r} is not a list of numbers above 0, such as 0.25,0.5,1", param_hint="--shift-rows"
        )
    return numbers


if __name__ == "__main__":
    main()
