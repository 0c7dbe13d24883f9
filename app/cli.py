"""Entry point of the command line: its commands (commands/), and how failures and signals become exit codes."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from types import FrameType

import click
from loguru import logger

from roma_device.calibration.errors import RomaError

from .commands.batch import batch
from .commands.bench import bench
from .commands.calibrate import calibrate
from .commands.calibration import calibration
from .commands.cameras import cameras
from .commands.config import config
from .commands.doctor import doctor
from .commands.evaluate import evaluate
from .commands.fleet import fleet
from .commands.measure import measure
from .commands.model import model
from .commands.recording import recording
from .commands.run import run
from .commands.service import service
from .commands.verbosity import change_verbosity, take_verbosity
from .commands.verify import verify
from .log import tell_failure

EXIT_SIGINT, EXIT_SIGTERM = 130, 143

OF_STREAMS = (errno.ENOSPC, errno.EIO, errno.EBADF)
"""What stdout says where a file stands behind it; failures of files that we open have a name."""

# Before numpy is loaded: its matrices here are small, and threads that wait for each other only cost.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Entry point: every expected failure is one sentence on stderr and a sysexits code."""
    _fill_closed_streams()
    try:
        with _exit_on_signals():
            code = cli.main(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else os.EX_OK)
    except click.ClickException as error:
        error.show()
        sys.exit(os.EX_USAGE if isinstance(error, click.UsageError) else error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(EXIT_SIGINT)
    except BrokenPipeError:  # the reader of our stdout went away: not worth a word
        _leave_stdout()
        sys.exit(os.EX_OK)
    except RomaError as error:
        tell_failure(str(error))
        sys.exit(error.exit_code)
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in OF_STREAMS:
            _leave_stdout()
            tell_failure(f"cannot write to stdout: {error.strerror}")
            sys.exit(os.EX_IOERR)
        logger.opt(exception=error).debug("unexpected failure")
        tell_failure(f"internal error, please report it (-vv shows where): {error!r}")
        sys.exit(os.EX_SOFTWARE)


def _fill_closed_streams() -> None:
    """Have closed streams lead nowhere: the next file that is opened would get their number, and what they are told."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            stream = open(number, mode, closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _leave_stdout() -> None:
    """What could not be written is not tried again at the end of the process."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """At SIGTERM not at once, as is the default: what the driver of an NPU gave us must go back to it."""
    handlers = {signal.SIGTERM: lambda *_: sys.exit(EXIT_SIGTERM), signal.SIGINT: _interrupt}
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(_: int, frame: FrameType | None) -> None:
    """KeyboardInterrupt; the end at once while a module is loaded, where importlib's callbacks would swallow that."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            os._exit(EXIT_SIGINT)
        frame = frame.f_back
    raise KeyboardInterrupt


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("roma-device"), prog_name="roma-device")
@click.option("-v", "--verbose", count=True, help="Say more; twice for debugging.")
@click.option("-q", "--quiet", count=True, help="Say less.")
@click.pass_context
def cli(context: click.Context, verbose: int, quiet: int) -> None:
    """Dense depth from a stereo camera, by a neural network on an Axera NPU or on any CPU."""
    change_verbosity(context, verbose - quiet)


for command in (
    batch,
    bench,
    calibrate,
    calibration,
    cameras,
    config,
    doctor,
    evaluate,
    fleet,
    measure,
    model,
    recording,
    run,
    service,
    verify,
):
    cli.add_command(command)
    take_verbosity(command)


if __name__ == "__main__":
    main()
