"""Networks leave as ONNX graphs and are run as such."""

import json

import numpy as np
import pytest
from commands import is_one_sentence, photo
from safetensors.numpy import save_file

from core.models import find_model, weights_file
from panoviewer import cli


def run(*args):
    return cli.main([str(arg) for arg in args])


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("export", "pano-s", "--to", "onnx"), "-o FOLDER"),
        (("export", "nothing", "--to", "onnx", "-o", "out"), "Expected one of the models"),
        (("export", "pano-s", "-o", "out"), "--to"),
        (("export", "pano-s", "--to", "tensorrt", "-o", "out"), "invalid choice"),
    ],
)
def test_an_export_that_makes_no_sense_is_refused_in_one_sentence(args, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("models", *args) == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert says in told
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_missing_are_not_exported(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert run("models", "export", "dap", "--to", "onnx", "-o", tmp_path / "out") == 2
    assert is_one_sentence(capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_the_backend_that_was_asked_for_says_the_same(backend, tmp_path):
    image = photo(tmp_path / "a.png", 64, 128)
    for name, choice in (("theirs", backend), ("ours", "auto")):
        args = ("--size", "native", "--tasks", "depth", "--device", "cpu", "--backend", choice)
        assert run("predict", image, "-o", tmp_path / name, *args) == 0
    ours, theirs = (np.load(tmp_path / name / "a.depth.npy") for name in ("ours", "theirs"))
    np.testing.assert_allclose(theirs, ours, rtol=1e-3)
    assert json.loads((tmp_path / "theirs/a.json").read_text())["model"] == "pano-s"


def test_a_backend_without_its_graph_is_told_in_one_sentence(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    image = photo(tmp_path / "a.png", 64, 128)
    asked = ("predict", image, "-o", tmp_path / "out", "--backend", "onnxruntime")
    for name in ("mtpano-140k", "dap"):
        weights = weights_file(find_model(name))
        weights.parent.mkdir(parents=True, exist_ok=True)
        save_file({"some": np.zeros(1, np.float32)}, weights)
        assert run(*asked, "--model", name) == 2
        told = capsys.readouterr().err
        assert is_one_sentence(told)
        assert "panoviewer models export" in told


@pytest.mark.slow
def test_the_bundled_model_leaves_for_other_programs(capsys, tmp_path):
    assert run("models", "export", "pano-s", "--to", "onnx", "-o", tmp_path / "there/pano.onnx") == 0
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["pano.onnx", "pano.safetensors"]
    told = capsys.readouterr()
    assert "pano.onnx" in told.out
    assert "pano-s: writing graph 1 of 1" in told.err
