"""What the documentation names is there, and its lines are short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
LINKS = re.findall(r"\[([^\]]+)\]\(([^)]+)\)", GLOSSARY.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "target"), LINKS, ids=[name for name, _ in LINKS])
def test_every_file_that_the_glossary_names_exists(name: str, target: str) -> None:
    assert (GLOSSARY.parent / target).resolve() == (ROOT / name).resolve()
    assert (ROOT / name).is_file()


def test_every_word_of_the_glossary_names_its_file() -> None:
    words = [line for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    assert 24 <= len(words) == len(LINKS)


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = ("api", "app", "runtime", "calibration", "configs", "model", "bench", "tests", "examples", "docs", "contrib")
FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
PATH = re.compile(rf"`((?:{'|'.join(SOURCES)})/[\w./-]*)`")
LOCAL = re.compile(r"\]\((?!https?://|#)([^)#]+)")
MADE = ("bench/out", "model/runs")
LONGEST = 140


def of_no_code(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_path_in_the_documentation_exists(page: Path) -> None:
    text = of_no_code(page)
    gone = {path for path in PATH.findall(text) if not (ROOT / path).exists() and not path.startswith(MADE)}
    assert gone | {path for path in LOCAL.findall(text) if not (page.parent / path).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_lines_of_the_documentation_are_short(page: Path) -> None:
    lines = of_no_code(page).splitlines()
    assert [line for line in lines if len(line) > LONGEST and not line.lstrip().startswith("|")] == []
