"""The list of boards: a YAML file with a name and an address for each."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast
from urllib.parse import parse_qs, urlsplit

from roma_device.app.settings.yaml_lines import YamlDocument, parse_yaml
from roma_device.calibration.errors import RomaError
from roma_device.calibration.storage.files import read_text
from roma_device.calibration.storage.strict_yaml import YamlError

Scheme = Literal["http", "https", "ssh"]
MONITOR_PORT = 9470
PORTS: Mapping[str, int] = {"http": MONITOR_PORT, "https": 443, "ssh": 22}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}|[0-9A-Fa-f:.]{2,45}")
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


class FleetError(RomaError):
    """A list of boards that cannot be read."""

    exit_code = os.EX_DATAERR


@dataclass(frozen=True, slots=True)
class Board:
    """One board and the way to its health endpoint."""

    name: str
    scheme: Scheme
    host: str
    port: int  # of ssh that of the ssh server
    user: str = ""
    monitor_port: int = MONITOR_PORT  # of ssh: on the board's loopback

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{f'{self.user}@' if self.user else ''}{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """All boards of a list."""

    boards: tuple[Board, ...]
    ca: Path | None = None  # certificates that https is checked by; None: the system's


def load_fleet(path: Path) -> Fleet:
    """Raises FleetError with file, line and what is wrong."""
    try:
        document = parse_yaml(read_text(path, "list of boards", FleetError))
    except YamlError as error:
        raise FleetError(f"{path}:{error.line}: {error}") from None
    top = document.value
    if not isinstance(top, dict) or not isinstance(top.get("boards"), dict) or not top["boards"]:
        raise FleetError(f"{path}:1: a mapping with boards is wanted, as in boards: {{gate-1: http://10.0.0.7:9470}}")
    for key in top:
        if key not in ("boards", "ca"):
            raise FleetError(f"{path}:{document.line_of((key,))}: {key}: unknown key; known: boards, ca")
    ca = top.get("ca")
    if ca is not None and not isinstance(ca, str):
        raise FleetError(f"{path}:{document.line_of(('ca',))}: ca must be the path of a file")
    boards = tuple(_board(name, url, path, document) for name, url in top["boards"].items())
    return Fleet(boards, None if ca is None else path.parent / ca)


def _board(name: object, url: object, path: Path, document: YamlDocument) -> Board:
    where = f"{path}:{document.line_of(('boards', str(name)))}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise FleetError(f"{where}: {name!r} is no name of a board: letters, digits, dots and dashes are")
    if not isinstance(url, str):
        raise FleetError(f"{where}: {name}: an address is wanted, such as http://10.0.0.7:9470 or ssh://pi@gate-1")
    try:
        return parse_board(name, url)
    except ValueError as error:
        raise FleetError(f"{where}: {name}: {error}") from None


def parse_board(name: str, url: str) -> Board:
    """``http://HOST[:PORT]``, ``https://HOST[:PORT]`` or ``ssh://[USER@]HOST[:PORT][?port=MONITOR]``; ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or parts.path.strip("/"):
        raise ValueError(f"{url!r} is no address such as http://10.0.0.7:9470, https://HOST or ssh://pi@gate-1")
    host, user = parts.hostname or "", parts.username or ""
    # Both become words of ssh's command line: neither may look like an option.
    if not HOST.fullmatch(host) or (user and not USER.fullmatch(user)) or parts.password:
        raise ValueError(f"{url!r} has no host that can be asked")
    if user and parts.scheme != "ssh":
        raise ValueError(f"{url!r}: users are for ssh alone")
    monitor = parse_qs(parts.query).get("port", [str(MONITOR_PORT)])[0]
    if not monitor.isdecimal() or not 0 < int(monitor) < 65536:
        raise ValueError(f"{url!r}: {monitor!r} is no port")
    return Board(name, cast(Scheme, parts.scheme), host, parts.port or PORTS[parts.scheme], user, int(monitor))
