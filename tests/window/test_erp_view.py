"""The panorama view as pixels."""

import math

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from window_samples import array_from_qimage, drag, hover, painted, turn_wheel

from core.geometry.camera import Camera
from core.geometry.sphere import directions_to_lonlat, lonlat_to_directions, lonlat_to_erp
from core.pyramid import Pyramid
from panoviewer.images import columns_around
from panoviewer.look import outline
from panoviewer.views.erp_items import VEIL
from panoviewer.views.erp_view import ErpView

RGB = painted(512)


@pytest.fixture
def view(application, qtbot):
    # pyqtgraph's own close() pulls the viewport out from under Qt; a parent closes the view as the main window does.
    holder = QWidget()
    view = ErpView(holder)
    holder.resize(800, 400)
    view.resize(800, 400)
    holder.show()
    qtbot.waitExposed(holder)
    view.set_panorama(Pyramid.of(RGB))
    yield view
    holder.close()


def shot(view):
    return array_from_qimage(view.grab().toImage()).astype(int)


def expected(lon_deg, lat_deg):
    u, v = lonlat_to_erp(np.radians(lon_deg), np.radians(lat_deg), *RGB.shape[:2])
    return RGB[int(v), int(u)].astype(int)


def where(view, lon_deg, lat_deg):
    return view.position_of(lonlat_to_directions(math.radians(lon_deg), math.radians(lat_deg))).toPoint()


def pixel(view, lon_deg, lat_deg):
    point = where(view, lon_deg, lat_deg)
    return shot(view)[point.y(), point.x()]


PLACES = [(0, 0), (-170, 40), (175, -60), (90, 10), (-45, -80)]


@pytest.mark.parametrize(("lon", "lat"), PLACES)
def test_every_direction_has_its_colour(view, lon, lat):
    assert np.abs(pixel(view, lon, lat) - expected(lon, lat)).max() <= 4


def test_a_fitted_view_has_the_middle_in_the_middle(view):
    middle = view.position_of(np.array([0.0, 0.0, 1.0]))
    assert abs(middle.x() - 400) <= 1
    assert abs(middle.y() - 200) <= 1


@pytest.mark.parametrize("turns", [0.5, 3.0, -25.25])
def test_it_scrolls_sideways_without_end(view, turns):
    view.scroll(turns * 360 / view.visible_degrees().width(), 0.0)
    assert view.visible_degrees().center().x() == pytest.approx(turns * 360)
    for lon, lat in PLACES:
        assert np.abs(pixel(view, lon, lat) - expected(lon, lat)).max() <= 4


def test_scrolling_beyond_the_seam_shows_the_other_end(view):
    view.scroll(0.5, 0.0)
    picture = shot(view)
    # 180 degrees are in the middle now: no line there, and no gap.
    jump = np.abs(np.diff(picture[200], axis=0)).max(axis=-1)
    assert jump.max() <= 4
    assert np.abs(picture[200, 400] - expected(180, 0)).max() <= 4


def test_it_never_scrolls_over_the_poles(view):
    view.zoom(2.0)
    view.scroll(0.0, 5.0)
    assert view.visible_degrees().bottom() <= 90 + 1e-6
    view.scroll(0.0, -50.0)
    assert view.visible_degrees().top() >= -90 - 1e-6


@pytest.mark.parametrize("steps", [4, -2])
def test_the_wheel_zooms_about_the_cursor(view, steps):
    view.zoom(3.0)
    held, width = shot(view)[130, 610], view.visible_degrees().width()
    turn_wheel(view.viewport(), 610.5, 130.5, steps)
    assert (view.visible_degrees().width() < width) == (steps > 0)
    assert np.abs(shot(view)[130, 610] - held).max() <= 4


def test_keys_scroll_and_zoom(view):
    before = view.visible_degrees()
    QTest.keyClick(view, Qt.Key.Key_Plus)
    assert view.visible_degrees().width() < before.width()
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.visible_degrees().center().x() > before.center().x()
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert view.visible_degrees().center().y() > before.center().y()


def test_zooming_in_reads_the_full_resolution(view):
    rgb = np.zeros((512, 1024, 3), np.uint8)
    rgb[::2] = 255
    view.set_panorama(Pyramid.of(rgb))
    view.zoom(8.0)
    rows = shot(view)[100:300, 400, 0]
    assert rows.max() > 200
    assert rows.min() < 55


def test_zooming_out_does_not_alias(view):
    rng = np.random.default_rng(0)
    rgb = np.repeat(rng.integers(0, 2, (2048, 4096, 1), dtype=np.uint8) * 255, 3, axis=2)
    view.set_panorama(Pyramid.of(rgb))
    assert shot(view)[50:350, 50:750].std() < 50


def test_a_drag_moves_the_picture_with_the_cursor(view):
    port = view.viewport()
    held = shot(view)[150, 300]
    drag(port, *[(x, 150) for x in range(300, 521, 20)])
    assert view.visible_degrees().center().x() < -50
    assert np.abs(shot(view)[150, 520] - held).max() <= 6


def test_a_click_names_its_direction(view, qtbot):
    view.scroll(1.0, 0.0)
    point = where(view, 120, -30)
    with qtbot.waitSignal(view.mouse.clicked) as heard:
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=point)
    lon, lat = np.degrees(heard.args[0].lonlat)
    assert lon == pytest.approx(120, abs=0.5)
    assert lat == pytest.approx(-30, abs=0.5)


