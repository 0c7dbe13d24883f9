"""Where the work is done, as ``--on`` names it: ``local:N`` or ``dask://HOST:PORT``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from roma_device.app.addresses import is_loopback

from . import WorkersError

MOST_LOCAL = 256
KEYS = ("ca", "cert", "key", "insecure")
FORMS = "write local:N, as in local:4, or dask://HOST:PORT"


@dataclass(frozen=True, slots=True)
class Local:
    """Processes of this machine."""

    count: int


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A scheduler of Dask that runs already."""

    address: str  # HOST:PORT
    ca: Path | None = None  # of TLS: authority, certificate and key of this client
    cert: Path | None = None
    key: Path | None = None

    @property
    def has_tls(self) -> bool:
        return self.ca is not None


def parse_address(text: str) -> Local | Scheduler:
    """What ``text`` names; raises WorkersError, also for a scheduler that strangers could talk to."""
    if text.startswith("dask://"):
        return _scheduler(text)
    kind, _, count = text.partition(":")
    if kind != "local" or not (count.isascii() and count.isdecimal() and 1 <= int(count) <= MOST_LOCAL):
        raise _usage(f"--on {text}: {FORMS}; N is from 1 to {MOST_LOCAL}")
    return Local(int(count))


def _scheduler(text: str) -> Scheduler:
    try:
        url = urlsplit(text)
        host, port, options = url.hostname, url.port, dict(parse_qsl(url.query, keep_blank_values=True))
    except ValueError:
        host, port = None, None
    if not host or port is None or url.path not in ("", "/"):
        raise _usage(f"--on {text}: {FORMS}, as in dask://127.0.0.1:8786")
    if unknown := sorted(options.keys() - set(KEYS)):
        raise _usage(f"--on {text}: unknown option {unknown[0]!r}; known: {', '.join(KEYS)}")
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    files = {name: Path(options[name]).absolute() for name in ("ca", "cert", "key") if name in options}
    if files and len(files) < 3:
        raise _usage(f"--on {text}: TLS takes all of ca=FILE, cert=FILE and key=FILE")
    if missing := [path for path in files.values() if not path.is_file()]:
        raise WorkersError(f"--on {text}: {missing[0]} is no file", exit_code=os.EX_NOINPUT)
    if not files and not is_loopback(host) and options.get("insecure") != "1":
        raise _usage(
            f"--on {text}: whoever reaches such a scheduler runs code on all of its workers: give "
            "?ca=FILE&cert=FILE&key=FILE for TLS, or ?insecure=1 where the network is closed to others"
        )
    return Scheduler(address, **files)


def _usage(message: str) -> WorkersError:
    return WorkersError(message, exit_code=os.EX_USAGE)
