"""The bubble view: edges of the depth lie on edges of the photograph where the depth is right, and only there."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from window_samples import drag, press, settled_shot, turn_wheel

from core.cloud import CloudOptions, cloud_from_prediction
from core.geometry.camera import Camera, rotation_from_angles
from core.geometry.sphere import erp_rays, lonlat_to_directions
from core.panorama import Panorama
from core.prediction import Prediction
from panoviewer.orbit import Orbit, Stand, seen_piece
from panoviewer.views.cloud_buffer import pack_cloud
from panoviewer.views.cloud_canvas import CloudColor

WALL, BOARD = (30, 60, 200), (230, 200, 40)
HEIGHT = 512
VIEW = Camera(0.5, 0.2, 0.1, 1.3, 400, 500)


def board_mask(turn=None):
    """A board in the direction that the view looks, 20 by 16 degrees or so, as a mask of the panorama."""
    rays = erp_rays(HEIGHT, 2 * HEIGHT).astype(np.float64)
    x, y, z = np.moveaxis((rays if turn is None else rays @ turn.T) @ VIEW.world_from_camera, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (z > 0) & (np.abs(x / z) < 0.35) & (np.abs(y / z) < 0.25)


def scene_of(mask, **pose):
    """The board at 2 m before a wall at 5 m, painted where it is."""
    rgb = np.where(mask[..., None], np.array(BOARD, np.uint8), np.array(WALL, np.uint8))
    depth = np.where(mask, np.float32(2), np.float32(5))
    return Panorama(rgb, **pose), Prediction(depth, is_metric=True)


@pytest.fixture
def view(cloud_view):
    return cloud_view


def shows_board(picture):
    return np.abs(picture - BOARD).sum(-1) < np.abs(picture - WALL).sum(-1)


def near_edge(mask, pixels):
    band = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((2 * pixels + 1,) * 2, np.uint8))
    return band > 0


@pytest.mark.parametrize("turn", [None, rotation_from_angles(0.4, 0.5, -0.3)], ids=["level", "tilted"])
def test_the_cloud_lies_under_the_photograph_to_the_pixel(view, turn):
    level = np.eye(3) if turn is None else turn
    panorama, prediction = scene_of(board_mask(level), level_from_world=level)
    cloud = cloud_from_prediction(panorama, prediction, CloudOptions(edges=None))
    view.set_cloud(pack_cloud(cloud, 2 * HEIGHT, 1_000_000), keep_view=False)
    view.set_colors(CloudColor.RGB, (1.0, 5.0), "viridis")
    view.set_photo(panorama.rgb, level.T)
    view.look(Stand(VIEW))
    view.set_opacity(1.0)
    photo = shows_board(settled_shot(view))
    view.set_opacity(0.0)
    points = shows_board(settled_shot(view))
    rays = Camera(VIEW.yaw, VIEW.pitch, VIEW.roll, VIEW.fov_x, *photo.shape).rays() @ VIEW.world_from_camera
    truth = (np.abs(rays[..., 0] / rays[..., 2]) < 0.35) & (np.abs(rays[..., 1] / rays[..., 2]) < 0.25)
    for seen in (photo, points):
        assert seen.mean() == pytest.approx(truth.mean(), rel=0.05)
        assert not ((seen != truth) & ~near_edge(truth, 2)).any()


def test_where_the_depth_is_wrong_its_edges_lie_beside_those_of_the_photograph(view):
    panorama, _ = scene_of(board_mask())
    _, prediction = scene_of(np.roll(board_mask(), 30, axis=1))
    cloud = cloud_from_prediction(panorama, prediction, CloudOptions(edges=None))
    view.set_cloud(pack_cloud(cloud, 2 * HEIGHT, 1_000_000), keep_view=False)
    view.set_colors(CloudColor.DEPTH, (2.0, 5.0), "viridis")
    view.set_photo(panorama.rgb, np.eye(3))
    view.look(Stand(VIEW))
    view.set_opacity(1.0)
    photo = shows_board(settled_shot(view))
    view.set_opacity(0.0)
    depth = settled_shot(view).sum(-1)
    board = depth < (depth.min() + depth.max()) / 2
    middle = board.mean(axis=0).argmax(), photo.mean(axis=0).argmax()
    assert board.any()
    assert abs(middle[0] - middle[1]) > 20


def test_half_the_opacity_is_half_of_each(view):
    panorama, prediction = scene_of(np.zeros((HEIGHT, 2 * HEIGHT), np.bool_))
    cloud = cloud_from_prediction(panorama, prediction, CloudOptions(edges=None))
    view.set_cloud(pack_cloud(cloud, 2 * HEIGHT, 1_000_000), keep_view=False)
    view.set_colors(CloudColor.RGB, (1.0, 5.0), "viridis")
    view.set_photo(np.full_like(panorama.rgb, 200), np.eye(3))
    view.look(Stand(VIEW))
    view.set_opacity(0.5)
    expected = (np.array(WALL) + 200) / 2
    assert np.mean(np.abs(settled_shot(view) - expected).max(-1) < 3) > 0.95


def test_a_stand_sees_a_point_where_its_camera_does():
    stand = Stand(VIEW)
    clip = stand.clip_from_point(VIEW.width / VIEW.height)
    for point in ((0.5, 0.1, 0.9), (3.0, -0.4, 5.0), (40.0, 2.0, 90.0)):
        (u, v), _ = seen_piece(point, point, clip, (VIEW.width, VIEW.height))
        np.testing.assert_allclose((u, v), VIEW.project(np.array(point)), atol=1e-9)
    assert seen_piece((-1, 0, -1), (-1, 0, -1), clip, (VIEW.width, VIEW.height)) is None
    assert stand.fov_y == pytest.approx(2 * math.atan(math.tan(VIEW.fov_x / 2) * VIEW.height / VIEW.width))


def test_a_line_that_leads_behind_the_eye_ends_before_it():
    clip = Orbit().clip_from_point(1.25)
    eye, forward = Orbit().eye, Orbit().axes[2]
    start, end = eye + 5 * forward, eye - 5 * forward + (1, 0, 0)
    first, last = seen_piece(start, end, clip, (500, 400))
    assert np.isfinite([*first, *last]).all()
    np.testing.assert_allclose(first, (250, 200), atol=1e-9)


def test_a_drag_keeps_what_is_under_the_cursor_and_the_wheel_zooms(window, settle, needs_opengl):
    press(window, Qt.Key.Key_4)
    settle(window)
    press(window, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    settle(window)
    canvas = window.stage.cloud._canvas
    before = canvas.orbit.camera
    drag(canvas.widget, (100, 90), (150, 100), (180, 130))
    after = canvas.orbit.camera
    np.testing.assert_allclose(after.directions(180, 130), before.directions(100, 90), atol=1e-9)
    turn_wheel(canvas.widget, 200, 120, 2)
    nearer = canvas.orbit.camera
    assert nearer.fov_x < after.fov_x
    np.testing.assert_allclose(nearer.directions(200, 120), after.directions(200, 120), atol=1e-9)


def test_b_in_3d_stands_at_the_camera_and_goes_back(window, settle, needs_opengl):
    window.viewpoint.look_at(lonlat_to_directions(1.0, 0.2))
    press(window, Qt.Key.Key_4)
    settle(window)
    cloud = window.stage.cloud
    outside = cloud.orbit
    QTest.mouseClick(cloud._canvas.widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(9, 9))
    QTest.keyClick(cloud._canvas.widget, Qt.Key.Key_B)
    assert isinstance(cloud.orbit, Stand)
    assert (cloud.orbit.camera.yaw, cloud.orbit.camera.pitch) == pytest.approx((1.0, 0.2))
    assert window.actions_by_name["stand"].isChecked()
    assert not window.actions_by_name["brush"].isChecked()
    assert window.cloud_panel._opacity.isEnabled()
    window.cloud_panel._opacity.setValue(100)
    settle(window)
    QTest.keyClick(cloud._canvas.widget, Qt.Key.Key_B)
    assert cloud.orbit == outside
    assert not window.cloud_panel._opacity.isEnabled()


def test_who_stands_before_there_is_a_cloud_stays_when_it_comes(window, settle, needs_opengl):
    press(window, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    settle(window)
    assert window.stage.cloud.point_count > 0
    assert window.standing.stands
    window.session.document.set_cloud_options(replace(window.session.document.cloud_options, stride=2))
    settle(window)
    assert window.standing.stands
    press(window, Qt.Key.Key_R)
    assert not window.standing.stands
