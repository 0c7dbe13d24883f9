"""What is measured of every variant without training it, and the file that keeps it."""

from __future__ import annotations

import json
import platform
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import onnxruntime
import torch

from model.studies.fit_latency import FOLDER, measured_rows
from model.tiny_roma.config import TinyRomaConfig
from model.tiny_roma.equivalences import measure as measure_equivalences
from model.tiny_roma.export import write_bundle
from model.tiny_roma.network import TinyRoma
from roma_device.calibration.storage.files import write_atomic
from roma_device.runtime.card import ModelError, load_card
from roma_device.runtime.onnx.graph import Graph, read_onnx
from roma_device.runtime.onnx.shapes import infer
from roma_device.runtime.preflight.graph_cost import graph_cost, load_latency_law
from roma_device.runtime.preflight.npu_chip import load_chip
from roma_device.runtime.preflight.report import Report, check_graph

from .speed import SIZE, cpu_ratios

MEASURED = Path(__file__).parents[2] / "measured" / "variants.json"


@dataclass(frozen=True, slots=True)
class VariantFacts:
    """Of a variant at SIZE."""

    parameters: int
    gmac: float
    largest: str  # elements in millions that the largest operator reads and writes, and its kind
    verdicts: dict[str, str]  # chip -> what preflight says for NPU1
    npu_ms: str  # on NPU1, measured or estimated
    cpu_ratio: dict[str, float]  # engine and precision -> CPU time over that of SGBM


@dataclass(frozen=True, slots=True)
class Facts:
    """Of all variants."""

    note: str  # on what machine and how
    variants: dict[str, VariantFacts]
    equivalences: dict[str, float]  # two ways to the same -> greatest difference

    def store(self, path: Path = MEASURED) -> None:
        write_atomic(path, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @classmethod
    def stored(cls, path: Path = MEASURED) -> Facts:
        """Raises ModelError."""
        try:
            raw = json.loads(path.read_text())
            variants = {name: VariantFacts(**one) for name, one in raw.pop("variants").items()}
            return cls(variants=variants, **raw)
        except (OSError, json.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"{path}: not the figures of the variants ({error}): measure them anew") from None


def measure(variants: list[str], rounds: int) -> Facts:
    """Random weights, which change no speed; ``rounds`` inferences of each engine."""
    engines = f"OpenCV {cv2.__version__}, ONNX Runtime {onnxruntime.__version__}{_openvino_version()}"
    note = f"640x320, one thread, median of {rounds} rounds; {platform.machine()}, {engines}."
    found = {variant: _facts(variant, rounds) for variant in variants}
    return Facts(note, found, {one.name: one.difference for one in measure_equivalences()})


def _openvino_version() -> str:
    try:
        import openvino
    except ImportError:
        return ""
    return f", OpenVINO {str(openvino.__version__).split('-')[0]}"


def _facts(variant: str, rounds: int) -> VariantFacts:
    torch.manual_seed(0)
    network = TinyRoma(TinyRomaConfig.load(variant)).eval()
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / variant
        write_bundle(network, SIZE, bundle, variant)
        file = load_card(bundle).files["onnx"]
        return _described(variant, network, read_onnx(file.read(), file.path), cpu_ratios(bundle, rounds))


def _described(variant: str, network: TinyRoma, graph: Graph, cpu_ratio: dict[str, float]) -> VariantFacts:
    law = load_latency_law(FOLDER / "latency.yaml")
    chips = [load_chip(FOLDER / f"{name}.yaml") for name in ("ax650", "ax620e")]
    reports = {chip.name: check_graph(graph, variant, chip, "NPU1", law) for chip in chips}
    cost = graph_cost(graph, infer(graph))
    return VariantFacts(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        gmac=round(cost.gmac, 3),
        largest="-" if cost.largest is None else f"{cost.largest.moved / 1e6:.1f} ({cost.largest.node.op})",
        verdicts={name: report.verdict for name, report in reports.items()},
        npu_ms=_npu_ms(variant, reports["AX650"]),
        cpu_ratio=cpu_ratio,
    )


def _npu_ms(variant: str, report: Report) -> str:
    """Measured before at SIZE, or estimated."""
    rows = (row for row in measured_rows() if row.variant == variant and row.size == SIZE)
    measured = next((row.median_ms for row in rows if row.median_ms is not None), None)
    if measured is not None:
        return f"{measured:.1f} measured"
    if report.verdict == "fails" or report.latency is None:
        return "-"
    return f"{'at least ' if report.latency.lower_bound else ''}{report.latency.ms:.1f} estimated"
