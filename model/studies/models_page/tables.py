"""The table of all variants, and that of equivalences, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from model.studies.ablation.plan import SHIFTS_PX
from model.tiny_roma.config import TinyRomaConfig

from .facts import Facts, VariantFacts
from .results import Mean, Results, Source

HEAD = (
    "variant",
    "earlier rows",
    "task",
    "parameters",
    "GMAC",
    "largest operator MB",
    "CPU / SGBM: ONNX Runtime fp32 / int8",
    "OpenVINO fp32 / int8",
    "OpenCV",
    "AX650",
    "AX620E",
    "NPU1 ms",
    "within 3 px, %",
    f"the same {', '.join(map(str, SHIFTS_PX[1:]))} px out of line, %",
)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(line) + " |" for line in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def variant_table(facts: Facts, results: Results) -> str:
    return markdown(HEAD, [_row(name, one, results) for name, one in facts.variants.items()])


def _row(variant: str, facts: VariantFacts, results: Results) -> list[str]:
    config, source = TinyRomaConfig.load(variant), results.accuracy_source(variant)
    return [
        f"`{variant}`",
        ", ".join(config.prior) or "-",
        "stereo" if config.stereo else "two-view",
        f"{facts.parameters / 1e6:.2f} M",
        f"{facts.gmac:.2f}",
        facts.largest,
        *(_speeds(facts.cpu_ratio, engine) for engine in ("onnx", "openvino")),
        f"{facts.cpu_ratio['opencv fp32']:.2f}" if "opencv fp32" in facts.cpu_ratio else "does not run",
        *(facts.verdicts[chip] for chip in ("AX650", "AX620E")),
        facts.npu_ms,
        "not trained" if source is None else percent(results.mean(source, "within_3px")),
        _out_of_line(source, results),
    ]


def _speeds(ratio: dict[str, float], engine: str) -> str:
    values = (ratio.get(f"{engine} {precision}") for precision in ("fp32", "int8"))
    return " / ".join("-" if value is None else f"{value:.2f}" for value in values)


def _out_of_line(source: Source | None, results: Results) -> str:
    if source is None or source.pairs != "stereo":
        return "-"
    shifts = (Source(source.variant, "stereo", f"{shift} px") for shift in SHIFTS_PX[1:])
    means = [results.mean(one, "within_3px") for one in shifts]
    return ", ".join("-" if mean is None else f"{100 * mean.value:.1f}" for mean in means)


def percent(mean: Mean | None, signed: bool = False) -> str:
    """A share with its interval."""
    return number(mean, 100, signed)


def number(mean: Mean | None, scale: float = 1, signed: bool = False) -> str:
    if mean is None:
        return "-"
    digits = 1 if scale == 100 else 2
    value = f"{scale * mean.value:{'+' if signed else ''}.{digits}f}"
    return value if mean.half == float("inf") else f"{value} ± {scale * mean.half:.{digits}f}"


def equivalence_table(facts: Facts) -> str:
    rows = [[name, f"{difference:.1e}"] for name, difference in facts.equivalences.items()]
    return markdown(["two ways to the same", "greatest difference"], rows)
