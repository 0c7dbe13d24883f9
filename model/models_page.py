"""The table of ``docs/models.md``: ``python -m model.models_page``.

Exports every variant with random weights at 640x320 (weights change no speed), asks preflight, and takes the CPU time
of one inference on one thread against OpenCV's SGBM, rounds interleaved. Replaces what lies between the two marks of
the page. Times vary with the machine; ratios less so.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import torch

from roma_device.runtime.graph_cost import GraphCost, graph_cost
from roma_device.runtime.npu_chip import load_chip
from roma_device.runtime.npu_latency import load_latency_law
from roma_device.runtime.onnx_graph import read_onnx
from roma_device.runtime.onnx_shapes import infer
from roma_device.runtime.preflight import Report, check_graph

from .fit_latency import FOLDER, measured_rows
from .tiny_roma.config import TinyRomaConfig, names
from .tiny_roma.equivalences import measure as measure_equivalences
from .tiny_roma.export import to_onnx
from .tiny_roma.network import TinyRoma

PAGE = Path(__file__).parent.parent / "docs" / "models.md"
BEGIN, END = "<!-- table: python -m model.models_page -->", "<!-- end of table -->"
SIZE = (640, 320)
NOT_TRAINED = "not trained yet"


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says of a variant."""

    variant: str
    config: TinyRomaConfig
    parameters: int
    cost: GraphCost
    reports: dict[str, Report]  # by chip
    cpu_ratio: dict[str, float]  # engine -> median CPU time over that of SGBM


def make_rows(variants: list[str], rounds: int, folder: Path) -> list[Row]:
    files = {variant: _exported(variant, folder) for variant in variants}
    ratios = _cpu_ratios({variant: path for variant, (_, path) in files.items()}, rounds)
    return [_row(variant, network, path, ratios[variant]) for variant, (network, path) in files.items()]


def _exported(variant: str, folder: Path) -> tuple[TinyRoma, Path]:
    torch.manual_seed(0)
    network = TinyRoma(TinyRomaConfig.load(variant)).eval()
    path = folder / f"{variant}.onnx"
    path.write_bytes(to_onnx(network, SIZE).SerializeToString())
    return network, path


def _row(variant: str, network: TinyRoma, path: Path, ratio: dict[str, float]) -> Row:
    graph = read_onnx(path.read_bytes(), path)
    law = load_latency_law(FOLDER / "latency.yaml")
    chips = [load_chip(FOLDER / f"{name}.yaml") for name in ("ax650", "ax620e")]
    reports = {chip.name: check_graph(graph, variant, chip, "NPU1", law) for chip in chips}
    count = sum(parameter.numel() for parameter in network.parameters())
    return Row(variant, network.config, count, graph_cost(graph, infer(graph)), reports, ratio)


def _cpu_ratios(files: dict[str, Path], rounds: int) -> dict[str, dict[str, float]]:
    """Median over rounds of CPU time over that of SGBM in the same round; each round runs everything once."""
    cv2.setNumThreads(1)
    runs: dict[tuple[str, str], Callable[[], Any]] = {}
    for variant, path in files.items():
        runs[variant, "onnx"] = _onnx_runtime(path)
        opencv = _opencv(path)
        if opencv is not None:
            runs[variant, "opencv"] = opencv
    baseline = _sgbm()
    for run in (*runs.values(), baseline):
        run()
    ratios: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        reference = statistics.median(_cpu_s(baseline) for _ in range(3))
        for key, run in runs.items():
            ratios[key].append(_cpu_s(run) / reference)
    result: dict[str, dict[str, float]] = {variant: {} for variant in files}
    for (variant, engine), values in ratios.items():
        result[variant][engine] = statistics.median(values)
    return result


