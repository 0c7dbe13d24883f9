"""Headers of compiled models: each kind that public files have, and what is damaged or encrypted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.runtime.card import ModelError
from roma_device.runtime.engines.compiled_for import check_compiled_for
from roma_device.runtime.onnx.axmodel import read_axmodel

from .axmodel_file import axmodel

PATH = Path("m.axmodel")


@pytest.mark.parametrize(
    ("kind", "chip", "expected"),
    [
        (0, 0, ("AX650", "1 core")),
        (1, 0, ("AX650", "2 cores")),
        (2, 0, ("AX650", "3 cores")),
        (0, 1, ("AX620E", "half of the cores")),
        (1, 1, ("AX620E", "all cores")),
        (7, 0, ("AX650", "kind 7")),
    ],
)
def test_chip_and_cores(kind: int, chip: int, expected: tuple[str, str]) -> None:
    model = read_axmodel(axmodel(kind, chip), PATH)
    assert (model.chip, model.cores) == expected


@pytest.mark.parametrize(
    ("doc", "compiler"),
    [
        ("Pulsar2 Version: 4.0\nPulsar2 Commit: 64a0e58f", "4.0, commit 64a0e58f"),
        ("Pulsar2 Version:  1.8-dirty\nPulsar2 Commit: 1234-dirty", "1.8-dirty, commit 1234-dirty"),
        ("", ""),
    ],
)
def test_the_compiler_is_named(doc: str, compiler: str) -> None:
    assert read_axmodel(axmodel(doc=doc), PATH).compiler == compiler


def test_tensors_and_what_runs_on_the_cpu() -> None:
    model = read_axmodel(axmodel(cpu="Softmax"), PATH)
    assert list(model.inputs) == ["left", "right"] and model.outputs["disparity"].shape == (1, 1, 64, 96)
    assert model.inputs["left"].dtype == "float32" and model.on_cpu == ("Softmax",)


@pytest.mark.parametrize("start", [b"deadbeef", b"\xde\xad\xbe\xef"])
def test_encrypted_files_are_named_as_such(start: bytes) -> None:
    with pytest.raises(ModelError, match=r"m.axmodel is encrypted"):
        read_axmodel(start + bytes(100), PATH)
    check_compiled_for(PATH, memoryview(start + bytes(100)), "AX650", 1, "disable")  # for the runtime to judge


@pytest.mark.parametrize("extra", ["?", "AA==", "//8="])
def test_damaged_notes_are_one_sentence(extra: str) -> None:
    with pytest.raises(ModelError, match="the compiler's notes in it are damaged"):
        read_axmodel(axmodel(extra_data=extra), PATH)


@given(st.integers(0, 10_000), st.integers(0, 255), st.integers(0, 10_000))
@settings(max_examples=300, deadline=None)
def test_any_damage_is_one_sentence_at_most(at: int, byte: int, length: int) -> None:
    data = bytearray(axmodel(2, 1))
    data[at % len(data)] = byte
    for whole in (bytes(data), bytes(data[: length % len(data)])):
        try:
            read_axmodel(whole, PATH)
        except ModelError as error:
            assert "m.axmodel" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("file", "chip", "cores", "words"),
    [
        (axmodel(0, 1), "AX650", 3, "compiled for AX620E, this is AX650: compile its ONNX for AX650"),
        (axmodel(0, 1), "M57H", 1, "compiled for AX620E, this is M57H"),
        (axmodel(0, 0), "AX620E", 2, "compiled for AX650, this is AX620E"),
        (axmodel(2, 0), "AX650", 1, "compiled for 3 cores, which the NPU's mode enable does not take"),
        (axmodel(1, 1), "AX620E", 1, "compiled for all cores, which the NPU's mode enable"),
    ],
)
def test_what_is_not_for_this_npu_is_refused(file: bytes, chip: str, cores: int, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        check_compiled_for(PATH, memoryview(file), chip, cores, "enable")


@pytest.mark.parametrize(
    ("file", "chip"),
    [(axmodel(2, 0), "AX650"), (axmodel(1, 1), "AX620E"), (axmodel(0, 0), "M57H"), (b"a format of tomorrow", "AX650")],
)
def test_what_fits_or_is_not_understood_goes_on(file: bytes, chip: str) -> None:
    check_compiled_for(PATH, memoryview(file), chip, 3, "disable")
