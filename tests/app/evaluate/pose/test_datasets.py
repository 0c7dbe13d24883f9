from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.pose.datasets import PosePair, load_pairs
from roma_device.app.evaluate.pose.datasets.usable import usable_pairs
from roma_device.calibration.pose import Pose
from tests.logged import logged

K = np.array([[500.0, 0, 319.5], [0, 510.0, 239.5], [0, 0, 1]])
B_FROM_A = Pose.from_rotation_vector([0.1, -0.2, 0.05], [0.3, 0.1, -0.2])
A_FROM_WORLD = Pose.from_rotation_vector([0.4, 0.1, 0], [1, 2, 3])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with a.png and b.png, and in ScanNet's places 3.jpg and 7.jpg."""
    grey = np.random.default_rng(0).integers(0, 255, (48, 64), np.uint8)
    colour = tmp_path / "scene0707_00" / "color"
    colour.mkdir(parents=True)
    for path in (tmp_path / "a.png", tmp_path / "b.png", colour / "3.jpg", colour / "7.jpg"):
        cv2.imwrite(str(path), cv2.resize(grey, (640, 480)))
    return tmp_path


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    with logged("WARNING") as lines:
        yield lines


def own(folder: Path, **changes: Any) -> Path:
    entry = {
        "id": "one",
        "set": "room",
        "a": "a.png",
        "b": "b.png",
        "K_a": K.ravel().tolist(),
        "K_b": K.ravel().tolist(),
    }
    entry |= {"R_b_from_a": B_FROM_A.rotation.ravel().tolist(), "t_b_from_a": B_FROM_A.translation_m.tolist()}
    path = folder / "pairs.json"
    path.write_text(json.dumps({"pairs": [entry | changes]}))
    return path


def superglue(folder: Path) -> Path:
    path = folder / "pairs.txt"
    numbers = [*K.ravel(), *K.ravel(), *B_FROM_A.matrix.ravel()]
    path.write_text("a.png b.png 0 0 " + " ".join(f"{number:.12g}" for number in numbers) + "\n\n")
    return path


def megadepth(folder: Path) -> Path:
    path = folder / "0015_0.1_0.3.npz"
    infos = np.empty(1, object)
    infos[0] = ((1, 2), 0.2, np.zeros((0, 2)))
    names = np.array([None, "a.png", "b.png"], object)
    poses = np.stack([np.eye(4), A_FROM_WORLD.matrix, (B_FROM_A @ A_FROM_WORLD).matrix])
    np.savez(path, image_paths=names, intrinsics=np.stack([K] * 3), poses=poses, pair_infos=infos)
    return path


def scannet(folder: Path, with_poses: bool = True) -> Path:
    path = folder / "test.npz"
    arrays = {"name": np.array([[707, 0, 3, 7]], np.uint16)}
    if with_poses:
        arrays["rel_pose"] = B_FROM_A.matrix[:3].reshape(1, 12)
    np.savez(path, **arrays)  # type: ignore[arg-type]
    scene = folder / "scene0707_00"
    (scene / "intrinsic").mkdir()
    padded = np.eye(4)
    padded[:3, :3] = K
    np.savetxt(scene / "intrinsic" / "intrinsic_color.txt", padded)
    (scene / "pose").mkdir()
    for frame, pose in ((3, A_FROM_WORLD), (7, B_FROM_A @ A_FROM_WORLD)):
        np.savetxt(scene / "pose" / f"{frame}.txt", pose.inverse().matrix)
    return path


def check(pair: PosePair) -> None:
    (image_a, camera_a), (image_b, _) = pair.load()
    assert image_a.shape == image_b.shape == (480, 640)
    assert np.allclose(camera_a.matrix, K)
    assert np.allclose(pair.b_from_a.matrix, B_FROM_A.matrix, atol=1e-6)


@pytest.mark.parametrize("make", [own, superglue, megadepth, scannet, lambda folder: scannet(folder, False)])
def test_every_layout_gives_the_same_pair(images: Path, make: Any) -> None:
    (pair,) = load_pairs(make(images))
    check(pair)


