"""Residual disparity refinement: a second stage that compares the left image with the warped right one.

The host resamples the right image at the matches found so far (``cv2.remap``), so that what is left to find is a small
offset. Its candidates are plain slices, as in the residual search of warping stereo networks (Liang et al., iResNet,
CVPR 2018), and no graph looks up an index. The result is a disparity again: the stage can run on its own result.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.base.layers import Residual, around_peak, channel_max, channel_sum, conv, double, pad_zeros, unit
from model.base.variants import variant_values

from .cells import COLUMNS, NEIGHBOURS, ROWS, from_parts, upsampled

KIND = "stereo_refinement"
REACH = 4
"""Cells to each side of the match so far that are compared: offsets up to 8 px."""

PEAK_REACH = 1
"""Candidates on each side of the best one that the expected offset takes into account."""

FREE_PX = 4.0
"""What the free correction's 1 stands for."""

STAY = 3.0
"""How much more probable than any other the offset 0 is at the start of the training, as a logarithm."""

HINTS = 4
"""Channels of what the host knows about each cell (``hints.py``)."""

DISPARITIES = 2
"""Of each cell: what was found so far, and what the row holds beside it where it cannot be seen by the right camera."""

BEHIND_PX, MOST_BEHIND = 16.0, 4.0
"""What 1 stands for in the difference of the two, and where that is cut."""

GATE_GAIN, GATE_START = 8.0, -0.25
"""How fast the choice between the two is learned, and where it starts: at what was found."""


@dataclass(frozen=True, slots=True)
class RefinementConfig:
    """Widths of the second stage; one YAML file each in ``variants/``."""

    half_width: int  # of the features at 1/2
    cell_width: int  # of the features of a cell
    match_width: int  # of what is compared
    hourglass_widths: tuple[int, ...]  # at cells of 4x2, 8x4 and 16x8 px
    guide_width: int

    @classmethod
    def load(cls, variant: str) -> RefinementConfig:
        return cls(**variant_values(variant, cls.__slots__))


@dataclass(slots=True)
class RefinementOutput:
    """What training needs; the exported graph returns ``parts_px`` and the certainty."""

    parts_px: Tensor  # (B, 8, H/4, W/2) disparity of the pixels of each cell, row by row
    cell_px: Tensor  # (B, 1, H/4, W/2) disparity of the cells before the upsampling
    logits: Tensor  # (B, 9, H/4, W/2) over the offsets, from the farthest to the nearest surface
    trust_logit: Tensor  # (B, 1, H/4, W/2) of the certainty

    @property
    def disparity_px(self) -> Tensor:
        """(B, 1, H, W)."""
        return from_parts(self.parts_px)

    @property
    def certainty_logit(self) -> Tensor:
        """(B, 1, H, W)."""
        return functional.interpolate(
            self.trust_logit, scale_factor=(ROWS, COLUMNS), mode="bilinear", align_corners=False
        )


class CellFeatures(nn.Module):
    """What a cell of an image looks like; both images pass through the same weights."""

    def __init__(self, config: RefinementConfig) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(1, config.half_width, 3, 2), conv(config.half_width, config.cell_width, 3, (2, 1))
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.body(image)  # type: ignore[no-any-return]


class RefinementHourglass(nn.Module):
    """Filters what the cells know, down to cells of 16x8 px and back."""

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        fine, middle, deep = widths
        self.inlet, self.in_fine = conv(inputs, fine, 1), Residual(fine)
        self.down_middle, self.in_middle = conv(fine, middle, 3, 2), Residual(middle)
        self.down_deep, self.in_deep = conv(middle, deep, 3, 2), Residual(deep)
        self.up_middle, self.up_fine = conv(deep, middle, 1), conv(middle, fine, 1)
        self.out_fine = conv(fine, fine)

    def forward(self, known: Tensor) -> Tensor:
        fine = self.in_fine(self.inlet(known))
        middle = self.in_middle(self.down_middle(fine))
        middle = middle + double(self.up_middle(self.in_deep(self.down_deep(middle))))
        return self.out_fine(fine + double(self.up_fine(middle)))  # type: ignore[no-any-return]


