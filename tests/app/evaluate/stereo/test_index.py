import json
import os

import cv2
import numpy as np
import pytest

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.stereo.index import load_index
from tests.logged import logged

ENTRY = {"id": "one", "left": "l.png", "right": "r.png", "disparity": "d.png", "scale": 2, "invalid": 0}


@pytest.fixture
def folder(tmp_path):
    for name in ("l.png", "r.png"):
        cv2.imwrite(str(tmp_path / name), np.full((4, 6), 50, np.uint8))
    cv2.imwrite(str(tmp_path / "d.png"), np.full((4, 6), 4, np.uint8))
    return tmp_path


def write(folder, *entries, **top):
    path = folder / "index.json"
    path.write_text(json.dumps({"pairs": entries, **top}))
    return path


def refusal(path, load=False):
    with pytest.raises(EvaluationError) as caught:
        for pair in load_index(path):
            if load:
                pair.load()
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(f"{path}: "), caught.value.exit_code


def test_paths_count_from_the_index(folder, monkeypatch):
    monkeypatch.chdir("/")
    [pair] = load_index(write(folder, ENTRY, protocol="any"))
    assert (pair.id, pair.left, pair.scale, pair.invalid) == ("one", folder / "l.png", 2, 0)
    loaded = pair.load()
    assert loaded.left.shape == (4, 6)
    assert (loaded.disparity_px == 2).all()


def test_the_mask_is_made_from_the_truth_where_none_is_given(folder):
    [pair] = load_index(write(folder, ENTRY))
    np.testing.assert_array_equal(pair.load().nonocc, [[False] * 2 + [True] * 4] * 4)


def test_a_given_mask_wins(folder):
    cv2.imwrite(str(folder / "m.png"), np.full((4, 6), 255, np.uint8))
    [pair] = load_index(write(folder, ENTRY | {"nonocc_mask": "m.png"}))
    assert pair.load().nonocc.all()


def test_one_bad_entry_of_many_is_left_out_and_warned_of(folder):
    entries = [ENTRY | {"id": f"{number}"} for number in range(12)]
    entries[3] = entries[3] | {"scale": -1}
    with logged("WARNING") as lines:
        pairs = load_index(write(folder, *entries))
    assert len(pairs) == 11 and "3" not in [pair.id for pair in pairs]
    (line,) = lines
    assert "pair '3': scale: must be above 0" in line and "left out, 1 of 12 entries" in line
    entries[5] = 7
    assert "pair '3': scale" in refusal(write(folder, *entries))[0]


def test_optional_keys(folder):
    facts = {
        "K": [1, 0, 2, 0, 1, 3, 0, 0, 1],
        "baseline_m": 0.1,
        "doffs": None,
        "kind": "real",
        "size": [6, 4],
    }
    [pair] = load_index(write(folder, ENTRY | facts | {"licence": "CC0", "source": "", "note": None, "invalid": "inf"}))
    assert (pair.K[2], pair.baseline_m, pair.doffs, pair.kind, pair.size) == (2, 0.1, None, "real", (6, 4))
    assert pair.invalid is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scael": 8}, "scael: unknown key; known: K, "),
        ({"index": "x"}, "index: unknown key"),
        ({"scale": 0}, "scale: must be above 0, not 0"),
        ({"scale": "8"}, "scale: must be a number, not '8'"),
        ({"scale": True}, "scale: must be a number, not True"),
        ({"scale": float("nan")}, "scale: must be a number, not nan"),
        ({"scale": None}, "scale: must be a number, not None"),
        ({"invalid": "zero"}, "invalid: must be a number, 'inf' or 'none', not 'zero'"),
        ({"left": 3}, "left: must be a text, not 3"),
        ({"size": [6]}, "size: must be [width, height] in px, not [6]"),
        ({"K": [1, 2]}, "K: must be a list of nine numbers"),
        ({"baseline_m": -1}, "baseline_m: must be above 0, not -1"),
    ],
)
def test_a_wrong_value_names_pair_and_key(folder, change, message):
    text, code = refusal(write(folder, ENTRY | change))
    assert text.startswith(f"pair 'one': {message}")
    assert code == os.EX_DATAERR


@pytest.mark.parametrize("key", ["left", "right", "disparity", "scale", "invalid"])
def test_a_missing_key_is_named(folder, key):
    entry = {name: value for name, value in ENTRY.items() if name != key}
    assert refusal(write(folder, entry)) == (f"pair 'one': {key}: the key is missing", os.EX_DATAERR)


def test_a_pair_without_id_is_named_by_its_number(folder):
    entry = {name: value for name, value in ENTRY.items() if name != "id"}
    assert refusal(write(folder, ENTRY, entry))[0] == "pair number 1: id: the key is missing"


@pytest.mark.parametrize(
    ("top", "message"),
    [
        ({"pairs": []}, "'pairs' must be a list of at least one pair"),
        ({"pairs": {}}, "'pairs' must be a list of at least one pair"),
        ({"pairs": [3]}, "pair number 0: must be a mapping of keys to values"),
        ({"pair": []}, "pair: unknown key; known: pairs, protocol"),
    ],
)
def test_the_frame_of_the_index_is_checked(folder, top, message):
    assert refusal(write(folder, ENTRY, **top)) == (message, os.EX_DATAERR)


def test_ids_are_unique(folder):
    assert refusal(write(folder, ENTRY, ENTRY))[0] == "pair 'one': id: stands there twice"


@pytest.mark.parametrize("content", ["", "{", "[]", '"pairs"'])
def test_an_index_that_is_no_index(folder, content):
    path = folder / "index.json"
    path.write_text(content)
    assert refusal(path)[1] == os.EX_DATAERR


def test_a_missing_index(tmp_path):
    text, code = refusal(tmp_path / "no.json")
    assert text == "cannot read the index (No such file or directory)"
    assert code == os.EX_NOINPUT


@pytest.mark.parametrize("key", ["left", "right", "disparity", "nonocc_mask"])
def test_a_missing_file_is_named(folder, key):
    text, code = refusal(write(folder, ENTRY | {key: "gone.png"}), load=True)
    assert text == f"pair 'one': {key}: cannot read {folder / 'gone.png'} (No such file or directory)"
    assert code == os.EX_NOINPUT


@pytest.mark.parametrize("key", ["right", "disparity", "nonocc_mask"])
def test_sizes_must_fit_the_left_image(folder, key):
    cv2.imwrite(str(folder / "wide.png"), np.ones((4, 7), np.uint8))
    text, code = refusal(write(folder, ENTRY | {key: "wide.png"}), load=True)
    assert text == f"pair 'one': {key}: is 7x4 px, but the pair is 6x4 px"
    assert code == os.EX_DATAERR


def test_a_stated_size_must_be_true(folder):
    assert refusal(write(folder, ENTRY | {"size": [6, 5]}), load=True)[0].startswith("pair 'one': left: is 6x4 px")


def test_a_damaged_file_is_named(folder):
    (folder / "d.png").write_bytes(b"no image")
    text, code = refusal(write(folder, ENTRY), load=True)
    assert text == f"pair 'one': disparity: {folder / 'd.png'} is not an image that OpenCV can read"
    assert code == os.EX_DATAERR
