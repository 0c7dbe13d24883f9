"""Status of the systemd unit, with the figures that the program wrote last."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .install import UNIT, run_tool
from .status_file import read_status

STATUS_FILE = Path("/run/roma-device/status.json")
PROPERTIES = ("LoadState", "ActiveState", "SubState", "StatusText", "NRestarts", "Result", "ExecMainStatus")


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The unit, and the figures that the program itself wrote last."""

    properties: dict[str, str]
    figures: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """As systemctl status has it: 0 runs, 3 does not run, 4 is not installed."""
        if self.properties.get("LoadState") == "not-found":
            return 4
        return 0 if self.properties.get("ActiveState") == "active" else 3

    def as_json(self) -> dict[str, Any]:
        return {"unit": self.properties, "figures": self.figures}

    def as_text(self) -> str:
        unit = self.properties
        if self.exit_code == 4:
            return "not installed: `roma-device service install` does it"
        lines = [f"{unit['ActiveState']} ({unit['SubState']}), restarts: {unit['NRestarts']}"]
        if unit.get("Result", "success") != "success":
            lines.append(f"ended by {unit['Result']}, exit code {unit['ExecMainStatus']}: `roma-device service logs`")
        if unit.get("StatusText"):
            lines.append(unit["StatusText"])
        lines += _rollouts(self.figures.get("installed") or {})
        problems = self.figures.get("problems") or {}
        lines += [f"not well: {where}: {what}" for where, what in problems.items()] if self.exit_code == 0 else []
        return "\n".join(lines)


def _rollouts(installed: dict[str, Any]) -> list[str]:
    """What is on trial, and what went back."""
    lines = []
    for kind, facts in installed.items():
        if facts["on_trial"]:
            lines.append(f"{kind} version {facts['version']} is on trial")
        if facts["returned"]:
            lines.append(f"{kind} version {facts['returned']['version']} went back: {facts['returned']['why']}")
    return lines


def service_state(status_file: Path = STATUS_FILE) -> ServiceState:
    """Raises ServiceError where there is no systemd."""
    text = run_tool("systemctl", "show", UNIT, f"--property={','.join(PROPERTIES)}")
    properties = dict(line.partition("=")[::2] for line in text.splitlines())
    return ServiceState(properties, read_status(status_file))
