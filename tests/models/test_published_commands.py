"""Published models from the command line: `predict` and `models run` are the same network on the same weights."""

import json

import cv2
import numpy as np
import pytest
import tiny_dap
import tiny_mtpano
from PIL import Image
from safetensors.torch import load_file, save_file

from core.export.classes import NONE
from core.models import find_model, weights_file
from core.models.ade20k import ADE20K_NAMES
from core.models.mtpano import SKY
from panoviewer import cli

dap, mtpano = tiny_dap.tiny, tiny_mtpano.tiny


def run(*args):
    assert cli.main([str(arg) for arg in args]) == 0


@pytest.fixture
def image(tmp_path, painted_photo):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), painted_photo(64, 128))
    return path


def said(name, image, folder):
    """Depth by both commands."""
    run("predict", image, "--model", name, "-o", folder / "out", "--device", "cpu")
    run("models", "run", name, image, "--raw", "-o", folder / "raw.npz", "--device", "cpu")
    with np.load(folder / "raw.npz") as raw:
        return np.load(folder / "out" / "a.depth.npy"), {key: raw[key] for key in raw.files}


@pytest.mark.parametrize(
    ("name", "output", "weight", "tiny"),
    [
        ("dap", "pred_depth", "depth_head.last.2.bias", "dap"),
        ("mtpano-140k", "depth", "head.depth.last.2.bias", "mtpano"),
        ("mtpano-408k", "depth", "head.depth.last.2.bias", "mtpano"),
    ],
)
def test_one_changed_weight_changes_what_both_commands_say(request, tmp_path, image, name, output, weight, tiny):
    published = request.getfixturevalue(tiny)
    for bias in ("heads.depth.head.4.bias", "heads.semseg.head.4.bias"):
        if bias in published:
            published[bias][0] += 1.0 if "depth" in bias else 2.5  # something has a depth, and not all is sky
    save = {"dap": tiny_dap.save, "mtpano": tiny_mtpano.save}[tiny]
    run("models", "add", save(published, tmp_path / "model.pth.tar"), "--as", name)
    depth, raw = said(name, image, tmp_path)
    file = weights_file(find_model(name))
    tensors = {key: value.clone() for key, value in load_file(file).items()}
    tensors[weight] += 0.25
    file.unlink()
    save_file(tensors, file)
    other_depth, other_raw = said(name, image, tmp_path)
    assert (other_raw[output] > raw[output])[raw[output] > 0].all()
    known = ~np.isnan(depth)
    assert known.any()
    assert (other_depth > depth)[known].mean() > 0.99


def test_150_classes_reach_every_file(mtpano, tmp_path, image):
    run("models", "add", tiny_mtpano.save(mtpano, tmp_path / "a.pth.tar", prefix="module."), "--as", "mtpano-140k")
    formats = ["--format", "npy,png"]
    run("predict", image, "--model", "mtpano-140k", "-o", tmp_path / "out", "--device", "cpu", *formats)
    classes = np.asarray(Image.open(tmp_path / "out" / "a.classes.png"))
    report = json.loads((tmp_path / "out" / "a.json").read_text())
    assert report["class_names"] == list(ADE20K_NAMES)
    assert report["model"] == "mtpano-140k"
    assert report["metric"] is True
    assert classes.max() < len(ADE20K_NAMES) or set(classes[classes >= len(ADE20K_NAMES)]) == {NONE}
    far = np.asarray(Image.open(tmp_path / "out" / "a.far.png")) > 0
    np.testing.assert_array_equal(classes == SKY, far)
    assert json.loads(Image.open(tmp_path / "out" / "a.classes.png").text["Classes"]) == list(ADE20K_NAMES)
    normals = np.load(tmp_path / "out" / "a.normals.npy")
    np.testing.assert_array_equal(np.isnan(normals[..., 0]) | ~far, True)
    with Image.open(tmp_path / "out" / "a.classes.preview.png") as preview:
        assert preview.mode == "P"