def test_the_mouse_names_its_direction(view):
    heard = []
    view.mouse.moved.connect(heard.append)
    point = where(view, -60, 20)
    hover(view.viewport(), point.x(), point.y())
    lon, lat = np.degrees(heard[-1].lonlat)
    assert (lon, lat) == (pytest.approx(-60, abs=0.5), pytest.approx(20, abs=0.5))


@pytest.mark.parametrize("yaw", [0.0, math.pi])
def test_the_outline_of_the_other_view_is_drawn(view, yaw):
    before = shot(view)
    camera = Camera(yaw=yaw, pitch=0.0, roll=0.0, fov_x=1.2, height=300, width=400)
    view.set_outline(outline(camera))
    after = shot(view)
    lon, lat = np.degrees(directions_to_lonlat(camera.directions(400, 150)))
    for direction in (camera.directions(400, 150), camera.directions(0, 150)):
        point = view.position_of(direction).toPoint()
        near = np.abs(after - before)[point.y(), max(point.x() - 2, 0) : point.x() + 3]
        assert near.max() > 40, (lon, lat)
    inside = view.position_of(camera.directions(200, 150)).toPoint()
    assert np.abs(after - before)[inside.y(), min(inside.x(), 797)].max() == 0


def test_the_outline_over_the_pole_runs_across_the_whole_width(view):
    before = shot(view)
    view.set_outline(outline(Camera(yaw=0.5, pitch=1.4, roll=0.0, fov_x=1.5, height=300, width=300)))
    changed = np.abs(shot(view) - before).max(axis=-1) > 40
    assert changed.any(axis=0).mean() > 0.99


def test_the_cursor_is_marked(view):
    before = shot(view)
    view.set_cursor(lonlat_to_directions(math.radians(45), math.radians(30)))
    changed = np.argwhere(np.abs(shot(view) - before).max(axis=-1) > 20)
    point = where(view, 45, 30)
    np.testing.assert_allclose(changed.mean(axis=0), (point.y(), point.x()), atol=1.5)


def test_an_overlay_of_another_size_meets_the_photo_by_direction(view):
    overlay = np.zeros((64, 128, 4), np.uint8)
    overlay[:32, 64:] = (0, 0, 0, 255)
    view.set_overlay(Pyramid.of(overlay))
    assert pixel(view, 90, 45).max() == 0
    assert np.abs(pixel(view, -90, 45) - expected(-90, 45)).max() <= 4
    assert np.abs(pixel(view, 90, -45) - expected(90, -45)).max() <= 4


@pytest.mark.parametrize(("left", "right"), [(2, 6), (-3, 4), (6, 30), (-20, -13)])
def test_columns_around_the_seam_are_those_of_the_repeated_picture(left, right):
    picture = np.arange(8 * 3, dtype=np.uint8).reshape(1, 8, 3)
    np.testing.assert_array_equal(columns_around(picture, left, right), np.take(picture, np.arange(left, right) % 8, 1))


def test_a_part_inside_is_not_copied():
    picture = np.zeros((4, 8, 3), np.uint8)
    assert np.shares_memory(columns_around(picture, 2, 7), picture)


def test_what_a_wide_view_shows_twice_is_dimmed(view):
    view.parentWidget().resize(1100, 400)
    view.resize(1100, 400)
    assert view.visible_degrees().width() == pytest.approx(495)
    for scrolled in (0.0, 0.3):
        view.scroll(scrolled, 0.0)
        picture = shot(view)
        middle = picture[:, 151:949]
        for repeated, shown in ((picture[:, :149], picture[:, 800:949]), (picture[:, 951:], picture[:, 151:300])):
            veil, strength = np.array(VEIL.getRgb()[:3]), VEIL.alphaF()
            assert np.abs(repeated - (shown * (1 - strength) + veil * strength)).max() <= 3
        assert np.abs(np.diff(middle[200], axis=0)).max() <= 6


def test_a_zoomed_view_scrolls_to_a_direction_as_far_as_the_pole_lets_it(view):
    view.zoom(6)
    view.show_direction(lonlat_to_directions(math.radians(170), math.radians(40)))
    middle = view.visible_degrees().center()
    assert (math.remainder(middle.x() - 170, 360), middle.y()) == (pytest.approx(0, abs=0.01), pytest.approx(40))
    view.show_direction(lonlat_to_directions(0.0, math.radians(-89)))
    seen = view.visible_degrees()
    assert min(seen.top(), seen.bottom()) == pytest.approx(-90)
    view.fit()
    view.show_direction(lonlat_to_directions(0.5, math.radians(60)))
    assert view.visible_degrees().center().y() == pytest.approx(0)


@pytest.mark.parametrize("ratio", [1.0, 1.125, 1.25])
def test_one_to_one_shows_a_pixel_as_one_of_the_screen(view, monkeypatch, ratio):
    monkeypatch.setattr(view, "devicePixelRatioF", lambda: ratio)
    view.show_pixels()
    on_screen = view.viewport().width() * ratio
    assert view.visible_degrees().width() / on_screen == pytest.approx(360 / RGB.shape[1])


def test_a_view_of_another_size_still_shows_the_direction_that_was_looked_for(view):
    view.show_direction(lonlat_to_directions(math.radians(100), 0.0))
    view.resize(800, 300)
    view.resize(700, 380)
    seen = view.visible_degrees()
    assert seen.center().x() == pytest.approx(100)
    assert (abs(seen.top()), abs(seen.bottom())) == (pytest.approx(90), pytest.approx(90))
    view.fit()
    assert view.visible_degrees().center().x() == pytest.approx(0)
