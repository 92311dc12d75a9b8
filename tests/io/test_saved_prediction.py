"""Files of a prediction, read back."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.errors import ProjectError
from core.export.results import ResultOptions, write_results
from core.io.digest import content_sha256
from core.io.images import read_panorama
from core.io.saved_prediction import read_prediction
from core.models.base import Task
from core.prediction import Prediction

SIZE = 16, 32


@pytest.fixture
def original(tmp_path):
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.5, 20, SIZE).astype(np.float32)
    normals = rng.normal(size=(*SIZE, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    classes = rng.integers(-1, 3, SIZE).astype(np.int16)
    far = np.zeros(SIZE, bool)
    far[:3], depth[:3], normals[:2] = True, np.nan, np.nan
    return Prediction(depth, normals, classes, ("wall", "floor", "sky"), far, 1.6, True, "pano-s", "cpu", 1.25, (8, 16))


def written(original, folder, formats, **options):
    photo = folder / "room.png"
    cv2.imwrite(str(photo), np.zeros((*SIZE, 3), np.uint8))
    write_results(read_panorama(photo), original, folder / "room", ResultOptions("pano-s", formats=formats, **options))
    return folder / "room.json"


def test_what_was_written_comes_back_to_the_last_bit(original, tmp_path):
    saved = read_prediction(written(original, tmp_path, ("npy", "png")))
    for name, values in original.maps().items():
        np.testing.assert_array_equal(saved.prediction.maps()[name], values)
    for name in ("class_names", "camera_height", "is_metric", "model", "device", "seconds", "native_size"):
        assert getattr(saved.prediction, name) == getattr(original, name)
    assert saved.source_name == "room.png"
    assert saved.source_sha256 == content_sha256(tmp_path / "room.png")


def test_pictures_come_back_with_their_precision(original, tmp_path):
    saved = read_prediction(written(original, tmp_path, ("png",))).prediction
    np.testing.assert_allclose(saved.depth, original.depth, atol=0.0006)
    known = np.isfinite(original.normals[..., 0])
    np.testing.assert_array_equal(np.isfinite(saved.normals[..., 0]), known)
    assert (np.sum(saved.normals * original.normals, axis=-1)[known] > np.cos(np.radians(1))).all()
    np.testing.assert_array_equal(saved.classes, original.classes)
    np.testing.assert_array_equal(saved.far, original.far)


def test_other_axes_and_formats_come_back_as_the_same(original, tmp_path):
    saved = read_prediction(written(original, tmp_path, ("png", "tiff"), normals_axes="opengl")).prediction
    known = np.isfinite(original.normals[..., 0])
    assert (np.sum(saved.normals * original.normals, axis=-1)[known] > np.cos(np.radians(1))).all()
    np.testing.assert_array_equal(saved.depth, original.depth)


def test_what_was_not_asked_for_is_not_there(original, tmp_path):
    saved = read_prediction(written(original, tmp_path, ("npy",), tasks=(Task.NORMALS,))).prediction
    assert set(saved.maps()) == {"normals"}


def change(key, value):
    def act(report):
        facts = json.loads(report.read_text())
        facts[key] = value
        report.write_text(json.dumps(facts))

    return act


def drop(key):
    def act(report):
        facts = json.loads(report.read_text())
        del facts[key]
        report.write_text(json.dumps(facts))

    return act


def replace_file(suffix, content):
    return lambda report: report.with_name("room" + suffix).write_bytes(content)


HEADER = b"\x93NUMPY\x01\x00"
HUGE = b"{'descr': '<f4', 'fortran_order': False, 'shape': (16, 32)}"
BROKEN = {
    "no JSON": lambda report: report.write_text("{"),
    "a list": lambda report: report.write_text("[]"),
    "deep": lambda report: report.write_text("[" * 100_000),
    "empty": lambda report: report.write_bytes(b""),
    "no report of ours": lambda report: report.write_text('{"a": 1}'),
    "gone": lambda report: report.unlink(),
    "no size": drop("size"),
    "another size": change("size", {"height": 8, "width": 16}),
    "a size that no memory holds": change("size", {"height": 65536, "width": 65536}),
    "no outputs": change("outputs", {}),
    "fewer classes": change("class_names", ["wall"]),
    "no list of classes": change("class_names", 3),
    "a map that is gone": lambda report: report.with_name("room.depth.npy").unlink(),
    "an empty map": replace_file(".depth.npy", b""),
    "a map that promises more": replace_file(".depth.npy", HEADER + len(HUGE).to_bytes(2, "little") + HUGE),
    "a pickle": replace_file(".normals.npy", b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00]\x94."),
    "a text": replace_file(".classes.png", b"no picture"),
    "half a picture": lambda report: replace_file(".far.png", report.with_name("room.far.png").read_bytes()[:60])(
        report
    ),
}


@pytest.mark.parametrize("act", BROKEN.values(), ids=BROKEN)
def test_files_that_contradict_themselves_are_one_sentence(original, tmp_path, act):
    report = written(original, tmp_path, ("npy",))
    act(report)
    with pytest.raises(ProjectError) as refused:
        read_prediction(report)
    sentence = str(refused.value)
    assert sentence.startswith("Expected")
    assert "\n" not in sentence
    assert Path(sentence.rpartition(": ")[2]).parent == tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be deleted there")
def test_the_files_are_free_afterwards(original, tmp_path):
    report = written(original, tmp_path, ("npy",))
    prediction = read_prediction(report).prediction
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    np.testing.assert_array_equal(prediction.depth, original.depth)
