"""``-v`` and ``-q``, before the command's name and after it."""

from __future__ import annotations

from typing import Any

import click

from roma_device.app.log import set_up_log

_KEY = "roma_device.verbosity"


def change_verbosity(context: click.Context, more: int) -> None:
    """Say more, or less where ``more`` is negative, than was asked for so far."""
    context.meta[_KEY] = context.meta.get(_KEY, 0) + more
    set_up_log(context.meta[_KEY])


def is_quiet() -> bool:
    """Whether the command that runs was told to say less."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(_KEY, 0) < 0


def take_verbosity(command: click.Command) -> None:
    """Have ``command``, and every one below it, take ``-v`` and ``-q`` too."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            take_verbosity(inner)
        return
    command.params += [
        click.Option(["-v", "--verbose"], count=True, expose_value=False, callback=_said(1), help="Say more."),
        click.Option(["-q", "--quiet"], count=True, expose_value=False, callback=_said(-1), help="Say less."),
    ]


def _said(sign: int) -> Any:
    def callback(context: click.Context, _: click.Parameter, times: int) -> None:
        if times:
            change_verbosity(context, sign * times)

    return callback
