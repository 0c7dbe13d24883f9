"""README's commands are commands of this program: each is parsed with all of its options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from roma_device.app.cli import cli

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
LINES = "\n".join(BLOCKS).replace("\\\n", " ").splitlines()
COMMANDS = [shlex.split(line, comments=True)[1:] for line in LINES if line.startswith("roma-device ")]


def test_readme_has_its_commands() -> None:
    assert len(COMMANDS) >= 14


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_of_readme_is_one(words: list[str]) -> None:
    command: click.Command = cli
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    assert command is not cli
    with command.make_context("roma-device", list(words)) as context:
        assert context.command is command
