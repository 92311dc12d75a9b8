"""A large photograph is seen before it is open; what comes then takes its place without a jump."""

import math
import threading

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from window_samples import painted, press, shot, write_panorama

from core.errors import UnsupportedImage
from core.geometry.camera import Camera
from core.io import images
from core.mask import SphereMask
from core.pyramid import Pyramid
from core.scene import Segment
from panoviewer import session as session_module
from panoviewer.views.masks import MaskLayer
from panoviewer.views.perspective_gl import GlCanvas


@pytest.fixture
def gate(monkeypatch):
    """Holds the reading of whole photographs until it is set; every photograph counts as a large one."""
    gate = threading.Event()
    read = session_module.read_panorama

    def read_slowly(path, **choices):
        panorama = read(path, **choices)
        gate.wait(250)
        return panorama

    monkeypatch.setattr(session_module, "read_panorama", read_slowly)
    monkeypatch.setattr(images, "SLOW_PIXELS", 0)
    monkeypatch.setattr(images, "FIRST_WIDTH", 128)
    yield gate
    gate.set()


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "large.jpg"
    cv2.imwrite(str(path), np.roll(painted(256), 128, axis=1)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
    return path


@pytest.fixture
def previewing(window, gate, photo, qtbot):
    """The window while it shows the preview of another photograph than the one that is open."""
    window.open(photo)
    qtbot.waitUntil(lambda: window.stage.previewing)
    qtbot.waitUntil(lambda: window.stage.settled)
    return window


def test_the_preview_is_seen_while_the_photo_is_read_and_nothing_jumps_when_it_is_there(previewing, gate, settle):
    window, old = previewing, previewing.session.document.panorama
    assert "large.jpg" in window.windowTitle()
    window.stage.erp.scroll(0.1, 0.0)
    window.viewpoint.set_camera(Camera(yaw=0.5, pitch=0.2, roll=0.0, fov_x=1.1, **_size(window)))
    views = window.stage.erp, window.stage.perspective
    before = [shot(view) for view in views]
    assert window.session.document.panorama is old
    gate.set()
    settle(window)
    assert window.session.document.panorama.path.name == "large.jpg"
    assert not window.stage.previewing
    for view, picture in zip(views, before, strict=True):
        assert np.abs(shot(view) - picture)[10:-40, 10:-10].max() <= 12
    assert window.windowTitle().startswith("large.jpg (512 × 256)")


def _size(window):
    return {"height": window.viewpoint.camera.height, "width": window.viewpoint.camera.width}


def test_what_is_asked_for_during_the_preview_is_done_for_the_new_photo(previewing, gate, settle, fake_model):
    press(previewing, Qt.Key.Key_1)
    assert fake_model.runs == 0
    gate.set()
    settle(previewing)
    assert fake_model.runs == 1
    assert previewing.session.document.prediction is not None
    assert previewing.actions_by_name["depth"].isChecked()


def test_a_photo_that_cannot_be_opened_after_all_leaves_everything_as_it_was(
    window, gate, photo, qtbot, settle, monkeypatch, tmp_path
):
    mask = SphereMask.pack(np.indices((256, 512))[0] < 90)
    window.stage.set_masks([MaskLayer(mask)])
    press(window, Qt.Key.Key_1)
    settle(window)
    old, title, before = window.session.document.panorama, window.windowTitle(), shot(window.stage.erp)

    read = session_module.read_panorama

    def fail(path, **choices):
        read(path, **choices)
        raise UnsupportedImage(f"The picture is cut short: {path}")

    monkeypatch.setattr(session_module, "read_panorama", fail)
    window.open(photo)
    qtbot.waitUntil(lambda: window.stage.previewing)
    press(window, Qt.Key.Key_2)
    window.stage.set_marks(())
    assert np.abs(shot(window.stage.erp) - before).max() > 50
    gate.set()
    settle(window)
    assert "cut short" in window.messages.text
    window.messages.hide()
    settle(window)
    assert window.session.document.panorama is old
    assert window.windowTitle() == title
    assert not window.stage.previewing
    np.testing.assert_array_equal(shot(window.stage.erp), before)
    assert window.layers._style.visible() == ["depth"]


def test_nothing_is_known_under_the_cursor_of_a_preview(previewing):
    previewing.viewpoint.set_cursor(np.array([0.0, 0.0, 1.0]))
    assert previewing.status.text() == ""


def test_a_tool_hears_nothing_of_a_preview(previewing, qtbot):
    heard = []
    tool = previewing.navigate
    tool.click = lambda view, pointer: heard.append(pointer)
    port = previewing.stage.erp.viewport()
    QTest.mouseClick(port, Qt.MouseButton.LeftButton, pos=port.rect().center())
    assert heard == []


def test_a_click_on_a_preview_selects_nothing_of_what_is_still_open(window, gate, photo, settle, qtbot):
    annotating = window.desk.annotating
    everything = SphereMask.pack(np.ones((256, 512), bool))
    annotating.add([Segment(1, everything, "all")], select=False)
    settle(window)
    window.open(photo)
    qtbot.waitUntil(lambda: window.stage.previewing)
    for view in window.stage.sphere_views:
        port = view.viewport() if hasattr(view, "viewport") else view
        QTest.mouseClick(port, Qt.MouseButton.LeftButton, pos=port.rect().center())
        assert annotating.selected == ()


def test_another_photo_may_be_opened_during_a_preview(previewing, gate, settle, tmp_path):
    other = write_panorama(tmp_path / "other.png", 64)
    previewing.open(other)
    assert not previewing.stage.previewing
    gate.set()
    settle(previewing)
    assert previewing.session.document.panorama.path == other


def test_giving_up_a_photo_that_is_previewed_brings_back_what_was_open(window, gate, photo, qtbot, settle):
    before = shot(window.stage.erp)
    window.open(photo)
    qtbot.waitUntil(lambda: window.stage.previewing)
    assert np.abs(shot(window.stage.erp) - before).max() > 50
    press(window, Qt.Key.Key_Escape)
    assert not window.stage.previewing
    settle(window)
    np.testing.assert_array_equal(shot(window.stage.erp), before)
    gate.set()
    settle(window)
    np.testing.assert_array_equal(shot(window.stage.erp), before)


def test_a_photo_that_is_soon_read_is_not_previewed(make_main_window, settle, photo):
    window = make_main_window()
    heard = []
    window.session.previewed.connect(lambda *_: heard.append(True))
    window.open(photo)
    settle(window)
    assert window.session.document.panorama is not None
    assert heard == []


def test_a_sharper_picture_is_never_coarser_than_the_one_it_follows(application, needs_opengl, qtbot):
    canvas = GlCanvas(8192)
    qtbot.addWidget(canvas)
    canvas.resize(300, 200)
    canvas.show()
    stripes = np.where(np.arange(2048) // 16 % 2 == 0, 30, 220).astype(np.uint8)
    small = np.repeat(np.broadcast_to(stripes, (1024, 2048))[..., None], 3, axis=2)
    large = np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)
    canvas.set_camera(Camera(yaw=1.0, pitch=0.0, roll=0.0, fov_x=math.radians(40), height=200, width=300))
    canvas.set_picture("photo", Pyramid.of(small))
    qtbot.waitUntil(lambda: canvas.settled)
    contrasts = []
    canvas.frameSwapped.connect(lambda: contrasts.append(shot(canvas)[100].std()))
    canvas.set_picture("photo", Pyramid.of(large), sharper=True)
    qtbot.waitUntil(lambda: canvas.settled)
    qtbot.wait(50)
    assert min(contrasts) > 80
    assert canvas._textures["photo"].width == 4096
    canvas.release()