class Refinement(nn.Module):
    """Left image and warped right one (B, 1, H, W), disparity and hints of the cells -> disparity and certainty.

    H and W are multiples of 32. Images come normalized as for the first stage.
    """

    def __init__(self, config: RefinementConfig) -> None:
        super().__init__()
        self.config, offsets = config, 2 * REACH + 1
        fine = config.hourglass_widths[0]
        self.features = CellFeatures(config)
        self.match = nn.Conv2d(config.cell_width, config.match_width, 1)
        self.hourglass = RefinementHourglass(offsets + config.cell_width + HINTS + 1, config.hourglass_widths)
        self.score = nn.Conv2d(fine, offsets, 1)
        self.direct = nn.Parameter(torch.tensor(4.0))  # how much raw similarity counts besides the filtered one
        self.free = nn.Conv2d(fine, 1, 1)
        self.gate = nn.Conv2d(fine, 1, 1)
        weights = NEIGHBOURS * ROWS * COLUMNS
        self.guide = nn.Sequential(
            conv(fine + config.cell_width, config.guide_width, 1), nn.Conv2d(config.guide_width, weights, 1)
        )
        self.trust = nn.Sequential(conv(fine + 1, 8, 1), nn.Conv2d(8, 1, 1))
        self._start_plain()
        # multiplied, not convolved with: weights of 8 bits would move the positions
        self.offsets_px: Tensor
        steps = torch.arange(-REACH, REACH + 1, dtype=torch.float32) * COLUMNS
        self.register_buffer("offsets_px", steps.view(1, -1, 1, 1), persistent=False)

    def _start_plain(self) -> None:
        """At first the match stays nearly where it was, and each pixel has its cell's disparity."""
        last = self.guide[1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        for head in (self.score, self.free, self.gate, last):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.get_parameter("bias"))
        with torch.no_grad():
            self.score.get_parameter("bias")[REACH] = STAY
            self.gate.get_parameter("bias").fill_(GATE_START)
            last.bias.copy_(torch.tensor([2.0] + [-3.0] * (NEIGHBOURS - 1)).repeat(ROWS * COLUMNS))

    def forward(self, left: Tensor, warped: Tensor, disparity: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        output = self.infer(left, warped, disparity, hints)
        return output.parts_px, torch.sigmoid(output.trust_logit)

    def infer(self, left: Tensor, warped: Tensor, disparity: Tensor, hints: Tensor) -> RefinementOutput:
        seen, fetched = self._features(left, warped)
        similarities = offset_similarities(unit(self.match(seen)), unit(self.match(fetched)))
        found, behind = disparity[:, :1], disparity[:, 1:] - disparity[:, :1]
        hidden = (behind / BEHIND_PX).clamp(-MOST_BEHIND, MOST_BEHIND)
        filtered = self.hourglass(torch.cat([similarities, seen, hints, hidden], 1))
        logits = self.score(filtered) + self.direct * similarities
        relative = torch.exp(logits - channel_max(logits).detach())
        near_peak = relative * around_peak(relative.detach(), PEAK_REACH)
        offset = channel_sum(near_peak * self.offsets_px) / channel_sum(near_peak)
        moved = offset + FREE_PX * self.free(filtered)
        cell = found + torch.sigmoid(GATE_GAIN * self.gate(filtered)) * behind + moved
        parts = upsampled(cell, self.guide(torch.cat([filtered, seen], 1)))
        total = channel_sum(relative)
        sharpness = channel_sum(relative * relative) / (total * total)
        trust = self.trust(torch.cat([filtered, sharpness], 1).detach())
        return RefinementOutput(parts, cell, logits, trust)

    def _features(self, left: Tensor, warped: Tensor) -> tuple[Tensor, Tensor]:
        """One pass for both images while training; two at export, where the batch is one."""
        if torch.onnx.is_in_onnx_export():
            return self.features(left), self.features(warped)
        both = self.features(torch.cat([left, warped]))
        return both[: len(left)], both[len(left) :]


def offset_similarities(left: Tensor, warped: Tensor) -> Tensor:
    """(B, C, H, W) twice -> (B, 9, H, W): cosine similarity with the cells at each offset of the disparity.

    A larger disparity is found farther left.
    """
    padded, width = pad_zeros(warped, (REACH, REACH)), left.shape[-1]
    if torch.onnx.is_in_onnx_export():
        places = (padded[..., 2 * REACH - k : -k or None] for k in range(2 * REACH + 1))
    else:
        places = (padded[..., 2 * REACH - k : 2 * REACH - k + width] for k in range(2 * REACH + 1))
    return torch.cat([channel_sum(left * place) for place in places], 1)
