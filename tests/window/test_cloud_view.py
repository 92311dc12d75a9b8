"""The 3D view as pixels, and what is packed for it."""

import math

import numpy as np
import pytest
from fake_model import CLASS_NAMES, room
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from window_samples import drag, hover, settled_shot

from core.cloud import CloudOptions, PointCloud, cloud_from_prediction
from core.colors import MISSING, class_palette, colormap
from core.geometry.sphere import directions_to_lonlat
from core.panorama import Panorama
from core.prediction import Prediction
from panoviewer.views import cloud_canvas as cloud_canvas_module
from panoviewer.views.cloud_buffer import pack_cloud
from panoviewer.views.cloud_canvas import CloudColor
from panoviewer.views.cloud_view import CloudView

EVERY_PIXEL = CloudOptions(edges=None)


def room_cloud(height=128, options=EVERY_PIXEL):
    """A box room with a red ceiling, a green floor and blue walls."""
    depth, normals, axis = room(height, 2 * height)
    rgb = np.zeros((height, 2 * height, 3), np.uint8)
    rgb[axis != 1] = (0, 0, 250)
    rgb[(axis == 1) & (normals[..., 1] > 0)] = (250, 0, 0)
    rgb[(axis == 1) & (normals[..., 1] < 0)] = (0, 250, 0)
    prediction = Prediction(depth, normals, axis, ("wall", "floor", "end"), is_metric=True)
    return cloud_from_prediction(Panorama(rgb), prediction, options)


def test_all_points_are_packed_when_they_fit():
    cloud = room_cloud()
    buffer = pack_cloud(cloud, 256, 1_000_000)
    assert len(buffer.vertices) == len(cloud) == buffer.total
    np.testing.assert_array_equal(buffer.positions, cloud.points)
    assert buffer.angle == pytest.approx(2 * math.pi / 256)
    red, green, blue = np.moveaxis(cloud.colors.astype(int), 1, 0)
    np.testing.assert_array_equal(buffer.vertices["rgb"], red * 65536 + green * 256 + blue)


@pytest.mark.parametrize("budget", [20_000, 5_000, 300])
def test_a_large_cloud_is_thinned_evenly_over_the_sphere(budget):
    cloud = room_cloud(256)
    buffer = pack_cloud(cloud, 512, budget)
    assert budget / 5 < len(buffer.vertices) <= budget
    assert buffer.total == len(cloud)
    lon, lat = directions_to_lonlat(buffer.positions)
    # As many above 30 degrees as below -30, and half within: equal areas hold equal numbers.
    assert np.mean(np.abs(lat) < math.pi / 6) == pytest.approx(0.5, abs=0.1)
    assert np.mean(lon > 0) == pytest.approx(0.5, abs=0.05)


def test_a_stride_and_a_budget_go_together():
    cloud = room_cloud(256, CloudOptions(edges=None, stride=3))
    buffer = pack_cloud(cloud, 512, 3_000)
    assert 600 < len(buffer.vertices) <= 3_000
    assert buffer.angle >= 3 * 2 * math.pi / 512


def test_averaged_points_know_their_spacing():
    points = np.random.default_rng(0).uniform(-1, 1, (100, 3)).astype(np.float32)
    cloud = PointCloud(points, np.zeros((100, 3), np.uint8), options=CloudOptions(voxel=0.25))
    buffer = pack_cloud(cloud, 256, 40)
    assert buffer.spacing == 0.25
    assert buffer.angle == 0
    assert len(buffer.vertices) <= 40


def test_an_empty_cloud_can_be_packed():
    empty = PointCloud(np.empty((0, 3), np.float32), np.empty((0, 3), np.uint8), pixels=np.empty(0, np.int32))
    assert len(pack_cloud(empty, 256, 100).vertices) == 0


@pytest.fixture
def view(cloud_view):
    cloud_view.set_cloud(pack_cloud(room_cloud(), 256, 100_000), keep_view=False)
    cloud_view.set_colors(CloudColor.RGB, (1.0, 5.0), "viridis")
    return cloud_view