def test_scannet_intrinsics_beside_the_index_are_for_640_by_480(images: Path) -> None:
    path = scannet(images)
    np.savez(images / "intrinsics.npz", scene0707_00=K)
    big = np.full((968, 1296), 90, np.uint8)
    cv2.imwrite(str(images / "scene0707_00" / "color" / "3.jpg"), cv2.resize(big, (1280, 960)))
    (pair,) = load_pairs(path)
    assert pair.a.load()[1].fx == pytest.approx(1000)


def test_folder_stands_for_its_indices(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    folder.mkdir()
    megadepth(folder)
    (pair,) = load_pairs(folder, images=images)
    check(pair)


class Evil:
    """What a pickle must not be allowed to do."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch /tmp/roma-device-was-here",)


def test_index_cannot_run_code(images: Path) -> None:
    path = megadepth(images)
    infos = np.empty(1, object)
    infos[0] = Evil()
    with np.load(path, allow_pickle=True) as arrays:
        np.savez(path, **{**arrays, "pair_infos": infos})
    with pytest.raises(EvaluationError, match="has no need of"):
        load_pairs(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"K_a": [1, 2, 3]}, "K_a: must be a list of 9 numbers"),
        ({"K_b": [0.0] * 9}, "K_b: K is not a camera matrix"),
        ({"R_b_from_a": [2.0] * 9}, "not a rotation matrix"),
        ({"t_b_from_a": [0, 0, 0]}, "its direction cannot be scored"),
        ({"a": ""}, "a: must be a text"),
    ],
)
def test_faults_name_file_pair_and_key(images: Path, changes: dict[str, Any], message: str) -> None:
    path = own(images, **changes)
    with pytest.raises(EvaluationError, match=message) as raised:
        load_pairs(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"{", "not valid JSON"),
        ("a.json", b'{"pairs": []}', "no pair"),
        ("a.txt", b"a b 0 0 1 2\n", "a.txt:1: has 6 words"),
        ("a.txt", b"\xff\xfe", "neither JSON"),
        ("a.npz", b"nothing", "is not an .npz file"),
    ],
)
def test_other_files_are_one_sentence(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EvaluationError, match=message):
        load_pairs(tmp_path / name)


def test_missing_image_is_named(images: Path) -> None:
    (pair,) = load_pairs(own(images, b="gone.png"))
    with pytest.raises(EvaluationError, match=r"pair 'one': b: cannot read .*gone.png"):
        pair.load()


def many(folder: Path, changes: list[dict[str, Any]]) -> list[PosePair]:
    """A list of as many pairs as ``changes``, each with its own difference to the good one."""
    good = json.loads(own(folder).read_text())["pairs"][0]
    (folder / "many.json").write_text(json.dumps({"pairs": [good | {"id": str(n)} | c for n, c in enumerate(changes)]}))
    return load_pairs(folder / "many.json")


def test_one_missing_image_of_many_is_left_out(images: Path, warnings: list[str]) -> None:
    pairs = many(images, [{}, {"b": "gone.png"}, {}])
    assert [pair.id for pair in usable_pairs(images / "many.json", pairs)] == ["0", "2"]
    (said,) = warnings
    assert "pair '1': b: cannot read" in said and "left out, 1 of 3 entries" in said


def test_two_missing_images_of_three_are_too_many(images: Path) -> None:
    pairs = many(images, [{"a": "gone.png"}, {"b": "gone.png"}, {}])
    with pytest.raises(EvaluationError, match=r"pair '0': a: cannot read .*gone.png"):
        usable_pairs(images / "many.json", pairs)


def test_a_matrix_for_half_the_size_is_warned_of_once(images: Path, warnings: list[str]) -> None:
    half = (K * [[0.5], [0.5], [1]]).ravel().tolist()
    pairs = many(images, [{"K_a": half}, {"K_a": half}, {}])
    assert len(usable_pairs(images / "many.json", pairs)) == 3
    (said,) = warnings
    assert "pair '0': K_a: the principal point 159.75,119.75 px is far from the middle" in said
    assert said.endswith("(and 1 more)")
