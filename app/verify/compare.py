"""Comparison of an engine's outputs with golden ones: tensor errors, their effect on disparities, a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask, Size
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import Array, EngineOptions, engine_facts, engine_name
from roma_device.runtime.tensors.decode import as_numbers

from .limits import LimitChoice, VerifyLimits
from .stage_vectors import stage_folders
from .test_vectors import VectorFolder, network_at

OVER_PX = 1.0
"""A disparity off by more than this counts as wrong."""


@dataclass(frozen=True, slots=True)
class TensorError:
    """One output against its reference; over several vectors the worst maximum and cosine, the mean's mean."""

    max_abs: float
    mean_abs: float
    cosine: float  # in [-1, 1]; NaN where a value is not finite

    @classmethod
    def of(cls, got: Array, reference: Array) -> TensorError:
        """Two arrays of the same shape, compared in float64. Two zero arrays have the cosine 1, one 0."""
        a, b = (array.astype(np.float64).ravel() for array in (got, reference))
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            return cls(float("inf"), float("inf"), float("nan"))
        difference = np.abs(a - b)
        return cls(float(difference.max()), float(difference.mean()), _cosine(a, b))

    @classmethod
    def worst(cls, errors: list[TensorError]) -> TensorError:
        """Of the same output over all vectors."""
        return cls(
            max(error.max_abs for error in errors),
            sum(error.mean_abs for error in errors) / len(errors),
            float(np.min([error.cosine for error in errors])),  # of numpy: a NaN stays one
        )

    def as_json(self) -> dict[str, float | None]:
        """None for what is not finite."""
        return {key: float(f"{value:.9g}") if np.isfinite(value) else None for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class DisparityEffect:
    """Changes of disparities or matches in px of the network's input, where the reference is certain of them."""

    mean_px: float
    max_px: float
    over_1px: float  # share in [0, 1]
    pixels: int

    @classmethod
    def of(cls, got_px: Array, reference_px: Array, certain: Mask) -> DisparityEffect:
        """Arrays of one shape. A disparity that is not finite counts as 0, as the program decodes it."""
        got, reference = (np.where(np.isfinite(array), array, 0) for array in (got_px, reference_px))
        difference = np.abs(got.astype(np.float64) - reference)[certain]
        if difference.size == 0:
            return cls(0.0, 0.0, 0.0, 0)
        over = float((difference > OVER_PX).mean())
        return cls(float(difference.mean()), float(difference.max()), over, difference.size)

    @classmethod
    def total(cls, effects: list[DisparityEffect]) -> DisparityEffect:
        """Over all vectors, every pixel counting the same."""
        pixels = sum(effect.pixels for effect in effects)
        mean, over = (
            sum(value * effect.pixels for value, effect in zip(values, effects, strict=True)) / max(pixels, 1)
            for values in ([effect.mean_px for effect in effects], [effect.over_1px for effect in effects])
        )
        return cls(mean, max(effect.max_px for effect in effects), over, pixels)

    def as_json(self) -> dict[str, Any]:
        return {key: round(value, 6) for key, value in asdict(self).items()}


def _cosine(a: FloatArray, b: FloatArray) -> float:
    if np.array_equal(a, b):
        return 1.0  # exactly, where rounding would leave a little less
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip(a @ b / lengths, -1, 1)) if lengths else 0.0


DISPARITY, PARTS, WARP, CERTAINTY = "disparity", "parts", "warp", "certainty"


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """Errors of each output over all vectors, what they do to the disparity, and the verdict."""

    header: Mapping[str, str]
    outputs: Mapping[str, TensorError]
    effect: DisparityEffect | None  # None for a model without disparities
    limits: VerifyLimits
    stages: Mapping[str, VerifyReport] = field(default_factory=dict)  # of the single graphs of a model of several

    @property
    def failures(self) -> list[str]:
        """What is beyond its limit, a phrase for each; empty where all passes."""
        limits, found = self.limits, []
        for name, error in self.outputs.items():
            if not error.cosine >= limits.min_cosine:  # NaN fails too
                found.append(f"cosine of {name} {_beside(error.cosine, limits.min_cosine)} < {limits.min_cosine:g}")
        if self.effect is not None and self.effect.mean_px > limits.max_mean_px:
            found.append(
                f"mean effect {_beside(self.effect.mean_px, limits.max_mean_px)} px > {limits.max_mean_px:g} px"
            )
        if self.effect is not None and self.effect.over_1px > limits.max_over_1px:
            share, most = 100 * self.effect.over_1px, 100 * limits.max_over_1px
            found.append(f"{_beside(share, most)} % off by over 1 px > {most:g} %")
        return found + [f"{name}: {each}" for name, stage in self.stages.items() for each in stage.failures]

    def as_text(self) -> str:
        parts = [f"{stage.as_text()}\n" for stage in self.stages.values()]
        lines = [*parts, "  Verify:", *(f"{key:>13}: {value}" for key, value in self.header.items())]
        for name, error in self.outputs.items():
            figures = f"max = {error.max_abs:.6g}   mean = {error.mean_abs:.6g}   cosine = {error.cosine:.6f}"
            lines.append(f"{name:>13}: {figures}")
        if self.effect is not None:
            lines.append(f"{'effect':>13}: {_effect(self.effect)}")
        verdict = "failed: " + "; ".join(self.failures) if self.failures else "passed"
        return "\n".join([*lines, f"  {verdict}"])

    def as_json(self) -> dict[str, Any]:
        return {
            "header": dict(self.header),
            "outputs": {name: error.as_json() for name, error in self.outputs.items()},
            "effect": None if self.effect is None else self.effect.as_json(),
            "limits": asdict(self.limits),
            **({"stages": {name: stage.as_json() for name, stage in self.stages.items()}} if self.stages else {}),
            "failures": self.failures,
            "passed": not self.failures,
        }


