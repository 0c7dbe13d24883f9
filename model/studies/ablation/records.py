"""The results: one JSON record per trial and seed, in the run's folder and in the file that the page is made from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from roma_device.calibration.storage.files import write_atomic
from roma_device.runtime.card import ModelError

from .plan import Budget, Pairs, Trial
from .score import Scores

MEASURED = Path(__file__).parents[2] / "measured" / "ablation.json"


@dataclass(frozen=True, slots=True)
class Record:
    """What one trained network was found to be worth."""

    variant: str
    pairs: Pairs
    seed: int
    scores: Scores

    @property
    def trial(self) -> Trial:
        return Trial(self.variant, self.pairs)


class Ledger:
    """``results.jsonl`` and ``budget.json`` in the folder of a run."""

    def __init__(self, folder: Path, budget: Budget) -> None:
        """Raises ModelError where the folder holds results of another budget, or a damaged file."""
        self._path, self.budget = folder / "results.jsonl", budget
        folder.mkdir(parents=True, exist_ok=True)
        _check_budget(folder / "budget.json", budget)
        self.records = _read_lines(self._path) if self._path.exists() else []

    def has(self, trial: Trial, seed: int) -> bool:
        return any(one.trial == trial and one.seed == seed for one in self.records)

    def add(self, record: Record) -> None:
        """Into the file at once: a run that is killed leaves whole lines."""
        self.records.append(record)
        write_atomic(self._path, "".join(json.dumps(asdict(one)) + "\n" for one in self.records).encode())

    def store(self, path: Path, machine: str) -> None:
        """All of it in one file, in an order that does not depend on that of the runs."""
        ordered = sorted(self.records, key=lambda one: (one.pairs, one.variant, one.seed))
        budget = json.dumps(asdict(self.budget))
        lines = ",\n  ".join(json.dumps(asdict(one)) for one in ordered)
        text = f'{{\n "machine": {json.dumps(machine)},\n "budget": {budget},\n "records": [\n  {lines}\n ]\n}}\n'
        write_atomic(path, text.encode())


def _check_budget(path: Path, budget: Budget) -> None:
    asked = json.loads(json.dumps(asdict(budget)))
    if not path.exists():
        write_atomic(path, (json.dumps(asked, indent=1) + "\n").encode())
        return
    found = _parsed(path.read_text(), path)
    for name, value in asked.items():
        if found.get(name) != value:
            raise ModelError(
                f"{path}: the runs here have {name} {found.get(name)}, not {value}: take another folder, "
                "since only equal budgets can be compared",
                exit_code=os.EX_USAGE,
            )


def _read_lines(path: Path) -> list[Record]:
    lines = path.read_text().splitlines()
    return list(_records((_parsed(line, f"{path}:{number}") for number, line in enumerate(lines, 1)), path))


def read_measured(path: Path = MEASURED) -> tuple[dict[str, Any], list[Record]]:
    """Budget with machine, and records, of the stored file; raises ModelError."""
    try:
        content = _parsed(path.read_text(), path)
    except OSError as error:
        message = f"{path}: cannot read it ({error.strerror}): python -m model.studies.ablation --store writes it"
        raise ModelError(message, exit_code=os.EX_NOINPUT) from None
    if not {"machine", "budget", "records"} <= content.keys():
        raise ModelError(
            f"{path}: lacks machine, budget or records: write it anew by python -m model.studies.ablation --store"
        )
    return content["budget"] | {"machine": content["machine"]}, list(_records(content["records"], path))


def _records(raw: Iterable[dict[str, Any]], path: Path) -> Iterable[Record]:
    for one in raw:
        try:
            yield Record(**one)
        except TypeError:
            raise ModelError(f"{path}: {one!r:.80} is no record of the ablation") from None


def _parsed(text: str, where: object) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(f"{where}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise ModelError(f"{where}: must be a JSON object")
    return content
