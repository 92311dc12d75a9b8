"""Opening pictures in the window: files, folders, drops, questions and refusals."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton
from window_samples import press, shot, write_panorama

from core.cloud import CloudOptions
from panoviewer import main_window as main_window_module
from panoviewer import opening
from panoviewer.opening import _siblings
from panoviewer.session import UNSEEN
from panoviewer.settings import HINTS


def test_opening_a_file_shows_it_in_both_views(make_main_window, settle, tmp_path):
    window = make_main_window()
    window.open(write_panorama(tmp_path / "room.png"))
    settle(window)
    assert window.windowTitle().startswith("room.png (256 × 128)")
    for view in (window.stage.erp, window.stage.perspective):
        picture = shot(view)
        middle = picture[picture.shape[0] // 2, picture.shape[1] // 2 + 30]
        np.testing.assert_allclose(middle, (235, 128, 150), atol=25)
    assert window.settings.recent() == [tmp_path / "room.png"]
    entries = {action.text(): action for action in window.opening.recent.actions()}
    assert list(entries) == ["room.png", "", "Forget these"]
    entries["Forget these"].trigger()
    assert window.settings.recent() == []
    assert not window.opening.recent.isEnabled()


def test_another_panorama_starts_without_layers_limits_and_filters(window, settle, tmp_path):
    press(window, Qt.Key.Key_1)
    settle(window)
    window.layers._emit(replace(window.layers._style, limits=(1.0, 2.0)))
    window.session.document.set_cloud_options(CloudOptions(max_range=2.0))
    window.open(write_panorama(tmp_path / "other.png"))
    settle(window)
    photo = shot(window.stage.erp)
    press(window, Qt.Key.Key_4)
    settle(window)
    assert np.abs(shot(window.stage.erp) - photo).max() <= 2
    assert window.session.document.cloud_options == CloudOptions()
    press(window, Qt.Key.Key_1)
    settle(window)
    assert window.layers._style.limits is None


def test_a_picture_that_is_not_2_to_1_asks_and_keeps_what_was_open(window, settle, qtbot, tmp_path):
    opened = window.session.document.panorama
    window.open(write_panorama(tmp_path / "wide.png", 100, 400))
    qtbot.waitUntil(lambda: window.findChild(QMessageBox, "assume") is not None)
    question = window.findChild(QMessageBox, "assume")
    assert window.session.document.panorama is opened
    part = next(button for button in question.buttons() if button.text() == "A part of it")
    QTest.mouseClick(part, Qt.MouseButton.LeftButton)
    settle(window)
    panorama = window.session.document.panorama
    assert (panorama.height, panorama.width) == (200, 400)
    assert panorama.valid.sum() == 100 * 400
    assert (window.session.pyramid.levels[0][~panorama.valid] == UNSEEN).all()


def test_a_picture_of_the_shape_of_a_cross_may_be_a_cube_map(window, settle, qtbot, tmp_path):
    window.open(write_panorama(tmp_path / "cross.png", 90, 120))
    qtbot.waitUntil(lambda: window.findChild(QMessageBox, "assume") is not None)
    question = window.findChild(QMessageBox, "assume")
    cube = next(button for button in question.buttons() if button.text() == "A cube map")
    QTest.mouseClick(cube, Qt.MouseButton.LeftButton)
    settle(window)
    panorama = window.session.document.panorama
    assert (panorama.height, panorama.width) == (60, 120)
    assert panorama.valid is None


def test_a_picture_that_is_asked_about_is_read_in_another_thread(window, qtbot, tmp_path, monkeypatch):
    read, readers = opening.read_header, []
    monkeypatch.setattr(
        opening, "read_header", lambda path: (readers.append(threading.current_thread()), read(path))[1]
    )
    window.open(write_panorama(tmp_path / "cross.png", 90, 120))
    qtbot.waitUntil(lambda: window.findChild(QMessageBox, "assume") is not None)
    assert readers
    assert threading.main_thread() not in readers
    window.findChild(QMessageBox, "assume").reject()


def test_the_question_can_be_cancelled(window, qtbot, settle, tmp_path):
    opened = window.session.document.panorama
    window.open(write_panorama(tmp_path / "wide.png", 100, 400))
    qtbot.waitUntil(lambda: window.findChild(QMessageBox, "assume") is not None)
    question = window.findChild(QMessageBox, "assume")
    QTest.mouseClick(question.button(QMessageBox.StandardButton.Cancel), Qt.MouseButton.LeftButton)
    settle(window)
    assert window.session.document.panorama is opened


def test_a_bad_file_is_one_sentence_and_what_was_open_stays(window, qtbot, settle, tmp_path):
    opened = window.session.document.panorama
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"this is no picture")
    window.open(bad)
    qtbot.waitUntil(lambda: not window.messages.isHidden())
    assert str(bad) in window.messages.text
    assert "Traceback" not in window.messages.text
    assert window.session.document.panorama is opened
    assert QApplication.activeModalWidget() is None


def test_a_and_d_go_through_the_folder(make_main_window, settle, tmp_path):
    window = make_main_window()
    for name in ("b.png", "a.png", "c.png", "b.instances.png"):
        write_panorama(tmp_path / name, 64)
    window.open(tmp_path / "b.png")
    settle(window)
    names = []
    for key in (Qt.Key.Key_D, Qt.Key.Key_D, Qt.Key.Key_A, Qt.Key.Key_A, Qt.Key.Key_A):
        press(window, key)
        settle(window)
        names.append(window.session.document.panorama.path.name)
    assert names == ["c.png", "c.png", "b.png", "a.png", "a.png"]


@pytest.mark.parametrize("name", ["b.png", "./b.png", "../folder/b.png", "."])
def test_what_is_opened_by_a_relative_path_has_its_place_in_the_list(
    make_main_window, settle, tmp_path, monkeypatch, name
):
    folder = tmp_path / "folder"
    folder.mkdir()
    for other in ("a.png", "b.png", "c.png"):
        write_panorama(folder / other, 64)
    monkeypatch.chdir(folder)
    window = make_main_window()
    window.open(Path(name))
    settle(window)
    row = window.folder.currentRow()
    assert row == (0 if name == "." else 1)
    press(window, Qt.Key.Key_Y)
    settle(window)
    assert window.desk.reviewing.counts == (1, 3)
    press(window, Qt.Key.Key_D)
    settle(window)
    assert window.session.document.panorama.path.name == ("b.png" if name == "." else "c.png")
    assert window.folder.currentRow() == row + 1
    assert window.desk.reviewing.counts == (1, 3)


def test_a_and_d_pass_a_picture_that_does_not_open(make_main_window, settle, tmp_path):
    window = make_main_window()
    paths = [write_panorama(tmp_path / name, 64) for name in ("a.png", "b.png", "c.png")]
    paths[1].write_bytes(paths[1].read_bytes()[:300])
    window.open(paths[0])
    settle(window)
    names = []
    for key in (Qt.Key.Key_D, Qt.Key.Key_D, Qt.Key.Key_A, Qt.Key.Key_A):
        press(window, key)
        settle(window)
        names.append(window.session.document.panorama.path.name)
    assert names == ["a.png", "c.png", "c.png", "a.png"]


def drop(window, *paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(
        QPointF(50, 50), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    window.dropEvent(event)


def test_a_dropped_folder_is_listed_and_its_first_picture_opened(make_main_window, settle, tmp_path):
    window = make_main_window()
    for name in ("one.png", "two.png"):
        write_panorama(tmp_path / name, 64)
    drop(window, tmp_path)
    settle(window)
    assert window.session.document.panorama.path == tmp_path / "one.png"
    assert window.folder.files() == [tmp_path / "one.png", tmp_path / "two.png"]


def test_the_pictures_beside_the_open_one_are_listed_in_another_thread(make_main_window, settle, tmp_path, monkeypatch):
    threads = []

    def listed(path):
        threads.append(threading.current_thread())
        return _siblings(path)

    monkeypatch.setattr("panoviewer.opening._siblings", listed)
    window = make_main_window()
    paths = [write_panorama(tmp_path / name, 64) for name in ("a.png", "b.png", "c.png")]
    window.open(paths[1])
    settle(window)
    assert window.folder.files() == paths
    assert window.folder.currentRow() == 1
    assert threads
    assert threading.main_thread() not in threads


def test_several_dropped_files_become_the_list(make_main_window, settle, tmp_path):
    window = make_main_window()
    paths = [write_panorama(tmp_path / name, 64) for name in ("z.png", "a.png")]
    drop(window, *paths)
    settle(window)
    assert window.session.document.panorama.path == paths[0]
    press(window, Qt.Key.Key_D)
    settle(window)
    assert window.session.document.panorama.path == paths[1]


def test_an_empty_folder_is_told(make_main_window, qtbot, tmp_path):
    window = make_main_window()
    drop(window, tmp_path)
    qtbot.waitUntil(lambda: not window.messages.isHidden())
    assert "found none" in window.messages.text


def test_hints_appear_on_the_sample_until_they_are_dismissed(make_main_window, settle, tmp_path, monkeypatch):
    sample = write_panorama(tmp_path / "sample.png", 64)
    monkeypatch.setattr(main_window_module, "sample_path", lambda: sample)
    window = make_main_window()
    window.open(sample)
    settle(window)
    assert window.hints.isVisible()
    buttons = window.hints.findChildren(QPushButton, "hint")
    assert [button.text() for button in buttons] == ["1  Depth", "4  3D", "Ctrl+E  Export"]
    assert window.settings.recent() == []
    window.hints._dismiss()
    assert window.settings[HINTS] is False
    window.open(sample)
    settle(window)
    assert not window.hints.isVisible()


def test_a_drop_on_any_view_reaches_the_window(window):
    stage = window.stage
    views = (stage, stage.erp, stage.erp.viewport(), stage.perspective, stage.perspective.canvas, stage.cloud)
    assert not any(view.acceptDrops() for view in views)
    assert window.acceptDrops()


def test_a_disk_is_not_asked_for_the_other_faces_while_the_window_waits(
    make_main_window, settle, tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr("panoviewer.opening.cube_files", lambda path: asked.append(threading.current_thread()))
    window = make_main_window()
    window.open(write_panorama(tmp_path / "room_left.png", 32))
    settle(window)
    window.open(write_panorama(tmp_path / "hall.png", 32))
    settle(window)
    assert window.session.document.panorama.path == tmp_path / "hall.png"
    assert len(asked) == 1
    assert asked[0] is not threading.main_thread()


def test_what_is_chosen_last_is_opened_whatever_a_slow_disk_says_of_what_was_chosen_before(
    make_main_window, settle, tmp_path, monkeypatch
):
    looking, answer = threading.Event(), threading.Event()

    def slow(path):
        looking.set()
        assert answer.wait(60)

    monkeypatch.setattr("panoviewer.opening.cube_files", slow)
    face, hall = (write_panorama(tmp_path / name, 32) for name in ("room_left.png", "hall.png"))
    window = make_main_window()
    window.open(face)
    assert looking.wait(60)
    window.open(hall)
    assert [job.title for job in window.session.jobs.visible()] == ["Opening hall.png"]
    answer.set()
    settle(window)
    assert window.session.document.panorama.path == hall
    answer.clear()
    window.open(hall)
    window.open(face)
    assert [job.title for job in window.session.jobs.visible()] == ["Looking at room_left.png"]
    answer.set()
    settle(window)
    assert window.session.document.panorama.path == face


def test_any_of_six_faces_opens_the_cube_map_which_is_listed_once(make_main_window, settle, tmp_path):
    for face in ("front", "right", "back", "left", "up", "down"):
        write_panorama(tmp_path / f"room_{face}.png", 32, 32)
    other = write_panorama(tmp_path / "hall.png", 32)
    window = make_main_window()
    window.open(tmp_path / "room_left.png")
    settle(window)
    assert window.session.document.panorama.path == tmp_path / "room_front.png"
    assert window.session.document.panorama.width == 128
    assert list(window.folder.files()) == [other, tmp_path / "room_front.png"]
