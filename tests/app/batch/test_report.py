"""The page of a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from roma_device.app.batch.report import FIGURES, as_page, worst_first
from roma_device.app.batch.status import BatchStatus
from tests.app.batch.conftest import Batch, scenes
from tests.app.command_line import call


def record(**figures: object) -> dict[str, object]:
    return {"frames": 3, "seconds": 2.0, "figures": figures}


@pytest.mark.parametrize(
    ("figures", "order"),
    [
        ([{"valid_ratio": 0.9}, {"valid_ratio": 0.2}, {"valid_ratio": 0.5}], ["b", "c", "a"]),
        ([{"depth_error": 0.01}, {"depth_error": 0.2}, {"depth_error": 0.05, "valid_ratio": 0.1}], ["b", "c", "a"]),
        ([{"pose": {"states": {"ok": 3}}}, {"pose": {"states": {"ok": 1, "lost": 1}}}, {}], ["c", "b", "a"]),
    ],
)
def test_the_worst_items_come_first(figures: list[dict[str, object]], order: list[str]) -> None:
    done = {name: record(**each) for name, each in zip("abc", figures, strict=True)}
    columns = [figure for figure in FIGURES if any(figure.value(each) is not None for each in done.values())]
    assert worst_first(done, columns) == order


def test_names_and_sentences_cannot_break_the_page(tmp_path: Path) -> None:
    failed = {"<b>x": {"reason": "no <script>alert(1)</script> & such"}}
    page = as_page(BatchStatus(tmp_path, False, {}, failed, (), ()), {})
    assert "<script>" not in page and "&lt;script&gt;" in page and "&lt;b&gt;x" in page


def test_the_page_shows_figures_and_previews(tmp_path: Path, batch: Batch, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch(*scenes(2))[0] == 0
    (tmp_path / "out" / "report.html").unlink()
    code, out, _ = call(capsys, "batch", "report", str(tmp_path / "out"))
    page = Path(out.strip()).read_text(encoding="utf-8")
    assert code == 0 and page.count("data:image/jpeg;base64,") == 2
    assert "known pixels" in page and "depth error" in page and "$" not in page
