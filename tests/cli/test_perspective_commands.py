"""Published perspective networks on the command line, tiny ones with random numbers."""

import json

import numpy as np
import pytest

pytest.importorskip("transformers")

import tiny_published as tiny
from commands import is_one_sentence, names, photo
from PIL import Image

from panoviewer.cli import main


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of a network for depth and of one for classes."""
    place = tmp_path_factory.mktemp("published")
    tiny.write(place / "depth", tiny.depth_anything(depth_estimation_type="metric", max_depth=80))
    tiny.write(place / "classes", tiny.segformer())
    return place


@pytest.fixture
def refused(capfd):
    """Runs a command that is refused with a sentence."""

    def run(*args):
        assert main([str(arg) for arg in args]) == 2
        said = capfd.readouterr().err
        assert is_one_sentence(said)
        return said

    return run


def test_depth_and_classes_are_predicted_at_full_size(tmp_path, folders):
    photo(tmp_path / "room.jpg", 64, 128)
    for name in ("depth", "classes"):
        assert (
            main(["predict", f"{tmp_path}/room.jpg", "-o", f"{tmp_path}/{name}", "--model", f"{folders}/{name}"]) == 0
        )
    depth = np.load(tmp_path / "depth/room.depth.npy")
    assert depth.shape == (64, 128)
    classes = np.asarray(Image.open(tmp_path / "classes/room.classes.png"))
    assert classes.shape == (64, 128)
    report = json.loads((tmp_path / "classes/room.json").read_text())
    assert report["model"] == "classes"
    assert len(report["class_names"]) == 150
    assert str(folders) not in json.dumps(report), "folders are private"
    assert names(tmp_path / "classes") == ["room.classes.png", "room.json"]


def test_tiles_refine_another_models_depth_and_the_report_says_so(tmp_path, folders, capfd):
    photo(tmp_path / "room.jpg", 256, 512)
    command = ["predict", f"{tmp_path}/room.jpg", "-o", f"{tmp_path}/out", "--tasks", "depth"]
    assert main([*command, "--resume"]) == 0
    guided = np.load(tmp_path / "out/room.depth.npy")
    assert "detail" not in json.loads((tmp_path / "out/room.json").read_text())["options"]
    tiles = [*command, "--resume", "--detail", "tiles", "--detail-model", f"{folders}/depth"]
    capfd.readouterr()
    assert main(tiles) == 0
    assert "done again" in capfd.readouterr().err
    report = json.loads((tmp_path / "out/room.json").read_text())
    assert report["model"] == "pano-s + depth"
    assert report["options"]["detail"] == "depth"
    assert len(report["detail_weights_sha256"]) == 64
    assert np.load(tmp_path / "out/room.depth.npy").shape == guided.shape
    assert main(tiles) == 0
    assert "complete, skipped" in capfd.readouterr().err


def test_a_perspective_network_refines_itself(tmp_path, folders):
    photo(tmp_path / "room.jpg", 64, 128)
    command = ["predict", f"{tmp_path}/room.jpg", "-o", f"{tmp_path}/out", "--model", f"{folders}/depth"]
    assert main([*command, "--detail", "tiles"]) == 0
    assert json.loads((tmp_path / "out/room.json").read_text())["model"] == "depth + depth"


def test_what_makes_no_sense_is_refused_before_the_work(tmp_path, folders, refused):
    picture = photo(tmp_path / "room.jpg", 64, 128)
    command = ("predict", picture, "-o", tmp_path / "out")
    assert "--detail-model" in refused(*command, "--detail", "tiles")
    assert "got classes" in refused(*command, "--detail", "tiles", "--detail-model", folders / "classes")
    assert "--detail tiles" in refused(*command, "--detail-model", folders / "depth")
    assert "size" in refused(*command, "--detail", "tiles", "--size", "native", "--detail-model", folders / "depth")
    assert "does not estimate depth" in refused(*command, "--model", folders / "classes", "--tasks", "depth")
    assert not (tmp_path / "out").exists()


def test_a_cloud_is_made_from_a_perspective_network(tmp_path, folders):
    photo(tmp_path / "room.jpg", 64, 128)
    assert main(["cloud", f"{tmp_path}/room.jpg", "-o", f"{tmp_path}/room.ply", "--model", f"{folders}/depth"]) == 0
    assert (tmp_path / "room.ply").stat().st_size > 1000
