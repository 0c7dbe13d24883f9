from __future__ import annotations

from pathlib import Path

import pytest

from roma_device.app.verify.model_check import LISTS, known_chips
from roma_device.runtime.card import ModelError
from roma_device.runtime.preflight.npu_chip import load_chip

LIST = LISTS / "ax650.yaml"


def test_every_list_names_its_chip_and_source() -> None:
    assert list(known_chips()) == ["AX615", "AX620E", "AX637", "AX650", "M57"]
    for name, path in known_chips().items():
        chip = load_chip(path)
        assert chip.name == name and "commit" in chip.source
        assert {"Conv", "MatMul", "Softmax"} <= chip.operators and "Einsum" not in chip.operators


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("least_opset: 11", "least_opset: eleven", r"list.yaml:6: least_opset must be a number"),
        ("operators: [", "operators: [{a: 1},", r"list.yaml:\d+: operators must be a list of texts"),
        ("chip: AX650", "chop: AX650", r"chip is missing"),
        ("cast_to:", "more: 1\ncast_to:", r"more is not a key of this format"),
    ],
)
def test_damaged_lists_name_line_and_key(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(LIST.read_text().replace(old, new))
    with pytest.raises(ModelError, match=message):
        load_chip(path)
