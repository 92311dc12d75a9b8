"""The level tool: two clicks on the horizon or above each other, in the project and in every view."""

import math
import re

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from window_samples import press, write_panorama

from core.geometry.camera import rotation_from_angles
from core.geometry.levelling import Kind
from core.geometry.sphere import angle_between, lonlat_to_directions
from core.io.gpano import GPano
from core.io.kept_level import as_kept, kept_level
from core.io.scene_file import annotation_path, read_annotation

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
TILT = rotation_from_angles(0.0, math.radians(6), math.radians(-9))
"""The pose that the pictures of these tests are meant to have."""
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def folder(tmp_path):
    write_panorama(tmp_path / "a.png", 128)
    return tmp_path


@pytest.fixture
def level_window(make_main_window, settle, folder):
    """A window that shows a photograph of its own, with the level tool."""
    window = make_main_window()
    window.open(folder / "a.png")
    settle(window)
    press(window, Qt.Key.Key_L, SHIFT)
    assert window.toolbox.tool is window.levelling.tool
    return window


def click_panorama(window, direction):
    """A real click on the pixel of the panorama that shows a direction; the direction that it means."""
    erp = window.stage.erp
    place = erp.position_of(direction).toPoint()
    QTest.mouseClick(erp.viewport(), LEFT, PLAIN, place)
    return erp.direction_at(QPointF(place))


def click_around(window, direction):
    """The same in the look-around view."""
    window.viewpoint.look_at(direction)
    u, v = window.viewpoint.photo.project(direction)
    place = QPoint(round(float(u)), round(float(v)))
    QTest.mouseClick(window.stage.perspective, LEFT, PLAIN, place)
    return window.stage.perspective.direction_at(QPointF(place))


def seen(lon, lat):
    """Where something at these degrees of the level world is in the photograph."""
    return TILT.T @ lonlat_to_directions(math.radians(lon), math.radians(lat))


def pose(window):
    return window.session.document.panorama.level_from_world


def off(window):
    """Degrees between what is down and what should be."""
    return math.degrees(angle_between(pose(window)[1], TILT[1]))


def test_two_clicks_on_the_horizon_level_the_views_and_are_kept(level_window, settle, folder):
    clicked = [click_panorama(level_window, seen(lon, 0)) for lon in (-50, 40)]
    settle(level_window)
    assert off(level_window) < 1
    for direction in clicked:
        assert (pose(level_window) @ direction)[1] == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(level_window.viewpoint._level_from_world, pose(level_window))
    assert level_window.viewpoint.camera.roll == 0
    assert "set by hand" in level_window.levelling.strip.text
    assert level_window.session.document.undo_name == "Level"
    press(level_window, Qt.Key.Key_S, CTRL)
    settle(level_window)
    kept = read_annotation(annotation_path(folder / "a.png"))
    assert kept.level == level_window.session.document.panorama.level
    assert kept_level(folder / "a.png") == kept.level


def test_two_verticals_fix_all_of_the_tilt_and_one_only_a_part(level_window, settle):
    for lat in (-30, 30):
        click_around(level_window, seen(80, lat))
    settle(level_window)
    assert 1 < off(level_window) < math.degrees(angle_between(TILT[1], (0, 1, 0)))
    assert "second vertical" in level_window.levelling.strip.text
    for lat in (-30, 30):
        click_around(level_window, seen(-10, lat))
    settle(level_window)
    assert off(level_window) < 0.7


def test_the_strip_tells_the_pose_as_convert_takes_it(level_window, settle):
    for lon, lat in ((80, -30), (80, 30), (-10, -30), (-10, 30)):
        click_around(level_window, seen(lon, lat))
    settle(level_window)
    said = re.search(r"pitch ([-+.\d]+)°, roll ([-+.\d]+)°", level_window.levelling.strip.text)
    pitch, roll = map(float, said.groups())
    assert (pitch, roll) == pytest.approx((6, 9), abs=1)
    level = level_window.session.document.panorama.level
    assert GPano(pose_pitch=math.radians(pitch), pose_roll=math.radians(roll)).level_from_world == pytest.approx(
        rotation_from_angles(0.0, *level), abs=1e-3
    )


