"""The list of faults fits the source: each place is there once, and its tests exist."""

from __future__ import annotations

import pytest

from tests.mutation.run import ROOT, Fault, read_faults


@pytest.mark.parametrize("fault", read_faults(), ids=lambda fault: f"{fault.file}:{fault.old[:30]!r}")
def test_the_place_of_every_fault_is_there_once(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text(encoding="utf-8")
    assert text.count(fault.old) == 1 and fault.old != fault.new
    assert all((ROOT / name.partition("::")[0]).exists() for name in fault.tests.split())
