"""Models that the user brings: a folder or a file of weights with its card beside it."""

import json
import os
import shutil

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ModelUnavailable
from core.models import find_model, load_model, models_folder, weights_file
from core.models.store import add_folder, remove_model
from core.models.weights import read_metadata


@pytest.fixture
def own(small_weights, tmp_path):
    """A folder as `panoviewer-train export` writes it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for suffix in (".safetensors", ".onnx"):
        shutil.copy(small_weights.with_suffix(suffix), folder / f"small{suffix}")
    # The graph names the file of weights that it belongs to.
    (folder / "small.json").write_text(json.dumps({"model": "pano-s", "runs": []}))
    return folder


def test_all_that_belongs_to_added_weights_comes_with_them_and_goes_with_them(own):
    for name in ("small.md", "small_encoder.onnx", "small_ranking.json", "other.txt"):
        (own / name).write_text(name)
    add_folder(own)
    added = models_folder() / "mine"
    taken = {path.name for path in own.iterdir()} - {"other.txt"} | {"small.added.json"}
    assert {path.name for path in added.iterdir()} == taken
    assert (added / "small_ranking.json").read_text() == "small_ranking.json"
    remove_model("mine")
    assert not added.exists()


def test_what_somebody_else_put_into_the_folder_of_removed_weights_stays(own):
    add_folder(own)
    (models_folder() / "mine" / "diary.txt").write_text("mine")
    remove_model("mine")
    assert [path.name for path in (models_folder() / "mine").iterdir()] == ["diary.txt"]


def sentence(choice):
    with pytest.raises(ModelUnavailable) as refused:
        load_model(str(choice), device="cpu").predict(np.zeros((64, 128, 3), np.uint8))
    text = str(refused.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def test_a_folder_and_its_file_of_weights_are_the_same_model(own, painted_photo):
    rgb = painted_photo(64, 128)
    predictions = [load_model(str(choice), device="cpu").predict(rgb) for choice in (own, own / "small.safetensors")]
    np.testing.assert_array_equal(predictions[0].depth, predictions[1].depth)
    assert predictions[0].class_names == ("wall", "floor", "sky", "tree")
    assert predictions[0].model == "pano-s (small.safetensors)", "not the bundled one"


def test_the_card_decides_what_the_model_can_say(own):
    spec = find_model(str(own))
    assert spec.tasks == find_model("pano-s").tasks
    assert weights_file(spec) == own / "small.safetensors"
    assert spec.licence != find_model("pano-s").licence, "nobody vouches for it"


def test_a_relative_path_works_and_a_name_of_the_catalogue_comes_first(own, monkeypatch):
    monkeypatch.chdir(own.parent)
    own.rename(own.with_name("pano-s"))
    assert find_model("./pano-s").title != find_model("pano-s").title
    assert weights_file(find_model("pano-s")).parent.name == "resources"
    (own.parent / "pano-s").rename(own)
    assert find_model("mine").name == find_model("./mine").name


def test_an_exported_model_with_another_backend_says_the_same(own, painted_photo):
    rgb = painted_photo(64, 128)
    with_graph = load_model(str(own), device="cpu").predict(rgb)
    (own / "small.onnx").unlink()
    without = load_model(str(own), device="cpu").predict(rgb)
    np.testing.assert_allclose(with_graph.depth, without.depth, rtol=1e-3)


def test_what_is_not_there_is_told_with_the_choices(tmp_path):
    for choice in (tmp_path / "gone", tmp_path / "gone.safetensors", "nothing-like-it"):
        text = sentence(choice)
        assert "pano-s" in text
        assert text.endswith(f"{choice}") or f"got {choice}, and no folder or file of that name was found" in text


def test_a_folder_must_hold_one_file_of_weights(own):
    shutil.copy(own / "small.safetensors", own / "second.safetensors")
    assert "2" in sentence(own)
    assert load_model(str(own / "small.safetensors"), device="cpu")
    for path in own.glob("*.safetensors"):
        path.unlink()
    assert sentence(own).endswith(str(own))


@pytest.mark.parametrize("name", ["model.pt", "model.onnx", "card.json", "photo.jpg"])
def test_other_files_are_no_models(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x80\x02}q\x00.")
    assert "safetensors" in sentence(path)


CARDS = {
    "missing": None,
    "empty": b"",
    "no JSON": b"\x89PNG\r\n",
    "not text": b"\xff\xfe{",
    "nested": b"[" * 200_000,
    "a list": b'["pano-s"]',
    "without a model": b'{"class_names": []}',
    "a number": b'{"model": 5}',
    "a list of models": b'{"model": ["pano-s"]}',
    "another model": b'{"model": "nothing-like-it"}',
    "a click model": b'{"model": "click-s"}',
    "a long name": b'{"model": "' + b"x" * 100_000 + b'"}',
    "lines": b'{"model": "a\\nb"}',
    "a path": b'{"model": "../../pano-s"}',
}


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_card_that_says_nothing_usable_is_a_sentence(own, card):
    (own / "small.json").unlink() if card is None else (own / "small.json").write_bytes(card)
    assert sentence(own).endswith(str(own / "small.json"))


def test_an_enormous_card_is_not_read(own):
    with (own / "small.json").open("wb") as stream:
        stream.truncate(10 << 30)
    assert "small.json" in sentence(own)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_no_card(own):
    (own / "small.json").unlink()
    os.mkfifo(own / "small.json")
    assert "small.json" in sentence(own)


@pytest.mark.parametrize("keep_graph", [True, False])
@pytest.mark.parametrize("damage", ["cut", "other tensors", "not finite", "other classes"])
def test_weights_are_taken_strictly(own, damage, keep_graph):
    path = own / "small.safetensors"
    tensors, metadata = load_file(path), read_metadata(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        if damage == "other tensors":
            tensors["extra"] = torch.zeros(2)
        elif damage == "not finite":
            tensors["heads.bias"].fill_(float("nan"))
        else:
            metadata["pano_s"] = metadata["pano_s"].replace('"tree"', '"tree", "car"')
        save_file(tensors, path, metadata=metadata)
    if not keep_graph:
        (own / "small.onnx").unlink()
    assert sentence(own).endswith(str(path))


def test_a_graph_that_says_something_else_is_a_sentence(own):
    graph = onnx.load(own / "small.onnx", load_external_data=False)
    del graph.graph.output[3:]
    onnx.save(graph, own / "small.onnx")
    assert "graph" in sentence(own)
