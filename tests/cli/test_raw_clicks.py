"""Raw outputs of networks that are clicked on, and objects that they cut out."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from commands import is_one_sentence, photo

import core.models.networks.sam2
from core.models import find_segmenter, load_segmenter, weights_file
from core.models.networks.sam2 import Sam2Config
from core.models.sam2_layout import sam2_layout
from panoviewer import cli

CONFIG = Sam2Config(width=8, blocks=(1, 1, 2, 1), everywhere=(3,))


def run(*args):
    return cli.main([str(arg) for arg in args])


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A published file of a small network."""
    generator = torch.Generator().manual_seed(0)
    entries = {
        name: torch.randn(shape, generator=generator) / math.sqrt(max(1, math.prod(shape[1:])))
        for name, shape in sam2_layout(CONFIG).shapes.items()
    }
    path = tmp_path_factory.mktemp("published") / "sam2.1_hiera_tiny.pt"
    torch.save({"model": entries}, path)
    return path


@pytest.fixture
def added(published, monkeypatch, tmp_path):
    """A user has added it."""
    monkeypatch.setattr(core.models.networks.sam2, "TINY", CONFIG)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert run("models", "add", published, "--as", "sam2.1-tiny") == 0
    assert weights_file(find_segmenter("sam2.1-tiny")).is_file()


@pytest.fixture
def square(tmp_path):
    """A picture that the network can read."""
    path = tmp_path / "square.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8))
    return path


@pytest.mark.parametrize(
    ("prompt", "points", "positive", "box"),
    [
        (["--point", "30.5,20"], [[30.5, 20]], [True], None),
        (["--point", "30.5,20", "--negative-point", "-3,4.5"], [[30.5, 20], [-3, 4.5]], [True, False], None),
        (["--negative-point=-3,4.5", "--point", "30.5,20"], [[-3, 4.5], [30.5, 20]], [False, True], None),
        (["--box", "-2.5,4,50,60"], np.zeros((0, 2)), [], [-2.5, 4, 50, 60]),
        (["--point", "30,20", "--box=-2.5,4,50,60"], [[30, 20]], [True], [-2.5, 4, 50, 60]),
    ],
)
def test_raw_outputs_are_the_networks_own(added, square, tmp_path, prompt, points, positive, box):
    out = tmp_path / "out.npz"
    assert run("models", "run", "sam2.1-tiny", square, "--raw", *prompt, "-o", out) == 0
    written = dict(np.load(out))
    rgb = np.ascontiguousarray(cv2.imread(str(square))[..., ::-1])
    own = load_segmenter("sam2.1-tiny", device="cpu").raw_clicked(
        rgb,
        np.array(points, np.float32),
        np.array(positive, np.bool_),
        None if box is None else np.array(box, np.float32),
    )
    assert sorted(written) == sorted(own) == ["iou", "low_res_logits", "object_score_logit"]
    assert written["low_res_logits"].shape == (4, 24, 24)
    for name, values in own.items():
        assert written[name].dtype == np.float32
        np.testing.assert_array_equal(written[name], values)


@pytest.mark.parametrize(
    ("model", "prompt", "told"),
    [
        ("sam2.1-tiny", [], "at least one --point X,Y or a --box"),
        ("sam2.1-tiny", ["--negative-point", "3,4"], "at least one --point X,Y or a --box"),
        ("sam2.1-tiny", ["--point", "3"], "expected X,Y in pixels, got '3'"),
        ("sam2.1-tiny", ["--point", "3,nan"], "expected X,Y in pixels"),
        ("sam2.1-tiny", ["--box", "9,0,3,4"], "X0 < X1"),
        ("click-s", ["--point", "3,4"], "use 'panoviewer segment'"),
        ("pano-s", ["--point", "3,4"], "pano-s is not clicked on"),
    ],
)
def test_prompts_that_make_no_sense_are_sentences(added, square, tmp_path, capsys, model, prompt, told):
    capsys.readouterr()
    assert run("models", "run", model, square, "--raw", *prompt, "-o", tmp_path / "out.npz") == 2
    message = capsys.readouterr().err
    assert is_one_sentence(message)
    assert told in message
    assert not (tmp_path / "out.npz").exists()


def test_a_picture_that_is_not_square_is_a_sentence(added, tmp_path, capsys):
    image = photo(tmp_path / "a.png", 64, 128)
    capsys.readouterr()
    assert run("models", "run", "sam2.1-tiny", image, "--raw", "--point", "3,4", "-o", tmp_path / "out.npz") == 2
    message = capsys.readouterr().err
    assert is_one_sentence(message)
    assert "square" in message


def test_an_object_is_cut_out_on_views_of_a_chosen_size(added, tmp_path, monkeypatch, capsys):
    spec = find_segmenter("sam2.1-tiny")
    smaller = [replace(spec, view_sizes=(1024, 64))]
    monkeypatch.setattr(core.models, "SEGMENTERS", (*smaller, find_segmenter("click-s")))
    image = photo(tmp_path / "a.png", 64, 128)
    given = ("segment", image, "--click", "-20,10", "-o", tmp_path / "a.npz", "--model")
    assert run(*given, "sam2.1-tiny", "--view-size", 64) in (0, 1), "whether noise finds anything is left open"
    capsys.readouterr()
    own = load_segmenter("click-s").view_size
    for model, size, told in (("sam2.1-tiny", 65, "1024 or 64 "), ("click-s", 64, f"views of {own} pixels")):
        assert run(*given, model, "--view-size", size) == 2
        message = capsys.readouterr().err
        assert is_one_sentence(message)
        assert told in message
        assert f"got {size}" in message
    assert run(*given, "click-s", "--view-size", own) in (0, 1)


@pytest.mark.slow
def test_converted_weights_are_used_by_their_place_though_none_were_added(
    published, square, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(core.models.networks.sam2, "TINY", CONFIG)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    spec = replace(find_segmenter("sam2.1-tiny"), view_sizes=(1024, 64))
    monkeypatch.setattr(core.models, "SEGMENTERS", (spec,))
    own = tmp_path / "own" / "mine.safetensors"
    own.parent.mkdir()
    assert run("models", "convert", published, "--as", "sam2.1-tiny", "-o", own) == 0
    assert not weights_file(spec).exists()
    for number, place in enumerate((own, own.parent)):
        out = tmp_path / f"{number}.npz"
        assert run("models", "run", place, square, "--raw", "--point", "30,20", "-o", out) == 0
        assert np.load(out)["low_res_logits"].shape == (4, 24, 24)
    image = photo(tmp_path / "a.png", 64, 128)
    given = ("segment", image, "--click", "-20,10", "-o", tmp_path / "a.npz", "--view-size", 64)
    assert run(*given, "--model", own) in (0, 1), "whether noise finds anything is left open"
    assert run("models", "run", own, square, "--raw", "-o", tmp_path / "none.npz") == 2
    assert "at least one --point X,Y" in capsys.readouterr().err


def test_weights_that_were_never_added_are_a_sentence_before_anything_is_opened(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    image = photo(tmp_path / "a.png", 64, 128)
    assert run("segment", image, "--click", "0,0", "--model", "sam2.1-large", "-o", tmp_path / "a.json") == 2
    message = capsys.readouterr().err
    assert is_one_sentence(message)
    assert "panoviewer models add FILE --as sam2.1-large" in message
