"""Stereo network as a matcher that is evaluated: this program's own pipeline."""

from __future__ import annotations

from dataclasses import replace

from roma_device.calibration.arrays import FloatImage, Image
from roma_device.calibration.rectify import Rectification, RectifiedRig
from roma_device.calibration.size import Size
from roma_device.runtime.card import ModelCard
from roma_device.runtime.pipeline import PipelineOptions, StereoPipeline
from roma_device.runtime.types import Frame, StereoFrame


class PipelineMatcher:
    """Scores the dense disparity, before any of it is invalidated."""

    def __init__(self, card: ModelCard, options: PipelineOptions) -> None:
        self.name = card.name
        self._card, self._options = card, options
        self._pipeline: StereoPipeline | None = None

    def prepare(self, size: Size) -> None:
        """Open the pipeline for images of ``size`` and let the engine warm up."""
        if self._pipeline is None or self._pipeline.rig.size != size:
            self.close()
            rig = RectifiedRig(size, None, None, (size[0] - 1) / 2, (size[1] - 1) / 2)
            options = replace(self._options, input_width=size[0])
            self._pipeline = StereoPipeline(self._card, Rectification.identity(rig), options)
            self._pipeline.engine.run()

    def match(self, left: Image, right: Image) -> tuple[FloatImage, FloatImage | None]:
        """Disparity and certainty, both (H, W), of a rectified pair of the prepared size."""
        assert self._pipeline is not None, "prepare comes first"
        frame = StereoFrame(Frame(left, 0, 0), Frame(right, 0, 0))
        matches = self._pipeline.process(frame).matches
        assert matches.disparity_px is not None
        return matches.disparity_px, matches.certainty

    def close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None
