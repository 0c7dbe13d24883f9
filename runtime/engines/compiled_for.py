"""Preflight of a compiled model on the device: is it for this chip, and for as many cores as it may have?"""

from __future__ import annotations

from pathlib import Path

from loguru import logger

from roma_device.runtime.card import ModelError
from roma_device.runtime.onnx.axmodel import is_encrypted, read_axmodel


def check_compiled_for(path: Path, data: memoryview, chip: str, most_cores: int, mode: str) -> None:
    """Raises ModelError where the file says that it is for another chip, or for more cores than ``mode`` leaves.

    What cannot be read is the vendor's runtime to judge: its formats may change.
    """
    if is_encrypted(data):
        logger.info(f"{path} is encrypted: whether it is for {chip} shows when it is loaded")
        return
    try:
        model = read_axmodel(data, path)
    except ModelError:
        return
    if model.chip != chip and not (chip == "M57H" and model.chip == "AX650"):  # its files are not told apart
        raise ModelError(f"{path}: compiled for {model.chip}, this is {chip}: compile its ONNX for {chip}")
    if model.kind >= most_cores:
        raise ModelError(
            f"{path}: compiled for {model.cores}, which the NPU's mode {mode} does not take: "
            "compile it for fewer cores (Pulsar2's npu_mode), or set npu.mode to disable"
        )
