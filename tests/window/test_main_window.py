"""The whole window: real keys, real clicks, pixels."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from window_samples import hover, painted, press, shot, write_panorama

from core.geometry.camera import rotation_from_angles
from core.panorama import Panorama
from core.pyramid import Pyramid
from panoviewer.actions import ACTIONS


def test_no_two_actions_share_a_key():
    keys = [key for spec in ACTIONS for key in spec.keys]
    assert len(keys) == len(set(keys))


def test_one_cursor_in_all_views(window, settle, qtbot, needs_opengl):
    press(window, Qt.Key.Key_4)
    settle(window)
    quiet = {view: shot(view) for view in (window.stage.perspective, window.stage.cloud)}
    direction = np.array([0.1, 0.15, 1.0]) / np.linalg.norm([0.1, 0.15, 1.0])
    point = window.stage.erp.position_of(direction)
    hover(window.stage.erp.viewport(), point.x(), point.y())
    assert "lon +5.7" in window.status.text()
    assert "depth 4.0" in window.status.text()
    assert "end" in window.status.text()
    for view, before in quiet.items():
        assert np.abs(shot(view) - before).max() > 40, view.accessibleName()


def test_the_3d_view_names_what_the_panorama_names(window, settle, qtbot, needs_opengl):
    press(window, Qt.Key.Key_4)
    settle(window)
    widget = window.stage.cloud._canvas.widget
    hover(widget, widget.width() / 2, widget.height() / 2)
    assert "depth" in window.status.text()
    pointed = window.viewpoint.cursor
    point = window.stage.cloud._canvas._point_at(
        QPointF(widget.width() / 2, widget.height() / 2), window.stage.cloud._canvas._hover_step
    )
    np.testing.assert_allclose(pointed, point / np.linalg.norm(point), atol=1e-6)


def test_a_click_in_the_panorama_looks_there(window, settle, qtbot):
    direction = np.array([1.0, 0.2, -0.5]) / np.linalg.norm([1.0, 0.2, -0.5])
    point = window.stage.erp.position_of(direction).toPoint()
    QTest.mouseClick(window.stage.erp.viewport(), Qt.MouseButton.LeftButton, pos=point)
    camera = window.viewpoint.photo
    np.testing.assert_allclose(camera.directions(camera.width / 2, camera.height / 2), direction, atol=0.01)
    press(window, Qt.Key.Key_Home)
    assert window.viewpoint.camera.yaw == pytest.approx(0)


def test_a_click_in_the_look_around_view_scrolls_the_panorama_there(window):
    window.viewpoint.set_camera(replace(window.viewpoint.camera, yaw=2.0))
    middle = window.stage.perspective.rect().center()
    QTest.mouseClick(window.stage.perspective, Qt.MouseButton.LeftButton, pos=middle)
    assert window.stage.erp.visible_degrees().center().x() == pytest.approx(math.degrees(2.0), abs=1.0)


def test_a_tilted_photo_is_shown_with_a_straight_horizon(make_main_window, settle):
    window = make_main_window()
    level_from_world = rotation_from_angles(0.0, 0.15, 0.2)
    panorama = Panorama(painted(128), level_from_world=level_from_world)
    window.session.show(panorama, Pyramid.of(panorama.rgb))
    settle(window)
    camera = window.viewpoint.camera
    window.viewpoint.set_camera(replace(camera, roll=0.0))
    gravity = level_from_world.T @ [0.0, 1.0, 0.0]
    right = window.viewpoint.photo.world_from_camera[:, 0]
    assert right @ gravity == pytest.approx(0, abs=1e-12)


def test_without_opengl_everything_2d_works(make_main_window, settle, fake_model, tmp_path):
    window = make_main_window(use_opengl=False)
    window.open(write_panorama(tmp_path / "room.png"))
    settle(window)
    before = shot(window.stage.perspective)
    assert before.std() > 10
    press(window, Qt.Key.Key_1)
    settle(window)
    assert np.abs(shot(window.stage.perspective) - before).mean() > 10
    press(window, Qt.Key.Key_4)
    settle(window)
    assert "OpenGL" in window.stage.cloud._message.text()
    assert len(window.session.document.cloud) > 0


def test_without_opengl_a_picture_that_comes_while_another_is_drawn_is_seen(make_main_window, settle):
    window = make_main_window(use_opengl=False)
    for grey in (60, 200):
        panorama = Panorama(np.full((64, 128, 3), grey, np.uint8))
        window.session.show(panorama, Pyramid.of(panorama.rgb))
        assert not window.stage.perspective.canvas.settled
    settle(window)
    assert abs(shot(window.stage.perspective)[:200, :200] - 200).max() <= 1


def test_the_window_comes_back_as_it_was(make_main_window):
    first = make_main_window()
    first.resize(1111, 777)
    QTest.qWait(50)
    first.close()
    assert make_main_window(resized=False).size().toTuple() == (1111, 777)


def test_a_fault_while_drawing_without_opengl_does_not_freeze_the_view(make_main_window, settle, monkeypatch):
    window = make_main_window(use_opengl=False)
    panorama = Panorama(painted(128))
    window.session.show(panorama, Pyramid.of(panorama.rgb))
    settle(window)
    shown = np.s_[:300, :400]
    before = shot(window.stage.perspective)[shown]
    with monkeypatch.context() as broken:
        broken.setattr("panoviewer.views.perspective_cpu.draw_view", lambda *_args, **_options: 1 / 0)
        window.stage.perspective.turn(0.5, 0.0)
        settle(window)
    assert "fault in the program" in window.messages.text
    window.stage.perspective.turn(0.5, 0.0)
    settle(window)
    assert np.abs(shot(window.stage.perspective)[shown] - before).mean() > 5
