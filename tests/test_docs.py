"""What the documentation names is there."""

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
