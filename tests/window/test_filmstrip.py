"""The filmstrip follows an object from view to view, and leads to them."""

import numpy as np
import pytest
from annotation_samples import DISK, LEAK, SEAM, cap, click, direction, key
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from window_samples import array_from_qimage

from core.geometry.camera import Camera
from core.mask import SphereMask
from core.panorama import Panorama
from core.pyramid import Pyramid
from core.segment.sweep import Verdict
from panoviewer.filming import seen_by
from panoviewer.panels.filmstrip import PROMPTED, SIDE

RIGHT = Qt.MouseButton.RightButton


@pytest.fixture
def window(red_window, settle):
    key(red_window, Qt.Key.Key_S)
    settle(red_window)
    return red_window


@pytest.fixture
def film(window):
    return window.desk.film


def picture(film, row):
    return array_from_qimage(film.item(row).icon().pixmap(SIDE, SIDE).toImage())


def frames(film):
    return [film._frames[number] for number in film._items]


def test_the_strip_is_there_with_the_tool(window, film):
    assert film.isVisible()
    key(window, Qt.Key.Key_S)
    assert not film.isVisible()


def test_all_views_are_listed_in_the_order_of_the_visit_with_score_and_verdict(window, film, settle):
    click(window, DISK)
    settle(window)
    assert film.count() == 24
    found = window.desk.segment_tool.making.found
    assert [frame.number for frame in frames(film)] == [frame.number for frame in found.update.frames]
    looked_at = [row for row, frame in enumerate(frames(film)) if frame.verdict is Verdict.ACCEPTED]
    assert looked_at[0] == 0
    assert film.item(0).text() == "0.90"
    assert "clicked in" in film.item(0).toolTip()
    rest = [row for row, frame in enumerate(frames(film)) if frame.verdict is None]
    assert rest
    assert all(film.item(row).text() == "–" for row in rest)


def test_a_view_shows_the_photo_and_the_mask_on_it(window, film, settle):
    click(window, DISK)
    settle(window)
    frame = frames(film)[0]
    shown = picture(film, 0)
    inside = seen_by(
        Camera(frame.camera.yaw, frame.camera.pitch, 0.0, frame.camera.fov_x, SIDE, SIDE),
        window.desk.display.preview[0].mask,
    )
    core_of_it = inside & np.pad(inside[4:-4, 4:-4], 4)
    assert inside.any()
    assert (shown[core_of_it][:, 2] > 100).mean() > 0.95
    assert (shown[~inside][:, 2] < 80).mean() > 0.8
    rim = tuple(int(PROMPTED[i : i + 2], 16) for i in (1, 3, 5))
    assert tuple(shown[1, SIDE // 2]) == rim


def test_views_that_were_not_looked_at_show_what_the_mask_covers_of_them(window, film, settle):
    click(window, DISK)
    settle(window)
    seen = window.desk.film._elsewhere
    assert set(seen) == {frame.number for frame in frames(film) if frame.logits is None}
    assert any(inside.any() for inside in seen.values()) or all(frame.logits is not None for frame in frames(film))


def test_a_click_on_a_view_looks_there(window, film, settle):
    click(window, SEAM)
    settle(window)
    row = 5
    camera = frames(film)[row].camera
    film.scrollToItem(film.item(row))
    QTest.mouseClick(film.viewport(), Qt.MouseButton.LeftButton, pos=film.visualItemRect(film.item(row)).center())
    axis = window.viewpoint.photo.world_from_camera[:, 2]
    assert axis @ camera.world_from_camera[:, 2] > 0.999


def test_a_correction_in_one_view_changes_those_that_follow(window, film, settle):
    click(window, DISK)
    settle(window)
    leak = SphereMask.pack(cap(*LEAK, 4.0))
    leaking = [frame.number for frame in frames(film) if frame.logits is not None and leaks(frame, leak)]
    assert len(leaking) > 1
    click(window, LEAK, RIGHT)
    settle(window)
    assert not any(leaks(frame, leak) for frame in frames(film) if frame.logits is not None)


def leaks(frame, leak):
    size = len(frame.logits)
    camera = Camera(frame.camera.yaw, frame.camera.pitch, 0.0, frame.camera.fov_x, size, size)
    about = seen_by(camera, leak)
    return about.sum() > 9 and (frame.logits[about] > 0).mean() > 0.5


def test_between_two_objects_the_strip_shows_the_bare_views(window, film, settle):
    def bare():
        settle(window)
        assert film.count() == 24
        assert all(frame.verdict is None and frame.logits is None for frame in frames(film))
        assert len(film._photos) == 24
        return picture(film, 0)

    before = bare()
    assert before.any()
    click(window, DISK)
    settle(window)
    bar = film.horizontalScrollBar()
    bar.setValue(bar.maximum())
    key(window, Qt.Key.Key_Return)
    assert (bare() == before).all()
    assert bar.maximum() > bar.value() == bar.minimum()


def test_another_panorama_has_views_of_its_own(window, film, settle):
    settle(window)
    before = picture(film, 3)
    panorama = Panorama(np.full((256, 512, 3), 200, np.uint8))
    window.session.show(panorama, Pyramid.of(panorama.rgb))
    settle(window)
    assert film.count() == 24
    assert (picture(film, 3) != before).any()


def test_a_mask_is_seen_across_the_seam_and_nothing_where_it_is_not():
    mask = SphereMask.pack(cap(*SEAM, 10.0))
    ahead = seen_by(Camera(np.pi, np.radians(SEAM[1]), 0.0, np.radians(60), 41, 41), mask)
    assert ahead[20, 20]
    assert not ahead[0].any()
    axis = direction(SEAM)
    camera = Camera(np.pi, np.radians(SEAM[1]), 0.0, np.radians(60), 41, 41)
    truth = camera.rays() @ axis > np.cos(np.radians(10))
    assert (ahead ^ truth).sum() < 12
    assert not seen_by(Camera(0.0, 0.0, 0.0, np.radians(90), 41, 41), mask).any()
