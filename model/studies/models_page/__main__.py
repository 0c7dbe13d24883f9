"""The tables of ``docs/models.md``: ``python -m model.studies.models_page``.

Exports every variant with random weights at 640x320 (weights change no speed), asks preflight, takes the CPU time of
one inference on one thread against OpenCV's SGBM, and stores what it found in ``model/measured/variants.json``.
From that file and from ``ablation.json`` beside it (``python -m model.studies.ablation --store``) it writes what lies
between the marks of the page. Times vary with the machine; ratios less so.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from model.base.cli import run_tool
from model.studies.ablation.records import read_measured
from model.tiny_roma.config import names
from roma_device.calibration.storage.files import write_atomic
from roma_device.runtime.card import ModelError

from .answers import answers
from .facts import Facts, measure
from .results import Results
from .tables import equivalence_table, variant_table

PAGE = Path(__file__).parents[3] / "docs" / "models.md"


def rendered(page: str, facts: Facts) -> str:
    """``page`` with its tables made anew from ``facts`` and the stored results of the ablation."""
    budget, records = read_measured()
    results = Results(records)
    tables = "\n\n".join([facts.note, variant_table(facts, results), equivalence_table(facts)])
    return _spliced(_spliced(page, "variants", tables), "ablation", answers(results, budget))


def _spliced(page: str, name: str, content: str) -> str:
    begin, end = f"<!-- {name}: python -m model.studies.models_page -->", f"<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ModelError(f"{PAGE}: lacks the marks {begin} and {end}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="measured inferences of each variant (5)")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--variants", nargs="+", choices=names(), help="print the table of these and leave the page")
    chosen.add_argument("--tables-only", action="store_true", help="measure nothing, write the page anew")
    arguments = parser.parse_args(words)
    torch.set_num_threads(1)
    if arguments.variants:
        print(variant_table(measure(arguments.variants, arguments.rounds), Results([])))
        return
    if not arguments.tables_only:
        measure(names(), arguments.rounds).store()
    write_atomic(PAGE, rendered(PAGE.read_text(), Facts.stored()).encode())


if __name__ == "__main__":
    run_tool(main)
