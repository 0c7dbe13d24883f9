"""Matching network: two images in, dense matches out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from roma_device.calibration.arrays import GreyImage, Image, Size
from roma_device.calibration.rectify import Rectification

from .card import ModelCard
from .engine import Array, Engine, EngineOptions, NpuOptions, OverlappingEngine, Precision, open_engine
from .tensors.decode import as_numbers, decode
from .tensors.inputs import InputPlan, plan_input
from .tensors.output_check import OutputCheck, Sample, check_outputs, sample_inputs
from .tensors.preprocess import Preprocessor, check_inputs
from .types import Matches, StageTimes


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How a network is run."""

    engine: str = "auto"  # a name of ENGINES, or auto
    threads: int = 0  # of a host engine; 0: the engine's own choice
    input_width: int = 640  # px, for models of open size
    npu: NpuOptions = field(default_factory=NpuOptions)
    precision: Precision = "auto"  # of a host engine
    passes: int | None = None  # of a second stage; 0: the first alone; None: as the card says
    keeps_rectified: bool = False  # for who looks at the images that the network was given


class MatchingNetwork(AbstractContextManager["MatchingNetwork"]):
    """A model on its engine, with preprocessing before it and decoding behind it; owns all buffers.

    ``submit`` and ``collect`` are the two halves of ``match``: an engine with two sets of buffers (double buffering)
    takes a pair before the one ahead of it is collected, and prepares it while the network runs. Use as a context
    manager, from one thread at a time.
    """

    def __init__(
        self,
        card: ModelCard,
        size: Size,
        options: NetworkOptions | None = None,
        rectification: Rectification | None = None,
    ) -> None:
        """For first images of ``size``; matches come at that resolution.

        ``rectification`` is for raw images: they are rectified in the one resampling that brings them to the
        network's input. None: images are only resized, each from whatever size it has.

        Raises ModelError where the model does not take such images, EngineError where no engine runs it.
        """
        options = options or NetworkOptions()
        if options.passes == 0:
            card, options = card.first_alone(), replace(options, passes=None)
        check_inputs(card)
        check_outputs(card)
        self.card, self.size = card, Size(*size)
        self.plan: InputPlan = plan_input(card, size, options.input_width)
        chosen = EngineOptions(self.plan.network, options.threads, options.npu, options.precision, options.passes)
        self.engine: Engine = open_engine(card, options.engine, chosen)
        self._overlapping = _overlapping(self.engine, options.npu)
        self.capacity = 2 if self._overlapping else 1  # pairs that may be on their way
        self._submitted: deque[tuple[StageTimes, Sample]] = deque()
        self._check = OutputCheck(all(spec.name != "warp" for spec in card.outputs), self.plan.network.width)
        maps = None if rectification is None else rectification.maps(self.plan.content)
        self._preprocess = Preprocessor(size, self.plan, card.normalization, maps, options.keeps_rectified)

    @property
    def pending(self) -> int:
        """Pairs that were submitted and not collected."""
        return len(self._submitted)

    @property
    def rectified(self) -> tuple[GreyImage, GreyImage] | None:
        """Both images (H, W) of the last submitted pair, where kept and rectified at their own size."""
        return self._preprocess.rectified

    def match(self, left: Image, right: Image) -> Matches:
        """Where each pixel of ``left`` lies in ``right``, both (H, W[, 3]); raises EngineError where a run fails."""
        self.submit(left, right)
        return self.collect()

    def submit(self, left: Image, right: Image, times: StageTimes | None = None) -> None:
        """Prepare a pair and let the network run on it; at most ``capacity`` pairs at a time.

        ``times`` takes the wall times of "preprocess", "engine" and "decode".
        """
        times = times or StageTimes()
        with timed(times, "preprocess"):
            self._preprocess(left, right, self.engine.inputs)
            sample = sample_inputs(self.engine.inputs)
        if self._overlapping is not None:
            self._overlapping.start()
        else:
            with timed(times, "engine"):
                self.engine.run()
        self._submitted.append((times, sample))

    def collect(self, size: Size | None = None) -> Matches:
        """Matches of the pair that was submitted first, at ``size`` or else that of the images.

        Waits for the network, and raises EngineError. Of outputs that make no sense nothing is certain, and after
        some of them the engine is at fault (OutputCheck).
        """
        times, sample = self._submitted.popleft()
        if self._overlapping is not None:
            times.stages_ms["engine"] = self._overlapping.finish()
        with timed(times, "decode"):
            numbers = as_numbers(self.engine.outputs, self.card.outputs)
            makes_sense = self._check.makes_sense(sample, numbers)
            matches = decode(self.card.task, numbers, self.plan, size or self.size)
            if makes_sense:
                return matches
            return replace(matches, certainty=np.zeros_like(matches.certainty), makes_sense=False)

    def infer(self) -> Mapping[str, Array]:
        """Run once on ``engine.inputs`` as they are; the raw outputs, bfloat16 as float32. Raises EngineError."""
        self.engine.run()
        return as_numbers(self.engine.outputs, self.card.outputs)

    def close(self) -> None:
        self.engine.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def _overlapping(engine: Engine, options: NpuOptions) -> OverlappingEngine | None:
    return engine if options.overlap and isinstance(engine, OverlappingEngine) else None


@contextmanager
def timed(times: StageTimes, stage: str) -> Iterator[None]:
    """Note the wall time of the ``with`` block as that of ``stage``."""
    start = time.perf_counter_ns()
    yield
    times.stages_ms[stage] = (time.perf_counter_ns() - start) / 1e6
