"""Do two training runs learn alike? ``python -m model.studies.compare_runs ONE TWO [--figure bad2] [--over KEY]``.

Reads ``log.jsonl`` of both folders and prints one line for each step that both logged, with the figure of either run
and how far the second is from the first. The last line has the greatest difference. Each logged figure is a mean over
``--log-every`` steps: the more these are, the less of a difference is chance. ``--over`` divides by another figure of
the same line, for runs whose pairs are not the same: what a second stage leaves of the errors that it was given.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from model.base.cli import run_tool
from model.base.loop import LOG
from roma_device.runtime.card import ModelError


def curve(folder: Path, figure: str, over: str | None = None) -> dict[int, float]:
    """``figure``, divided by ``over`` if given, by step. Raises ModelError.

    The last line counts where a resumed run logged a step twice.
    """
    path = folder / LOG
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the log ({error.strerror})", exit_code=os.EX_NOINPUT) from None
    found: dict[int, float] = {}
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if figure in record:
                found[int(record["step"])] = float(record[figure]) / (float(record[over]) if over else 1)
        except (ValueError, KeyError, TypeError, ZeroDivisionError):
            raise ModelError(f"{path}, line {number}: not a line of a training log") from None
    if not found:
        raise ModelError(f"{path}: no line has {figure!r}")
    return found


def compare(first: dict[int, float], second: dict[int, float]) -> list[tuple[int, float, float, float]]:
    """Step, both figures, and the second's difference relative to the first, for each common step."""
    common = ((step, first[step], second[step]) for step in sorted(first.keys() & second))
    return [(step, one, other, (other - one) / (one or 1)) for step, one, other in common]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="output folder of a run")
    parser.add_argument("second", type=Path, help="output folder of another run")
    parser.add_argument("--figure", default="bad2", help="name in the log (bad2)")
    parser.add_argument("--over", help="name of what it is divided by (nothing)")
    arguments = parser.parse_args()
    figure, over = arguments.figure, arguments.over
    rows = compare(curve(arguments.first, figure, over), curve(arguments.second, figure, over))
    if not rows:
        raise ModelError(f"{arguments.first} and {arguments.second} logged no step in common")
    for step, one, other, difference in rows:
        print(f"{step:8d} {one:10.4f} {other:10.4f} {100 * difference:+6.1f} %")
    print(f"greatest difference {100 * max(abs(row[3]) for row in rows):.1f} %")


if __name__ == "__main__":
    run_tool(main)
