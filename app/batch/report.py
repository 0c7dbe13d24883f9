"""Report of a batch: one HTML page with figures of each item, the worst first with previews, and what failed."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from roma_device.app.sinks.file_sink import told
from roma_device.calibration.storage.files import write_atomic

from .job import read_job
from .process import PREVIEW
from .progress import duration
from .status import BatchStatus

NAME = "report.html"
MOST_PREVIEWS, MOST_ROWS = 12, 2000

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """A column of the table."""

    title: str
    value: Callable[[Record], float | None]  # of an item's record
    text: Callable[[float], str]
    worse: int = 0  # 1: more is worse, -1: less is worse, 0: neither


def _of(*keys: str) -> Callable[[Record], float | None]:
    """The number under ``keys`` in a record, one inside the other."""

    def value(record: Record) -> float | None:
        found: Any = record
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return float(found) if isinstance(found, (int, float)) else None

    return value


def _lost(record: Record) -> float | None:
    states = record.get("figures", {}).get("pose", {}).get("states")
    return None if not states else states.get("lost", 0) / sum(states.values())


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


FIGURES = (
    Figure("frames", _of("frames"), "{:.0f}".format),
    Figure("depth error", _of("figures", "depth_error"), "{:.3%}".format, 1),
    Figure("position error", _of("figures", "pose", "ate_of_path"), "{:.3%}".format, 1),
    Figure("poses lost", _lost, _percent, 1),
    Figure("known pixels", _of("figures", "valid_ratio"), _percent, -1),
    Figure("path", _of("figures", "pose", "path_m"), "{:.2f} m".format),
    Figure("network", _of("figures", "stages_ms", "engine", "median"), "{:.1f} ms".format),
    Figure("time", _of("seconds"), duration),
)
"""In the order of the table; the first with a "worse" that any item has decides which item is the worst."""


def write_report(path: Path) -> Path:
    """Write ``report.html`` into the folder of a batch; returns its path. Raises BatchError and SinkError."""
    page = path / NAME
    text = as_page(BatchStatus.read(path), read_job(path) or {})
    with told(f"cannot write {page}"):
        write_atomic(page, text.encode())
    return page


def as_page(status: BatchStatus, job: Record) -> str:
    """The page; it needs no other file."""
    columns = [figure for figure in FIGURES if any(figure.value(record) is not None for record in status.done.values())]
    ordered = worst_first(status.done, columns)
    template = Template((files("roma_device.app.batch") / NAME).read_text(encoding="utf-8"))
    return template.substitute(
        folder=html.escape(str(status.folder)),
        counts=html.escape(status.as_text().splitlines()[0]),
        facts=html.escape(_facts(job)),
        failed=_failed(status.failed),
        previews="".join(_preview(status.folder, name, columns, status.done[name]) for name in ordered[:MOST_PREVIEWS]),
        head="".join(f"<th>{figure.title}</th>" for figure in columns),
        rows="".join(_row(name, columns, status.done[name]) for name in ordered[:MOST_ROWS]),
        rest=f"<p>and {len(ordered) - MOST_ROWS} more</p>" if len(ordered) > MOST_ROWS else "",
    )


def worst_first(done: Mapping[str, Record], columns: Iterable[Figure]) -> list[str]:
    """Names of items by the first column that can be worse; those without a value come first."""
    judge = next((figure for figure in columns if figure.worse), None)
    if judge is None:
        return list(done)

    def rank(name: str) -> float:
        value = judge.value(done[name])
        return float("-inf") if value is None else -judge.worse * value

    return sorted(done, key=rank)


def _facts(job: Record) -> str:
    software, settings = job.get("software", {}), job.get("settings", {})
    parts = [f"model {job.get('model', {}).get('name')}", f"task {', '.join(settings.get('task', []))}"]
    parts += [f"{settings.get('input_width')} px", f"roma-device {software.get('roma-device')}"]
    return f"{', '.join(parts)}; begun {job.get('made_at')}"


def _failed(failed: Mapping[str, Record]) -> str:
    if not failed:
        return ""
    lines = (
        f"<li><b>{html.escape(name)}</b>: {html.escape(str(each['reason']))}</li>" for name, each in failed.items()
    )
    return f"<h2>Failed</h2><ul class=failed>{''.join(lines)}</ul>"


def _preview(folder: Path, name: str, columns: Iterable[Figure], record: Record) -> str:
    path = folder / "items" / name / PREVIEW
    data = b""
    with suppress(OSError):
        data = path.read_bytes()
    if not data:
        return ""
    told_figures = ", ".join(f"{figure.title} {text}" for figure in columns if (text := _text(figure, record)))
    name, source = html.escape(name), f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    caption = f"<b>{name}</b><br>{html.escape(told_figures)}"
    return f'<figure><img src="{source}" alt="worst frame of {name}"><figcaption>{caption}</figcaption></figure>'


def _row(name: str, columns: Iterable[Figure], record: Record) -> str:
    cells = "".join(f"<td>{_text(figure, record) or '–'}</td>" for figure in columns)
    return f'<tr><th scope="row">{html.escape(name)}</th>{cells}</tr>\n'


def _text(figure: Figure, record: Record) -> str:
    value = figure.value(record)
    return "" if value is None else figure.text(value)