def share_of(picture, color, tolerance=12):
    return np.mean(np.abs(picture - np.array(color)).max(axis=-1) <= tolerance)


def test_a_room_is_looked_into_from_above(view):
    """The ceiling shows its back and is left out; floor and far walls are seen."""
    picture = settled_shot(view)
    assert share_of(picture, (0, 250, 0)) > 0.05
    assert share_of(picture, (0, 0, 250)) > 0.03
    assert share_of(picture, (250, 0, 0)) == 0


def test_backs_can_be_shown(view):
    view.set_see_through(enabled=False)
    assert share_of(settled_shot(view), (250, 0, 0)) > 0.05


def test_the_surface_is_closed(view):
    """Between two points of a floor there is no hole to look through."""
    picture = settled_shot(view)
    rows, cols = np.nonzero(np.abs(picture - [0, 250, 0]).max(axis=-1) <= 12)
    middle = picture[
        int(np.median(rows)) - 8 : int(np.median(rows)) + 8, int(np.median(cols)) - 8 : int(np.median(cols)) + 8
    ]
    assert share_of(middle, (0, 250, 0)) > 0.97


def test_colours_switch_without_another_upload(view):
    settled_shot(view)
    program = view._canvas._points
    view.set_colors(CloudColor.CLASSES, (1.0, 5.0), "viridis")
    palette = class_palette(3, CLASS_NAMES).astype(int)
    picture = settled_shot(view)
    assert share_of(picture, palette[1]) > 0.05
    view.set_colors(CloudColor.NORMALS, (1.0, 5.0), "viridis")
    assert share_of(settled_shot(view), (128, 0, 128)) > 0.05
    view.set_colors(CloudColor.DEPTH, (1.0, 5.0), "viridis")
    picture = settled_shot(view)
    table = colormap("viridis").astype(int)
    drawn = picture.reshape(-1, 3)[np.abs(picture.reshape(-1, 3) - picture[2, 2]).max(axis=-1) > 8]
    nearest = np.abs(drawn[::37, None] - table[None]).max(axis=-1).min(axis=-1)
    assert np.mean(nearest <= 3) > 0.95
    assert view._canvas._points is program


def test_depth_colours_are_those_of_the_panorama(view):
    """The floor below the camera is 1.6 away: its colour is that of 1.6 between the limits, on a logarithm."""
    view.set_colors(CloudColor.DEPTH, (1.6, 1.7), "viridis")
    assert share_of(settled_shot(view), colormap("viridis")[255].astype(int), 4) > 0.1
    view.set_colors(CloudColor.DEPTH, (0.1, 1000.0), "viridis")
    share = math.log(1.6 / 0.1) / math.log(1000.0 / 0.1)
    assert share_of(settled_shot(view), colormap("viridis")[round(share * 255)].astype(int), 6) > 0.0005


def test_dragging_turns_and_dragging_with_the_right_button_moves(view):
    widget = view._canvas.widget
    before = view.orbit
    drag(widget, (200, 200), (260, 220))
    turned = view.orbit
    assert turned.azimuth != before.azimuth
    assert turned.centre == before.centre
    drag(widget, (200, 200), (260, 220), button=Qt.MouseButton.RightButton)
    assert view.orbit.azimuth == turned.azimuth
    assert view.orbit.centre != turned.centre


def test_keys_turn_and_zoom(view):
    widget, before = view._canvas.widget, view.orbit
    QTest.keyClick(widget, Qt.Key.Key_Left)
    assert view.orbit.azimuth != before.azimuth
    QTest.keyClick(widget, Qt.Key.Key_Up)
    assert view.orbit.elevation < before.elevation
    QTest.keyClick(widget, Qt.Key.Key_Plus)
    assert view.orbit.distance < before.distance