def _beside(value: float, limit: float) -> str:
    """With as many digits as it takes to tell it from its limit."""
    texts = (f"{value:.{digits}g}" for digits in range(4, 18))
    return next((text for text in texts if float(text) != float(f"{limit:.15g}")), f"{value!r}")


def verify(
    card: ModelCard, chosen_engine: str, options: EngineOptions, folder: VectorFolder, limits: LimitChoice
) -> VerifyReport:
    """Run every vector of ``folder`` and compare; raises EngineError, ModelError or VectorError.

    The graphs of a model of several are compared one by one too where the folder has vectors of them.
    """
    last = card.stages[-1].name if card.stages else ""
    stages = {
        name: _verify_one(graph, chosen_engine, options, VectorFolder.open(path), limits, is_refined=name != last)
        for graph, (name, path) in zip(card.graphs, stage_folders(card, folder.root).items(), strict=False)
        if path.is_dir()
    }
    return replace(_verify_one(card, chosen_engine, options, folder, limits), stages=stages)


def _verify_one(
    card: ModelCard,
    chosen_engine: str,
    options: EngineOptions,
    folder: VectorFolder,
    limits: LimitChoice,
    *,
    is_refined: bool = False,
) -> VerifyReport:
    with network_at(card, chosen_engine, options) as network:
        engine = network.engine
        errors: dict[str, list[TensorError]] = {name: [] for name in engine.outputs}
        effects: list[DisparityEffect] = []
        for name in folder.names:
            reference = as_numbers(folder.read_outputs(name, engine.outputs), card.outputs)
            folder.read_inputs(name, engine.inputs)
            outputs, reference = (_with_probability(tensors) for tensors in (network.infer(), reference))
            for output, array in outputs.items():
                errors[output].append(TensorError.of(array, reference[output]))
            effects += _effect_of(outputs, reference, card)
        precision = engine_facts(engine).get("precision", "")
        header = _header(card, engine_name(engine), precision, options.size, len(folder.names))
    worst = {name: TensorError.worst(found) for name, found in errors.items()}
    allowed = limits.limits(precision, card.task, is_refined=is_refined)
    return VerifyReport(header, worst, DisparityEffect.total(effects) if effects else None, allowed)


def _effect_of(got: Mapping[str, Array], reference: Mapping[str, Array], card: ModelCard) -> list[DisparityEffect]:
    """Empty for a model without disparities or a warp."""
    if WARP in reference:
        return [_effect_on_matches(got, reference, card)]
    name = next((name for name in (DISPARITY, PARTS) if name in reference), None)
    if name is None:
        return []
    certain = np.ones(reference[name].shape, bool)
    if CERTAINTY in reference:
        certain &= _on_the_grid_of(reference[name], reference[CERTAINTY]) >= card.min_confidence
    return [DisparityEffect.of(got[name], reference[name], certain)]


def _effect_on_matches(got: Mapping[str, Array], reference: Mapping[str, Array], card: ModelCard) -> DisparityEffect:
    """How far matches move, in px of the network's input: the warp has -1 and 1 at its borders."""
    stride = next(spec.strides[0] for spec in card.outputs if spec.name == WARP)
    half = np.array([length * stride / 2 for length in reference[WARP].shape[:1:-1]]).reshape(1, 2, 1, 1)
    moved = np.linalg.norm((np.nan_to_num(got[WARP]) - reference[WARP]) * half, axis=1, keepdims=True)
    return DisparityEffect.of(moved, np.zeros_like(moved), reference[CERTAINTY] >= card.min_confidence)


def _with_probability(tensors: Mapping[str, Array]) -> Mapping[str, Array]:
    """A two-view model gives its certainty as a logit, whose differences far from 0 mean nothing."""
    if WARP not in tensors:
        return tensors
    logit = np.clip(tensors[CERTAINTY].astype(np.float64), -80, 80)
    return {**tensors, CERTAINTY: 1 / (1 + np.exp(-logit))}


def _on_the_grid_of(target: Array, values: Array) -> Array:
    """``values`` (..., h, w) repeated to the height and width of ``target``, which are whole multiples of theirs."""
    for axis in (-2, -1):
        values = np.repeat(values, target.shape[axis] // values.shape[axis], axis)
    return values


def _header(card: ModelCard, engine: str, precision: str, size: Size, vectors: int) -> dict[str, str]:
    engine = f"{engine}, {precision}" if precision else engine
    return {"model": card.name, "engine": engine, "input": f"{size[0]}x{size[1]}", "vectors": str(vectors)}


def _effect(effect: DisparityEffect) -> str:
    figures = f"mean = {effect.mean_px:.4f} px   max = {effect.max_px:.4f} px"
    return f"{figures}   over 1 px = {_percent(effect.over_1px)} of {effect.pixels} certain pixels"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