def test_undo_goes_back_and_redo_levels_again(level_window, settle):
    before = pose(level_window)
    for lon in (-50, 40):
        click_panorama(level_window, seen(lon, 0))
    levelled = pose(level_window)
    press(level_window, Qt.Key.Key_Z, CTRL)
    settle(level_window)
    np.testing.assert_array_equal(pose(level_window), before)
    assert level_window.levelling.tool.lines == ()
    np.testing.assert_array_equal(level_window.viewpoint._level_from_world, before)
    press(level_window, Qt.Key.Key_Y, CTRL)
    settle(level_window)
    np.testing.assert_array_equal(pose(level_window), levelled)


def test_backspace_takes_a_line_back_and_escape_all(level_window, settle):
    before = pose(level_window)
    poses = []
    for lon in (80, -10):
        for lat in (-30, 30):
            click_around(level_window, seen(lon, lat))
        poses.append(pose(level_window))
    press(level_window, Qt.Key.Key_Backspace)
    np.testing.assert_allclose(pose(level_window), poses[0], atol=1e-12)
    press(level_window, Qt.Key.Key_Escape)
    np.testing.assert_array_equal(pose(level_window), before)
    assert level_window.toolbox.tool is level_window.levelling.tool


def test_enter_keeps_the_pose_and_begins_anew(level_window):
    for lon in (-50, 40):
        click_panorama(level_window, seen(lon, 0))
    levelled = pose(level_window)
    press(level_window, Qt.Key.Key_Return)
    assert level_window.levelling.tool.lines == ()
    press(level_window, Qt.Key.Key_Escape)
    np.testing.assert_array_equal(pose(level_window), levelled)


def test_p_chooses_what_lines_follow(level_window):
    press(level_window, Qt.Key.Key_P)
    assert level_window.levelling.tool.kind is Kind.VERTICAL
    press(level_window, Qt.Key.Key_P)
    assert level_window.levelling.tool.kind is Kind.HORIZON
    press(level_window, Qt.Key.Key_P)
    assert level_window.levelling.tool.kind is None


def test_two_clicks_at_one_place_are_no_line(level_window):
    for _ in range(2):
        click_panorama(level_window, seen(20, 0))
    assert "no line" in level_window.levelling.strip.text
    assert level_window.session.document.undo_name is None


def test_the_cloud_follows_the_level_and_measured_heights_do(level_window, settle):
    press(level_window, Qt.Key.Key_4)
    settle(level_window)
    before = level_window.session.document.cloud
    for lon in (-50, 40):
        click_panorama(level_window, seen(lon, 0))
    settle(level_window)
    after = level_window.session.document.cloud
    np.testing.assert_allclose(after.points, before.points @ pose(level_window).T, atol=1e-5)
    assert after.is_level


def test_a_kept_level_is_there_when_the_picture_is_opened_again(level_window, settle, folder, make_main_window):
    for lon in (-50, 40):
        click_panorama(level_window, seen(lon, 0))
    levelled = pose(level_window)
    settle(level_window)
    level_window.close()
    again = make_main_window()
    again.open(folder / "a.png")
    settle(again)
    np.testing.assert_array_equal(pose(again), levelled)
    np.testing.assert_array_equal(again.viewpoint._level_from_world, levelled)
    assert not again.desk.saving.is_modified
    again.levelling.reset()
    settle(again)
    np.testing.assert_array_equal(pose(again), np.eye(3))
    assert as_kept(again.session.document.panorama).level is not None


def test_another_tool_takes_the_lines_away_and_keeps_the_pose(level_window):
    for lon in (-50, 40):
        click_panorama(level_window, seen(lon, 0))
    levelled = pose(level_window)
    press(level_window, Qt.Key.Key_M)
    assert not level_window.levelling.tool.in_use
    assert level_window.levelling.strip.isHidden()
    assert level_window.actions_by_name["measure"].isChecked()
    assert not level_window.actions_by_name["level"].isChecked()
    np.testing.assert_array_equal(pose(level_window), levelled)


def test_where_nothing_may_be_edited_nothing_is_levelled(level_window):
    level_window.desk.annotating.set_blocked("Somebody else edits this.")
    for lon in (-50, 40):
        click_panorama(level_window, seen(lon, 0))
    assert "Somebody else" in level_window.levelling.strip.text
    np.testing.assert_array_equal(pose(level_window), np.eye(3))
