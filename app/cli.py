"""Entry point of the command line: its commands (commands/), and how failures and signals become exit codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import click
from loguru import logger

from roma_device.calibration.errors import RomaError

from .commands.bench import bench
from .commands.calibrate import calibrate
from .commands.calibration import calibration
from .commands.cameras import cameras
from .commands.doctor import doctor
from .commands.evaluate import evaluate
from .commands.model import model
from .commands.recording import recording
from .commands.run import run
from .commands.service import service
from .commands.verify import verify
from .log import set_up_log

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


for command in (bench, calibrate, calibration, cameras, doctor, evaluate, model, recording, run, service, verify):
    cli.add_command(command)


if __name__ == "__main__":
    main()
