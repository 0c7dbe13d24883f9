"""A picture for people: the left image beside its depth, with a scale."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, Image, Mask, Size
from roma_device.runtime.types import Result

from .colour_scale import ColourScale
from .file_sink import FileSink, encode_png, left_image

_BACKGROUND_BGR = (250, 250, 250)
_INK_BGR = (40, 40, 40)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """The values that a preview colours."""

    values: FloatImage  # (H, W), NaN where unknown
    title: str
    unit: str  # over the scale
    of_depth: bool


class PreviewSink(FileSink):
    """``NNNNNN_preview.png``: depth in metres, or disparity in px where the rig is not metric."""

    suffix = "_preview.png"

    def encode(self, result: Result) -> bytes | None:
        return encode_png(draw_preview(result))


def draw_preview(result: Result) -> Image:
    """The picture as BGR (H, W, 3); each panel is 480 to 960 px wide, whatever the camera's size."""
    shown = _shown(result)
    height, width = shown.values.shape
    size = _panel_size(width, height)
    values = cv2.resize(shown.values, size, interpolation=cv2.INTER_NEAREST)
    scale = ColourScale.fit(values, of_depth=shown.of_depth)
    smooth = cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR
    image = cv2.resize(left_image(result), size, interpolation=smooth)
    em = round(min(np.clip(size[0] / 42, 14, 20), max(size[1] / 10, 8)))
    bar = _scale_bar(scale, shown.unit, size[1], em)
    picture = np.hstack([image, _blank(em // 2, size[1]), scale.colours(values), bar])
    title = f"{shown.title},  valid {100 * np.isfinite(shown.values).mean():.1f} %"
    captions = {em // 2: f"frame {result.index}", size[0] + em: title}
    return np.vstack([picture, _caption_strip(picture.shape[1], captions, em)])


def _shown(result: Result) -> _Shown:
    known = result.known
    if result.depth is not None:
        return _Shown(_masked(result.depth.depth_m, known), "depth in m", "m", of_depth=True)
    if result.matches.disparity_px is not None:
        return _Shown(_masked(result.matches.disparity_px, known), "disparity in px", "px", of_depth=False)
    return _Shown(_masked(result.matches.certainty, known), "certainty", "", of_depth=False)


def _masked(values: FloatImage, known: Mask) -> FloatImage:
    return np.where(known, values, np.nan).astype(np.float32)


def _panel_size(width: int, height: int) -> Size:
    scale = min(np.clip(width, 480, 960) / width, 960 / height)
    return Size(max(round(width * scale), 1), max(round(height * scale), 1))


def _scale_bar(scale: ColourScale, unit: str, height: int, em: int) -> Image:
    """A column (height, 6 em, 3): the colours upward by value, with ticks, labels and the unit on top."""
    column = _blank(6 * em, height)
    top, bottom, left, right = 2 * em, max(height - em, 2 * em + 1), em, round(2.3 * em)
    column[top:bottom, left:right] = _gradient(scale, bottom - top)
    for tick in scale.ticks():
        row = bottom - 1 - round(float(scale.position(tick)) * (bottom - 1 - top))
        cv2.line(column, (right, row), (right + em // 3, row), _INK_BGR, 1)
        _write(column, f"{tick:.6g}", (right + em // 2 + 2, row + round(0.35 * em)), em)
    _write(column, unit, (left, round(1.4 * em)), em)
    return column


def _gradient(scale: ColourScale, rows: int) -> Image:
    """(rows, 1, 3): the colours of the scale, highest value first, evenly spaced as ``position`` has it."""
    samples = np.linspace(scale.low, scale.high, 4096, dtype=np.float32)
    values = np.interp(np.linspace(1, 0, rows), scale.position(samples), samples)
    return scale.colours(values.astype(np.float32)[:, None])


def _caption_strip(width: int, captions: dict[int, str], em: int) -> Image:
    """A strip (2.2 em, width, 3) with texts by the column where each begins."""
    strip = _blank(width, round(2.2 * em))
    for column, text in captions.items():
        _write(strip, text, (column, round(1.55 * em)), em)
    return strip


def _blank(width: int, height: int) -> Image:
    return np.full((height, width, 3), _BACKGROUND_BGR, dtype=np.uint8)


def _write(image: Image, text: str, origin: tuple[int, int], em: int) -> None:
    """Draw ``text`` with its baseline at ``origin``; capitals are 0.7 em tall with every OpenCV."""
    capital = cv2.getTextSize("H", _FONT, 1.0, 1)[0][1]
    cv2.putText(image, text, origin, _FONT, 0.7 * em / capital, _INK_BGR, 1, cv2.LINE_AA)
