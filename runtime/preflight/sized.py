"""The graph of a file at the size that a user gives: what is open becomes fixed, and what is assumed is told."""

from __future__ import annotations

import os
from pathlib import Path

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelError
from roma_device.runtime.onnx.graph import Graph, TensorInfo, read_onnx

MOST_CHANNELS = 4
"""A last dimension of at most this, where those before it are open, is one of channels."""


def sized_graph(path: Path, data: bytes, size: Size | None) -> tuple[Graph, tuple[str, ...]]:
    """The graph of a file whose open dimensions are those of images of ``size``, and notes of what that assumes.

    Raises ModelError for a size that contradicts the file's own.
    """
    graph = read_onnx(data, path)
    notes: list[str] = []
    if graph.is_open_in_batch_alone:
        notes.append("the batch is open: taken as 1, which is all that this program runs; export it with a batch of 1")
        graph = graph.with_batch_of_1()
    if size is None:
        return graph, tuple(notes)
    for name, info in graph.inputs.items():
        _check_order(path, name, info)
    _check_agrees(path, graph, size)
    notes += [
        f"the channels of {name} are open: taken as 1" for name, info in graph.inputs.items() if _open_at(info, 1)
    ]
    if all(info.shape is not None and None not in info.shape for info in graph.inputs.values()):
        notes.append(f"--size {size} changes nothing: the file's inputs have fixed sizes")
    return graph.with_size(size), tuple(notes)


def shape_text(info: TensorInfo) -> str:
    """Such as ``1x3x?x?``."""
    return "x".join("?" if length is None else str(length) for length in info.shape or (None,))


def _check_order(path: Path, name: str, info: TensorInfo) -> None:
    """Raises ModelError for an input whose channels come last."""
    if info.shape is None or len(info.shape) != 4 or not (_open_at(info, 1) and _open_at(info, 2)):
        return
    if info.shape[3] is not None and info.shape[3] <= MOST_CHANNELS:
        raise ModelError(
            f"{path}: the channels of the input {name} ({shape_text(info)}) seem to come last; --size is for "
            "batch x channels x height x width: export the file so, or with a fixed size"
        )


def _check_agrees(path: Path, graph: Graph, size: Size) -> None:
    """Raises ModelError where no input has the height or the width of ``size``, though some have a fixed one."""
    images = [info for info in graph.inputs.values() if info.shape is not None and len(info.shape) == 4]
    whole = {(info.shape[3], info.shape[2]) for info in images if info.shape}
    fixed = {Size(width, height) for width, height in whole if width is not None and height is not None}
    if fixed and size not in fixed:
        shown = " and ".join(map(str, sorted(fixed)))
        raise ModelError(f"{path}: --size {size} contradicts the file, whose input is {shown}", exit_code=os.EX_USAGE)
    for what, given, known in (
        ("width", size[0], {width for width, height in whole if height is None}),
        ("height", size[1], {height for width, height in whole if width is None}),
    ):
        lengths = sorted(length for length in known if length is not None)
        if lengths and given not in lengths:
            shown = " or ".join(map(str, lengths))
            raise ModelError(
                f"{path}: --size {size} contradicts the file, whose input has a {what} of {shown}",
                exit_code=os.EX_USAGE,
            )


def _open_at(info: TensorInfo, place: int) -> bool:
    return info.shape is not None and len(info.shape) == 4 and info.shape[place] is None