def _cpu_s(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _inputs() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {name: rng.random((1, 1, SIZE[1], SIZE[0]), np.float32) for name in ("left", "right")}


def _onnx_runtime(path: Path) -> Callable[[], Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    inputs = _inputs()
    return lambda: session.run(None, inputs)


def _opencv(path: Path) -> Callable[[], Any] | None:
    """As the device runs it: the classic engine where there are two; None where OpenCV does not take the graph."""
    data, classic = np.frombuffer(path.read_bytes(), np.uint8), getattr(cv2.dnn, "ENGINE_CLASSIC", None)
    inputs = _inputs()
    try:
        net: Any = cv2.dnn.readNetFromONNX(data) if classic is None else cv2.dnn.readNetFromONNX(data, classic)

        def run() -> Any:
            for name, value in inputs.items():
                net.setInput(value, name)
            return net.forward(["warp", "certainty"])

        run()
    except cv2.error:
        return None
    return run


def _sgbm() -> Callable[[], Any]:
    """SGBM in its fast mode, 64 disparities, on textured noise."""
    rng = np.random.default_rng(0)
    left = cv2.GaussianBlur(rng.integers(0, 256, SIZE[::-1], np.uint8), (0, 0), 1.5)
    right = np.roll(left, -12, 1)
    matcher = cv2.StereoSGBM.create(
        minDisparity=0, numDisparities=64, blockSize=5, P1=200, P2=800, mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY
    )
    return lambda: matcher.compute(left, right)


def _measured_ms() -> dict[str, float]:
    """Measured before, at SIZE."""
    return {row.variant: row.median_ms for row in measured_rows() if row.median_ms is not None and row.size == SIZE}


def table(rows: list[Row]) -> str:
    head = (
        "| variant | earlier rows | task | parameters | GMAC | largest operator MB | CPU / SGBM, ONNX Runtime | OpenCV "
        "| AX650 | AX620E | NPU1 ms | accuracy |"
    )
    measured = _measured_ms()
    return "\n".join([head, "|" + "---|" * 12, *(_line(row, measured) for row in rows)])


def _line(row: Row, measured: dict[str, float]) -> str:
    report, largest = row.reports["AX650"], row.cost.largest
    cells = [
        f"`{row.variant}`",
        ", ".join(row.config.prior) or "-",
        "stereo" if row.config.stereo else "two-view",
        f"{row.parameters / 1e6:.2f} M",
        f"{row.cost.gmac:.2f}",
        "-" if largest is None else f"{largest.moved / 1e6:.1f} ({largest.node.op})",
        f"{row.cpu_ratio['onnx']:.2f}",
        f"{row.cpu_ratio['opencv']:.2f}" if "opencv" in row.cpu_ratio else "does not run",
        *(row.reports[chip].verdict for chip in ("AX650", "AX620E")),
        f"{measured[row.variant]:.1f} measured" if row.variant in measured else _estimate(report),
        NOT_TRAINED,
    ]
    return "| " + " | ".join(cells) + " |"


def _estimate(report: Report) -> str:
    if report.verdict == "fails" or report.latency is None:
        return "-"
    return f"{'at least ' if report.latency.lower_bound else ''}{report.latency.ms:.1f} estimated"


def equivalence_table() -> str:
    lines = [f"| {one.name} | {one.difference:.1e} |" for one in measure_equivalences()]
    return "\n".join(["| two ways to the same | greatest difference |", "|---|---|", *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="measured inferences of each variant (5)")
    parser.add_argument("--variants", nargs="+", choices=names(), help="print the table of these and leave the page")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = make_rows(arguments.variants or names(), arguments.rounds, Path(folder))
    if arguments.variants:
        print(table(rows))
        return
    machine = f"{platform.machine()}, OpenCV {cv2.__version__}, ONNX Runtime {onnxruntime.__version__}"
    note = f"640x320, one thread, median of {arguments.rounds} rounds; {machine}."
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    content = "\n\n".join([note, table(rows), equivalence_table()])
    PAGE.write_text(f"{before}{BEGIN}\n{content}\n{END}{after}")


if __name__ == "__main__":
    main()
