"""Bad-2 of what each preset keeps, on real pairs with truth: whether filters drop the wrong pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roma_device.app.evaluate.stereo.index import load_index
from roma_device.app.evaluate.stereo.metrics import PROTOCOL_WIDTH_PX, at_width
from roma_device.app.model_store import find_model
from roma_device.calibration.arrays import Size
from roma_device.runtime.depth import valid_matches
from roma_device.runtime.filters.chain import DepthFilters
from roma_device.runtime.filters.options import PRESETS
from roma_device.runtime.matching_network import MatchingNetwork, NetworkOptions


def show_real(index: Path, presets: list[str]) -> None:
    """Print the mean over the pairs of bad-2 and of the density where the truth is known."""
    card = find_model("stereo")
    shares: dict[str, list[tuple[float, float]]] = {name: [] for name in presets}
    for pair in (at_width(one.load(), PROTOCOL_WIDTH_PX) for one in load_index(index)):
        size, judged = Size.of(pair.left), np.isfinite(pair.disparity_px)
        with MatchingNetwork(card, size, NetworkOptions(threads=1)) as network:
            matches = network.match(pair.left, pair.right)
        for name, row in shares.items():
            kept, known = matches, valid_matches(matches, card.min_confidence)
            if not PRESETS[name].is_off:  # type: ignore[index]
                kept, known = DepthFilters(PRESETS[name], size)(matches, card.min_confidence, 0)  # type: ignore[index]
            assert kept.disparity_px is not None
            error_px = np.abs(kept.disparity_px - pair.disparity_px)[known & judged]
            row.append((float((error_px > 2).mean()), float(known[judged].mean())))
    for name, row in shares.items():
        bad, density = 100 * np.mean(row, axis=0)
        print(f"{len(row)} real pairs {name:10} bad-2 {bad:5.2f} % of the known pixels, density {density:5.2f} %")
