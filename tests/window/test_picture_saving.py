"""The panorama, level, and the view with its camera, as files of their own."""

import json

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from window_samples import press, write_panorama

from core.edits import set_level
from core.geometry.camera import Camera, rotation_from_angles
from core.geometry.sphere import angle_between, erp_rays, lonlat_to_directions
from core.geometry.warp import erp_to_camera
from core.io.digest import content_sha256
from core.io.images import read_panorama

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LEVEL = (0.2, -0.15)


@pytest.fixture
def photo_window(make_main_window, settle, tmp_path):
    window = make_main_window()
    window.open(write_panorama(tmp_path / "hall.png", 256))
    settle(window)
    return window


def name_file(window, settle, dialog, path):
    """Answer the question for a name; what the window says of it."""
    found = window.findChild(QFileDialog, dialog)
    assert found.isVisible()
    found.fileSelected.emit(str(path))
    found.close()
    settle(window)
    return window.messages.text


def test_the_view_is_written_as_sharp_as_the_photograph_with_its_camera(photo_window, settle, tmp_path):
    photo_window.viewpoint.look_at(lonlat_to_directions(3.0, 0.4))
    press(photo_window, Qt.Key.Key_C, CTRL | SHIFT)
    told = name_file(photo_window, settle, "view_name", tmp_path / "out.png")
    assert told.startswith("Written")
    about = json.loads((tmp_path / "out.camera.json").read_text())
    picture = cv2.imread(str(tmp_path / "out.png"))[..., ::-1]
    assert picture.shape[:2] == (about["height"], about["width"])
    assert about["K"][0][0] >= 512 / (2 * np.pi) - 1e-9
    camera = Camera.from_rotation(
        about["world_from_camera"], fov_x=np.radians(about["fov_x_deg"]), height=about["height"], width=about["width"]
    )
    panorama = read_panorama(tmp_path / "hall.png")
    np.testing.assert_array_equal(picture, erp_to_camera(panorama.rgb, camera))
    ahead = camera.directions(camera.width / 2, camera.height / 2)
    assert angle_between(ahead, lonlat_to_directions(3.0, 0.4)) < 1e-6
    facts = about["panorama"]
    assert (facts["file"], facts["sha256"]) == ("hall.png", content_sha256(tmp_path / "hall.png"))


def test_a_view_has_the_ending_that_it_is_written_as(photo_window, settle, tmp_path):
    press(photo_window, Qt.Key.Key_C, CTRL | SHIFT)
    assert ".png" in name_file(photo_window, settle, "view_name", tmp_path / "out.jpg")
    assert not (tmp_path / "out.jpg").exists()
    press(photo_window, Qt.Key.Key_C, CTRL | SHIFT)
    name_file(photo_window, settle, "view_name", tmp_path / "out")
    assert (tmp_path / "out.png").is_file()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_panorama_is_written_level_and_says_so(photo_window, settle, tmp_path, suffix):
    photo_window.desk.annotating.apply("Level", set_level(LEVEL))
    photo_window.actions_by_name["save_panorama"].trigger()
    name_file(photo_window, settle, "panorama_name", tmp_path / f"level{suffix}")
    before, after = read_panorama(tmp_path / "hall.png"), read_panorama(tmp_path / f"level{suffix}")
    assert after.is_level
    assert after.rgb.shape == before.rgb.shape
    rotation = rotation_from_angles(0, *LEVEL)
    # The colours tell directions: what is seen along d was seen along R^T d.
    for lon, lat in ((0.5, 0.3), (-2.0, -0.7), (3.1, 0.0)):
        direction = lonlat_to_directions(lon, lat)
        one = after.rgb[tuple(pixel(after, direction))].astype(int)
        other = before.rgb[tuple(pixel(before, rotation.T @ direction))].astype(int)
        np.testing.assert_allclose(one, other, atol=4)


def pixel(panorama, direction):
    return np.unravel_index(
        np.argmax(erp_rays(panorama.height, panorama.width) @ direction), (panorama.height, panorama.width)
    )


@pytest.mark.parametrize(("action", "dialog"), [("save_panorama", "panorama_name"), ("save_view", "view_name")])
def test_the_photograph_itself_is_never_written_over(photo_window, settle, tmp_path, action, dialog):
    before = (tmp_path / "hall.png").read_bytes()
    photo_window.actions_by_name[action].trigger()
    told = name_file(photo_window, settle, dialog, tmp_path / "hall.png")
    assert "another file than the photograph" in told
    assert (tmp_path / "hall.png").read_bytes() == before


def test_a_view_of_a_photograph_that_is_gone_is_told_in_a_sentence(photo_window, settle, tmp_path):
    (tmp_path / "hall.png").unlink()
    photo_window.actions_by_name["save_view"].trigger()
    assert "hall.png" in name_file(photo_window, settle, "view_name", tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_without_a_panorama_there_is_nothing_to_save(make_main_window):
    window = make_main_window()
    press(window, Qt.Key.Key_C, CTRL | SHIFT)
    assert "nothing to save" in window.messages.text
