"""What the ablation answers: a table per question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model.studies.ablation.plan import SHIFTS_PX

from .results import Results, Source
from .tables import markdown, number, percent


def _moved(variant: str, reading: str = "as trained") -> Source:
    return Source(variant, "two_view", reading)


@dataclass(frozen=True, slots=True)
class Question:
    """Ways to do a thing on pairs of moving cameras; the first is what the others are compared with."""

    title: str
    ways: tuple[tuple[str, Source], ...]


PLAIN = _moved("tiny_preprocess")
QUESTIONS = (
    Question(
        "Normalization of the grey image",
        (
            ("trained and run with it (`tiny_preprocess`)", PLAIN),
            ("trained and run without it (`tiny_raw`)", _moved("tiny_raw")),
            ("trained with it, run without it (`tiny_preprocess` on raw grey)", _moved("tiny_preprocess", "raw grey")),
        ),
    ),
    Question(
        "Passes of the coarse matcher",
        (("one (`tiny_preprocess`)", PLAIN), ("two (`tiny_twice`)", _moved("tiny_twice"))),
    ),
    Question(
        "Channels of the coarse matcher",
        (("256 (`tiny_preprocess`)", PLAIN), ("128 (`tiny_narrow`)", _moved("tiny_narrow"))),
    ),
    Question(
        "Passes, with the release's position",
        (
            ("one (`tiny_preprocess`)", _moved("tiny_preprocess", "released position")),
            ("two (`tiny_twice`)", _moved("tiny_twice", "released position")),
        ),
    ),
    Question(
        "Channels, with the release's position",
        (
            ("256 (`tiny_preprocess`)", _moved("tiny_preprocess", "released position")),
            ("128 (`tiny_narrow`)", _moved("tiny_narrow", "released position")),
        ),
    ),
    Question(
        "Position at inference, same weights",
        (
            ("expectation over all cells (`tiny_preprocess`)", PLAIN),
            ("the release's branch, in effect an argmax", _moved("tiny_preprocess", "released position")),
        ),
    ),
    Question(
        "Fine matcher",
        (("none (`tiny_preprocess`)", PLAIN), ("at 1/4 (`tiny_fine`)", _moved("tiny_fine"))),
    ),
)
ROWS_TITLE = "Rows that are out of line"
RANGES = (
    ("own row (`tiny_row`)", "tiny_row"),
    ("own row, limited range (`tiny_band0`)", "tiny_band0"),
    ("±1 row of cells (`tiny_band1`)", "tiny_band1"),
    ("±2 rows (`tiny_band2`)", "tiny_band2"),
    ("±4 rows (`tiny_band4`)", "tiny_band4"),
    ("all cells (`tiny_preprocess`, trained on the same pairs)", "tiny_preprocess"),
)


def answers(results: Results, budget: dict[str, Any]) -> str:
    """All questions that the results have something for, under headings of the third level."""
    parts = [*_moving(results), *_rows(results)]
    return "\n\n".join([_protocol(results, budget), *parts]) if parts else "No results are stored."


def _protocol(results: Results, budget: dict[str, Any]) -> str:
    width, height = budget["size"]
    counts = [len(results.seeds(one)) for one in _trained(results)]
    seeds = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else str(max(counts))
    return (
        f"{budget['steps']} steps of {budget['batch']} pairs of {width}x{height} px, AdamW {budget['rate']:g} and Muon "
        f"{budget['muon_rate']:g}, {'convolutions in bf16' if budget['bf16'] else 'fp32'}, "
        f"{budget['photos']} natural images and {budget['patterns']} patterns as textures,\n{seeds} seeds; "
        f"{budget['machine']}. Scored in fp32 on {budget['held_out']} pairs of another seed."
    )


def _trained(results: Results) -> Iterator[Source]:
    yield from (_moved(name) for name in results.trained("two_view"))
    yield from (_at(name, 0) for name in results.trained("stereo"))


def _moving(results: Results) -> Iterator[str]:
    head = ["", "within 3 px, %", "difference", "within 1 % of the width, %", "difference", "median px"]
    for question in QUESTIONS:
        baseline = question.ways[0][1]
        rows = [
            [name, *_compared(results, source, baseline)] for name, source in question.ways if results.seeds(source)
        ]
        if len(rows) > 1:
            yield f"### {question.title}\n{markdown(head, rows)}"


def _compared(results: Results, source: Source, baseline: Source) -> Iterator[str]:
    for figure in ("within_3px", "within_1pct"):
        yield percent(results.mean(source, figure))
        yield "" if source == baseline else percent(results.difference(source, baseline, figure), signed=True)
    yield number(results.mean(source, "median_px"))


def _rows(results: Results) -> Iterator[str]:
    ranges = [(name, variant) for name, variant in RANGES if variant in results.trained("stereo")]
    if len(ranges) < 2:
        return
    head = ["", *(f"{shift} px off" for shift in SHIFTS_PX)]
    tables = []
    for title, figure, scale in (
        ("Disparity within 3 px, %", "within_3px", 100.0),
        ("Mean error of the disparity, px", "epe_px", 1.0),
    ):
        rows = [[name, *_by_shift(results, variant, figure, scale)] for name, variant in ranges]
        others = [[name, *_to_row_only(results, variant, figure, scale)] for name, variant in ranges[1:]]
        tables += [
            f"{title}:\n\n{markdown(head, rows)}",
            f"Difference to the own row, seed by seed:\n\n{markdown(head, others)}",
        ]
    yield f"### {ROWS_TITLE}\n" + "\n\n".join(tables)


def _at(variant: str, shift: int) -> Source:
    return Source(variant, "stereo", f"{shift} px")


def _by_shift(results: Results, variant: str, figure: str, scale: float) -> Iterator[str]:
    return (number(results.mean(_at(variant, shift), figure), scale) for shift in SHIFTS_PX)


def _to_row_only(results: Results, variant: str, figure: str, scale: float) -> Iterator[str]:
    return (
        number(results.difference(_at(variant, shift), _at("tiny_row", shift), figure), scale, signed=True)
        for shift in SHIFTS_PX
    )
