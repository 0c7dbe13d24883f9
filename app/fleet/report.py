"""The fleet as a table and as JSON: state, versions, calibrations' ages and verdicts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from roma_device.app.log import harmless
from roma_device.calibration.made_at import age_days

from .ask import Answer

COLUMNS = ("board", "state", "fps", "known", "latency", "program", "model", "calibration", "")


@dataclass(frozen=True, slots=True)
class FleetReport:
    """Answers of all boards."""

    answers: list[Answer]

    @property
    def exit_code(self) -> int:
        """0: all are ok, 1: some are not."""
        return int(any(answer.state != "ok" for answer in self.answers))

    def as_json(self) -> list[dict[str, Any]]:
        return [board_facts(answer) for answer in self.answers]

    def as_text(self) -> str:
        rows = [COLUMNS, *(_row(facts) for facts in self.as_json())]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, self._summary()])

    def _summary(self) -> str:
        states = Counter(answer.state for answer in self.answers)
        models = Counter(facts["model"] for facts in self.as_json() if facts["model"])
        parts = [", ".join(f"{count} {state}" for state, count in states.items())]
        if models:
            parts.append("models: " + ", ".join(f"{name} on {count}" for name, count in models.most_common()))
        return f"{len(self.answers)} boards: {'; '.join(parts)}"


def board_facts(answer: Answer) -> dict[str, Any]:
    """For JSON; null where the board did not say, as programs of before this one do not."""
    status = answer.status
    serving, installed = _mapping(status.get("serving")), _mapping(status.get("installed"))
    model, calibration = _mapping(serving.get("model")), _mapping(serving.get("calibration"))
    return {
        "board": answer.board.name,
        "address": answer.board.address,
        "state": answer.state,
        "detail": answer.detail,
        "fps": status.get("fps"),
        "valid_ratio": status.get("valid_ratio"),
        "latency_ms": status.get("latency_ms"),
        "running_s": status.get("running_s"),
        "program": serving.get("program"),
        "model": _model(model),
        "calibration": {**calibration, "age_days": age_days(str(calibration.get("made_at", "")))},
        "installed": installed,
        "problems": status.get("problems"),
    }


def _model(model: dict[str, Any]) -> str | None:
    return f"{model.get('name')} {str(model.get('fingerprint', ''))[:6]}".strip() if model else None


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    """Cells of the table; what a board says of itself is not trusted to leave the terminal alone."""
    cells = (
        facts["board"],
        facts["state"],
        _number(facts["fps"], ".1f"),
        _number(facts["valid_ratio"], ".0%"),
        _number(facts["latency_ms"], ".0f", " ms"),
        str(facts["program"] or ""),
        facts["model"] or "",
        _calibration(facts["calibration"]),
        "; ".join(part for part in (facts["detail"], *_rollouts(facts["installed"])) if part),
    )
    return tuple(harmless(cell).replace("\n", " ") for cell in cells)


def _number(value: Any, form: str, unit: str = "") -> str:
    return f"{value:{form}}{unit}" if isinstance(value, (int, float)) and not isinstance(value, bool) else "-"


def _calibration(facts: dict[str, Any]) -> str:
    age = facts.get("age_days")
    parts = (f"{age} d" if age is not None else "", str(facts.get("verdict") or ""))
    return ", ".join(part for part in parts if part) or "-"


def _rollouts(installed: dict[str, Any]) -> list[str]:
    """What is on trial, and what went back."""
    found = []
    for kind, facts in installed.items():
        facts = _mapping(facts)
        if facts.get("on_trial"):
            found.append(f"{kind} version {facts.get('version')} is on trial")
        if returned := _mapping(facts.get("returned")):
            found.append(f"{kind} version {returned.get('version')} went back: {returned.get('why')}")
    return found


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