def test_a_double_click_circles_around_the_point_that_was_hit(view):
    widget = view._canvas.widget
    picture = settled_shot(view)
    rows, cols = np.nonzero(np.abs(picture - [0, 250, 0]).max(axis=-1) <= 12)
    QTest.mouseDClick(widget, Qt.MouseButton.LeftButton, pos=QPoint(int(np.median(cols)), int(np.median(rows))))
    assert view.orbit.centre[1] == pytest.approx(1.6, abs=1e-3)
    view.reset()
    assert view.orbit.centre[1] != pytest.approx(1.6, abs=1e-3)


def test_hovering_names_the_point(view):
    picture = settled_shot(view)
    rows, cols = np.nonzero(np.abs(picture - [0, 250, 0]).max(axis=-1) <= 12)
    heard = []
    view.hovered.connect(heard.append)
    hover(view._canvas.widget, int(np.median(cols)), int(np.median(rows)))
    point = heard[-1]
    assert point[1] == pytest.approx(1.6, abs=1e-3)


def test_the_cursor_is_marked(view):
    before = settled_shot(view)
    view.set_cursor(np.array([0.5, 1.6, 1.0]))
    changed = np.argwhere(np.abs(settled_shot(view) - before).max(axis=-1) > 40)
    clip = view.orbit.clip_from_point(500 / 400) @ [0.5, 1.6, 1.0, 1.0]
    expected = ((1 - clip[1] / clip[3]) * 200, (1 + clip[0] / clip[3]) * 250)
    np.testing.assert_allclose(changed.mean(axis=0) + 0.5, expected, atol=1.5)


def test_another_filter_of_the_same_place_keeps_the_view(view):
    QTest.keyClick(view._canvas.widget, Qt.Key.Key_Plus)
    before = view.orbit
    view.set_cloud(pack_cloud(room_cloud(64), 128, 1000), keep_view=True)
    assert view.orbit == before
    view.set_cloud(None, keep_view=False)
    view.set_cloud(pack_cloud(room_cloud(64), 128, 1000), keep_view=True)
    assert view.orbit != before


def test_without_opengl_it_says_why(application, qtbot):
    view = CloudView("There is no driver.")
    qtbot.addWidget(view)
    view.set_cloud(pack_cloud(room_cloud(64), 128, 1000), keep_view=False)
    assert "There is no driver." in view._message.text()
    assert not view.available


def test_a_filter_that_leaves_nothing_is_said(view):
    empty = PointCloud(np.empty((0, 3), np.float32), np.empty((0, 3), np.uint8), pixels=np.empty(0, np.int32))
    view.set_cloud(pack_cloud(empty, 256, 100), keep_view=True)
    assert view._message.isVisible()
    assert "No point" in view._message.text()


def test_missing_labels_have_the_colour_of_nothing():
    cloud = PointCloud(np.ones((3, 3), np.float32), np.zeros((3, 3), np.uint8), pixels=np.arange(3, dtype=np.int32))
    packed = pack_cloud(cloud, 256, 100).vertices["label"].astype(int)
    assert (packed == MISSING[0] * 65536 + MISSING[1] * 256 + MISSING[2]).all()


def test_a_cloud_that_takes_long_to_draw_appears_part_by_part(view, monkeypatch):
    monkeypatch.setattr(cloud_canvas_module, "PART_POINTS", 2_000)
    buffer = pack_cloud(room_cloud(), 256, 1_000_000)
    view.set_cloud(buffer, keep_view=True)
    at_once = settled_shot(view)
    monkeypatch.setattr(cloud_canvas_module, "FRAME_SECONDS", 0.0)
    frames = []
    canvas = view._canvas
    canvas.widget.frameSwapped.connect(lambda: frames.append(canvas._drawn))
    canvas.set_orbit(canvas.orbit)
    assert not view.settled
    np.testing.assert_array_equal(settled_shot(view), at_once)
    assert len(set(frames)) > 3
    assert frames == sorted(frames)
