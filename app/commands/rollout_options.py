"""Options of the commands that put something to use: on trial, and what it has to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .options import together

if TYPE_CHECKING:
    from roma_device.app.rollout.put_to_use import TrialChoice

trial_options = together(
    click.option(
        "--trial/--no-trial",
        "on_trial",
        default=None,
        help="It stays only if it shows good frames.  [default: --trial where the service serves it]",
    ),
    click.option("--no-wait", is_flag=True, help="Do not wait for the end of the trial."),
    click.option(
        "--good-frames", type=click.IntRange(1), default=30, show_default=True, help="So many in a row pass the trial."
    ),
    click.option(
        "--limit-s",
        type=click.FloatRange(1, 3600),
        default=30,
        show_default=True,
        help="By then they are here, or it goes back.",
    ),
    click.option(
        "--min-valid",
        type=click.FloatRange(0, 1),
        help="Least share of known pixels of a good frame.  [default: half of what the service gives now]",
    ),
    click.option("--max-latency-ms", type=click.FloatRange(1), help="Greatest latency of a good frame."),
)


def take_trial(options: dict[str, Any]) -> TrialChoice:
    """Take the options above out of ``options``."""
    from roma_device.app.rollout.put_to_use import TrialChoice

    return TrialChoice(
        on_trial=options.pop("on_trial"),
        wait=not options.pop("no_wait"),
        good_frames=options.pop("good_frames"),
        limit_s=options.pop("limit_s"),
        min_valid=options.pop("min_valid"),
        max_latency_ms=options.pop("max_latency_ms"),
    )
