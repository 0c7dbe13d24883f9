"""Installer of the systemd service: unit, udev rules, sysusers and settings, put in place and taken away again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from roma_device.app.installed.settings import SERVICE_SETTINGS
from roma_device.calibration.errors import RomaError
from roma_device.calibration.storage.files import write_atomic, write_exit_code

from .rights import GRANTS, ServiceEngine, engine_of

UNIT = "roma-device.service"
EXECUTABLE_MARK = "@EXECUTABLE@"
CONFIG = SERVICE_SETTINGS
DROP_IN = Path(f"/etc/systemd/system/{UNIT}.d/npu.conf")
PLAIN = re.compile(r"[\w/.@%$+:,=-]+")
"""What needs no quotes in a unit."""

UDEV_RULES = Path("/etc/udev/rules.d/70-roma-device.rules")


class ServiceError(RomaError):
    """A service that cannot be installed or asked."""

    exit_code = os.EX_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """One file: where it goes and what is in it."""

    path: Path  # on the machine where it will run
    content: str
    mode: int = 0o644
    keep: bool = False  # the user's once it is there: neither replaced nor removed


def service_files(executable: Path, engine: ServiceEngine = "host") -> list[InstalledFile]:
    """All files of the service; ``executable`` is the program that the unit starts, ``engine`` what it runs on."""
    unit = _data("systemd", UNIT).replace(EXECUTABLE_MARK, quoted(executable))
    return [
        InstalledFile(Path("/usr/lib/sysusers.d/roma-device.conf"), _data("sysusers", "roma-device.conf")),
        *_rights(engine),
        InstalledFile(Path("/etc/systemd/system") / UNIT, unit),
        InstalledFile(CONFIG, _data("service", "config.yaml"), keep=True),
    ]


def _rights(engine: ServiceEngine) -> list[InstalledFile]:
    if engine == "host":
        return []
    return [
        InstalledFile(UDEV_RULES, _data("udev", f"engine-{engine}.rules")),
        InstalledFile(DROP_IN, _data("systemd", f"engine-{engine}.conf")),
    ]


def _data(folder: str, name: str) -> str:
    return (files("roma_device.configs") / folder / name).read_text(encoding="utf-8")


def quoted(executable: Path) -> str:
    """A path as the first word of ExecStart=; raises ServiceError for one that no unit can hold."""
    text = str(executable)
    if not (executable.is_absolute() and text.isprintable()):
        message = f"the program {text!r} must be an absolute path without control characters"
        raise ServiceError(message, exit_code=os.EX_USAGE)
    # Variables ($) are not looked for in the program's own path.
    escaped = text.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return escaped if PLAIN.fullmatch(escaped) else f'"{escaped}"'


def own_executable() -> Path:
    """The installed program; raises ServiceError where it runs from something that a service cannot start."""
    beside = Path(sys.executable).parent / "roma-device"
    found = str(beside) if beside.exists() else shutil.which("roma-device")
    if found is None:
        raise ServiceError("the program roma-device is not installed: pip install it first, or name it by --executable")
    return Path(found).absolute()


def check_executable(path: Path) -> str:
    """What would keep the service from starting ``path``, "" if nothing."""
    hidden = next((home for home in ("/home", "/root", "/run/user") if path.is_relative_to(home)), None)
    if hidden:
        return f"{path} lies in {hidden}, which the service cannot see (ProtectHome=): install it in /opt, for example"
    return ""


COMMANDS_AFTER_INSTALL = (
    ("systemd-sysusers",),
    ("udevadm", "control", "--reload"),
    ("udevadm", "trigger"),
    ("systemctl", "daemon-reload"),
)
COMMANDS_BEFORE_REMOVAL = (("systemctl", "disable", "--now", UNIT),)


def install(executable: Path, root: Path, dry_run: bool, engine: ServiceEngine | None = None) -> Iterator[str]:
    """Do it, one line for each step; with a ``root`` other than / only the files, as for a package.

    ``engine`` gets the rights that it needs, another one loses its own; None: what the machine has.
    Raises ServiceError.
    """
    on_this_machine = root == Path("/")
    engine = engine or engine_of(root)
    problem = check_executable(executable)
    if problem and on_this_machine:
        raise ServiceError(problem, exit_code=os.EX_USAGE)
    for grant in GRANTS[engine]:
        yield f"grant {grant.what}: {grant.why}"
    if engine == "host":
        yield from _remove(root, _rights("ax"), dry_run)
    for file in service_files(executable, engine):
        target = _under(root, file.path)
        if file.keep and target.exists():
            yield f"keep {target}"
            continue
        yield f"write {target}"
        if not dry_run:
            _write(target, file)
    for command in COMMANDS_AFTER_INSTALL if on_this_machine else ():
        yield f"run {' '.join(command)}"
        if not dry_run:
            run_tool(*command)


def uninstall(root: Path, dry_run: bool) -> Iterator[str]:
    """Stop the service and remove its files, but not settings, state and user; raises ServiceError."""
    for command in COMMANDS_BEFORE_REMOVAL if root == Path("/") else ():
        yield f"run {' '.join(command)}"
        if not dry_run:
            run_tool(*command, may_fail=True)
    yield from _remove(root, service_files(Path("/usr/bin/roma-device"), "ax"), dry_run)
    if root == Path("/") and not dry_run:
        run_tool("systemctl", "daemon-reload", may_fail=True)


def _remove(root: Path, files_of: list[InstalledFile], dry_run: bool) -> Iterator[str]:
    """Those that are there; the paths are the same for every engine."""
    for file in files_of:
        target = _under(root, file.path)
        if file.keep or not target.exists():
            continue
        yield f"remove {target}"
        if not dry_run:
            with _told("remove", target):
                target.unlink()


def run_tool(*command: str, may_fail: bool = False) -> str:
    """What ``command`` prints; raises ServiceError where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise ServiceError(f"{command[0]} is not on this machine: services need systemd") from None
    except subprocess.TimeoutExpired:
        raise ServiceError(f"{' '.join(command)} does not end") from None
    if done.returncode and not may_fail:
        said = (done.stderr or done.stdout).strip().partition("\n")[0]
        raise ServiceError(f"{' '.join(command[:2])} failed: {said}")
    return done.stdout


def _under(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _write(target: Path, file: InstalledFile) -> None:
    with _told("write", target):
        _make_folders(target.parent)
        write_atomic(target, file.content.encode("utf-8"))
        target.chmod(file.mode)


def _make_folders(folder: Path) -> None:
    """Whatever the umask: the service, which is not root, must reach its settings."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir()
        missing.chmod(0o755)


@contextmanager
def _told(action: str, target: Path) -> Iterator[None]:
    """A ServiceError for what the disk refuses."""
    try:
        yield
    except OSError as error:
        hint = ": run it as root" if isinstance(error, PermissionError) else ""
        message = f"cannot {action} {target} ({error.strerror}){hint}"
        raise ServiceError(message, exit_code=write_exit_code(error)) from error
