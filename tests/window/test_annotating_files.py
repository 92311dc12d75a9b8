"""Annotations of files in the window: saved, recovered, reviewed through a folder, and other programs."""

import json
import threading
from dataclasses import replace
from datetime import datetime

import cv2
import numpy as np
import pytest
from annotation_samples import DISK, POLE, SEAM, a_segment, disk, key, red_things
from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox, QPushButton

from core.io.journal import journal_path
from core.io.lock import NAME, lock_project
from core.io.scene_file import annotation_path, read_annotation, write_annotation
from core.pyramid import Pyramid
from core.scene import Review
from panoviewer.dialogs.dataset_dialog import DatasetDialog
from panoviewer.dialogs.recovery_dialog import PREVIEW_WIDTH, RecoveryDialog, describe, preview
from panoviewer.jobs import Lane

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def photos(tmp_path):
    """Three pictures of a folder."""
    names = ("a.png", "b.png", "c.png")
    for name in names:
        cv2.imwrite(str(tmp_path / name), red_things(64)[..., ::-1])
    return [tmp_path / name for name in names]


@pytest.fixture
def opened(shared_window, photos, settle, qtbot):
    """The window with the first picture open; nothing is open afterwards."""
    shared_window.toolbox.use(shared_window.navigate)
    shared_window.activateWindow()
    assert QTest.qWaitForWindowActive(shared_window, 120_000)
    open_(shared_window, photos[0], settle, qtbot)
    yield shared_window
    for box in shared_window.findChildren(QMessageBox) + shared_window.findChildren(RecoveryDialog):
        box.close()
    assert shared_window.desk.finish() == ""


def be_active(window):
    """Shortcuts are for the active window only, and under Xvfb none becomes that by itself when a dialog is closed."""
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, 120_000)


def open_(window, path, settle, qtbot):
    window.open(path)
    qtbot.waitUntil(
        lambda: window.session.document.panorama is not None and window.session.document.panorama.path == path
    )
    settle(window)


def add(window, label="ball", place=DISK):
    window.desk.annotating.add([a_segment(label, place, height=64)])


def labels(path):
    return [segment.label for segment in read_annotation(annotation_path(path)).segments]


def crash(window, path):
    """Leave the disk as a killed process would."""
    jobs = window.session.jobs
    jobs.drain(Lane.FILES)
    journal = journal_path(annotation_path(path)).read_bytes()
    assert window.desk.finish() == ""
    annotation_path(path).unlink(missing_ok=True)
    for other in path.parent.glob("*.bak"):
        other.unlink()
    journal_path(annotation_path(path)).write_bytes(journal)


def answer(window, name, text):
    """Press a button of an open question."""
    box = window.findChild(QMessageBox, name)
    next(button for button in box.buttons() if button.text().replace("&", "") == text).click()


def test_ctrl_s_saves_and_the_menu_knows_when_there_is_something_to_save(opened, photos, settle):
    action = opened.actions_by_name["save"]
    assert not action.isEnabled()
    add(opened)
    assert action.isEnabled()
    key(opened, Qt.Key.Key_S, CTRL)
    settle(opened)
    assert labels(photos[0]) == ["ball"]
    assert not action.isEnabled()
    assert "Saved" in opened.statusBar().currentMessage()


def test_the_next_picture_is_opened_after_this_one_was_saved(opened, photos, settle, qtbot):
    add(opened)
    key(opened, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: opened.session.document.panorama.path == photos[1])
    settle(opened)
    assert opened.session.document.scene.segments == ()
    assert labels(photos[0]) == ["ball"]
    key(opened, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: opened.session.document.panorama.path == photos[0])
    settle(opened)
    assert [s.label for s in opened.session.document.scene.segments] == ["ball"]
    assert opened.session.document.undo_name is None


def test_labels_are_those_of_the_folder(opened, photos, settle, qtbot):
    opened.desk.annotating.set_label("ball")
    key(opened, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: opened.session.document.panorama.path == photos[1])
    settle(opened)
    assert [label.name for label in opened.desk.annotating.labels] == ["ball"]


def test_review_goes_through_the_folder(opened, photos, settle, qtbot):
    def step(what, expected, modifiers=Qt.KeyboardModifier.NoModifier):
        key(opened, what, modifiers)
        qtbot.waitUntil(lambda: opened.session.document.panorama.path == photos[expected])
        settle(opened)

    folder = opened.folder
    add(opened)
    opened.desk.annotating.select(())
    assert folder.item(0).text().endswith("•")
    step(Qt.Key.Key_D, 1)
    key(opened, Qt.Key.Key_Y)
    assert folder.item(1).text().endswith("✓")
    assert "1 of 3 panoramas reviewed" in opened.desk.segments._count.text()
    step(Qt.Key.Key_A, 0)
    step(Qt.Key.Key_D, 2, SHIFT)
    key(opened, Qt.Key.Key_X)
    step(Qt.Key.Key_A, 0, SHIFT)
    key(opened, Qt.Key.Key_Y)
    key(opened, Qt.Key.Key_D, SHIFT)
    assert "3 of 3 are reviewed" in opened.statusBar().currentMessage()
    settle(opened)
    assert read_annotation(annotation_path(photos[2])).review is Review.REJECTED


def test_the_list_says_how_far_the_pictures_were_before(opened, photos, settle, qtbot, tmp_path):
    add(opened)
    opened.desk.annotating.select(())
    key(opened, Qt.Key.Key_Y)
    key(opened, Qt.Key.Key_S, CTRL)
    settle(opened)
    annotation_path(photos[2]).write_text("{")
    opened.folder.set_files(photos)
    settle(opened)
    assert [opened.folder.item(row).text()[5:].strip() for row in range(3)] == ["✓", "", "!"]


def test_what_a_crash_has_left_is_offered_with_a_picture_of_it(opened, photos, settle, qtbot):
    add(opened)
    crash(opened, photos[0])
    open_(opened, photos[0], settle, qtbot)
    dialog = opened.findChild(RecoveryDialog, "recovery")
    assert dialog.isVisible()
    assert opened.session.document.scene is None
    qtbot.waitUntil(lambda: not dialog._picture.pixmap().isNull())
    next(button for button in dialog.findChildren(QPushButton) if button.text() == "Recover").click()
    qtbot.waitUntil(lambda: opened.session.document.scene is not None)
    settle(opened)
    assert [s.label for s in opened.session.document.scene.segments] == ["ball"]
    assert opened.actions_by_name["save"].isEnabled()


@pytest.mark.parametrize("text", ["Open what is saved", "Decide later"])
def test_what_a_crash_has_left_may_be_left(opened, photos, settle, qtbot, text):
    add(opened)
    crash(opened, photos[0])
    open_(opened, photos[0], settle, qtbot)
    dialog = opened.findChild(RecoveryDialog, "recovery")
    next(button for button in dialog.findChildren(QPushButton) if button.text() == text).click()
    qtbot.waitUntil(lambda: opened.session.document.scene is not None)
    assert opened.session.document.scene.segments == ()
    journals = [path.name for path in photos[0].parent.iterdir() if ".pano.journal" in path.name]
    assert len(journals) == 1


def test_the_preview_shows_the_recovered_masks(opened, photos, settle, qtbot):
    add(opened, place=SEAM)
    crash(opened, photos[0])
    open_(opened, photos[0], settle, qtbot)
    recovery = opened.desk.saving._opened.file.recovery
    photo = Pyramid.of(np.zeros((64, 128, 3), np.uint8))
    picture = preview(recovery, photo)
    assert picture.shape == (PREVIEW_WIDTH // 2, PREVIEW_WIDTH, 3)
    inside = disk(SEAM, height=64).unpack()
    inside = inside.repeat(5, axis=0).repeat(5, axis=1)
    assert (picture.any(axis=-1) == inside).all()
    assert "There is one edit that was not saved" in describe(recovery)
    at_once = replace(recovery, ended=recovery.started)
    started = datetime.fromisoformat(recovery.started).astimezone()
    assert f"not saved at {started:%Y-%m-%d %H:%M:%S}." in describe(at_once)
    later = replace(recovery, edits=2, ended="2099-01-01T00:00:00Z")
    assert "There are 2 edits that were not saved" in describe(later)
    assert f"between {started:%Y-%m-%d %H:%M:%S} and" in describe(later)
    assert "1 added" in describe(recovery)
    # A name without a place to break would make the dialog wider than the screen.
    assert max(map(len, describe(replace(recovery, names=("chair", "m" * 300))).split())) < 50
    opened.findChild(RecoveryDialog, "recovery").close()
    qtbot.waitUntil(lambda: opened.session.document.scene is not None)


def test_a_change_by_another_program_is_asked_about_when_one_comes_back(opened, photos, settle, qtbot):
    add(opened)
    key(opened, Qt.Key.Key_S, CTRL)
    settle(opened)
    theirs = read_annotation(annotation_path(photos[0]))
    write_annotation(annotation_path(photos[0]), type(theirs)(theirs.photo, (a_segment("theirs", height=64),)))
    add(opened, "mine", SEAM)
    opened.desk.saving.look_at_disk()
    settle(opened)
    said = opened.findChild(QMessageBox, "conflict").text()
    assert "another name" not in said
    assert all(f"{button.text()} " in said for button in opened.findChild(QMessageBox, "conflict").buttons())
    answer(opened, "conflict", "Keep mine")
    settle(opened)
    assert labels(photos[0]) == ["ball", "mine"]
    write_annotation(annotation_path(photos[0]), type(theirs)(theirs.photo, (a_segment("theirs", height=64),)))
    QApplication.processEvents()
    opened.desk.saving.look_at_disk()
    settle(opened)
    answer(opened, "conflict", "Read theirs")
    qtbot.waitUntil(lambda: [s.label for s in opened.desk.annotating.segments] == ["theirs"])


def test_a_project_that_is_open_elsewhere_is_only_looked_at(opened, photos, settle, qtbot):
    assert opened.desk.finish() == ""
    with lock_project(photos[0].parent):
        open_(opened, photos[0], settle, qtbot)
        add(opened)
        assert opened.session.document.scene.segments == ()
        assert "another PanoViewer" in opened.statusBar().currentMessage()
        answer(opened, "locked", "Take it over")
        qtbot.waitUntil(lambda: opened.desk.saving.read_only == "" and opened.desk.saving._opened is not None)
        settle(opened)
        add(opened)
        assert [s.label for s in opened.desk.annotating.segments] == ["ball"]


def test_a_window_whose_project_was_taken_says_so_until_it_has_it_again(opened, photos, settle, qtbot):
    add(opened)
    key(opened, Qt.Key.Key_S, CTRL)
    settle(opened)
    title = opened.windowTitle()
    with lock_project(photos[0].parent, take_over=True):
        key(opened, Qt.Key.Key_S)
        add(opened, "refused", SEAM)
        qtbot.waitUntil(lambda: opened.findChild(QMessageBox, "locked") is not None)
        answer(opened, "locked", "Look only")
        settle(opened)
        assert "read only" in opened.windowTitle()
        assert "not in the file" in opened.messages.text
        assert "Ctrl+S" in opened.messages.text
        assert "Saved" not in opened.desk.strip.text
        add(opened, "later")
        assert [s.label for s in opened.desk.annotating.segments] == ["ball", "refused"]
        qtbot.waitUntil(lambda: opened.findChild(QMessageBox, "locked") is None)
        be_active(opened)
        key(opened, Qt.Key.Key_S, CTRL)
        qtbot.waitUntil(lambda: opened.findChild(QMessageBox, "locked") is not None)
        answer(opened, "locked", "Look only")
        qtbot.waitUntil(lambda: opened.findChild(QMessageBox, "locked") is None)
    be_active(opened)
    opened.desk.saving.look_at_disk()
    settle(opened)
    assert (opened.windowTitle(), opened.messages.text) == (title, "")
    key(opened, Qt.Key.Key_S, CTRL)
    settle(opened)
    assert labels(photos[0]) == ["ball", "refused"]
    opened.toolbox.use(opened.navigate)


def test_closing_saves(make_main_window, photos, settle, qtbot):
    window = make_main_window()
    open_(window, photos[0], settle, qtbot)
    add(window)
    window.close()
    assert not window.isVisible()
    assert labels(photos[0]) == ["ball"]
    assert not list(photos[0].parent.glob(NAME))


def test_what_cannot_be_saved_keeps_the_window_open_until_it_is_given_up(make_main_window, photos, settle, qtbot):
    window = make_main_window()
    open_(window, photos[0], settle, qtbot)
    add(window)
    settle(window)
    annotation_path(photos[0]).mkdir()
    event = QCloseEvent()
    window.closeEvent(event)
    assert not event.isAccepted()
    assert str(annotation_path(photos[0])) in window.findChild(QMessageBox, "unsaved").text()
    answer(window, "unsaved", "Close without saving")
    assert not window.isVisible()
    assert journal_path(annotation_path(photos[0])).exists()


def test_the_sample_can_be_annotated_and_is_not_written_to(make_main_window, photos, settle, qtbot, monkeypatch):
    monkeypatch.setattr("panoviewer.main_window.sample_path", lambda: photos[0])
    window = make_main_window()
    open_(window, photos[0], settle, qtbot)
    add(window)
    settle(window)
    assert [s.label for s in window.desk.annotating.segments] == ["ball"]
    window.close()
    assert sorted(path.name for path in photos[0].parent.iterdir() if "a.png" in path.name) == ["a.png"]


def test_the_tripod_is_copied_to_every_picture_of_the_list(opened, photos, settle, qtbot):
    for place in (DISK, SEAM):
        add(opened, "tripod" if place == DISK else "other", place)
    opened.desk.annotating.select([1])
    opened.actions_by_name["copy"].trigger()
    assert "tripod" in opened.findChild(QMessageBox, "copy").text()
    assert "2 other pictures" in opened.findChild(QMessageBox, "copy").text()
    answer(opened, "copy", "Copy")
    settle(opened)
    assert [labels(photo) for photo in photos[1:]] == [["tripod"], ["tripod"]]
    assert "Copied into 2 pictures" in opened.messages.text
    assert opened.folder.item(1).text().endswith("•")
    key(opened, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: opened.session.document.panorama.path == photos[1])
    settle(opened)
    (segment,) = opened.desk.annotating.segments
    assert segment.mask.same_as(disk(height=64))


def test_closing_while_segments_are_copied_waits_without_holding_the_window_up(
    make_main_window, photos, settle, qtbot, monkeypatch
):
    begun, goes_on, written = threading.Event(), threading.Event(), []

    def copy_slowly(_segments, _labels, pictures, *, progress):
        for number, picture in enumerate(pictures):
            progress(number, len(pictures))
            begun.set()
            assert goes_on.wait(600)
            written.append(picture)

    monkeypatch.setattr("panoviewer.saving.copy_segments", copy_slowly)
    window = make_main_window()
    open_(window, photos[0], settle, qtbot)
    add(window, "tripod", DISK)
    saving, scene = window.desk.saving, window.session.document.scene
    saving.copy_to(photos[1:], scene.segments, scene.labels)
    qtbot.waitUntil(begun.is_set)
    for _ in range(2):
        assert not window.close(), "it is put off"
        assert window.isVisible()
    goes_on.set()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert written == photos[1:2], "the picture at hand was finished, the rest left alone"
    assert labels(photos[0]) == ["tripod"], "what was edited is saved"


def test_a_picture_whose_segments_are_not_kept_has_nothing_to_copy(red_window, settle):
    red_window.desk.annotating.add([a_segment("ball")])
    red_window.actions_by_name["copy"].trigger()
    answer(red_window, "copy", "Copy")
    assert "not kept" in red_window.messages.text


def test_a_renamed_label_is_renamed_in_the_other_pictures_of_the_folder(opened, photos, settle, qtbot):
    opened.desk.annotating.set_label("ball")
    add(opened)
    key(opened, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: opened.session.document.panorama.path == photos[1])
    settle(opened)
    add(opened)
    opened.desk.labels.list.item(0).setText("sphere")
    settle(opened)
    assert labels(photos[0]) == ["sphere"]
    assert [s.label for s in opened.desk.annotating.segments] == ["sphere"]
    key(opened, Qt.Key.Key_S, CTRL)
    settle(opened)
    assert labels(photos[1]) == ["sphere"]


def export(opened, form, target, *, everything=True):
    key(opened, Qt.Key.Key_E, CTRL | SHIFT)
    dialog = opened.findChild(DatasetDialog, "dataset")
    dialog.form.setCurrentIndex(dialog.form.findData(form))
    dialog.folder.setText(str(target))
    dialog.everything.setChecked(everything)
    next(button for button in dialog.findChildren(QPushButton) if button.text() == "Export").click()


def test_annotations_are_saved_and_exported(opened, photos, settle, qtbot, tmp_path):
    add(opened)
    export(opened, "coco", tmp_path / "out")
    qtbot.waitUntil(lambda: "Written: 1 panoramas, 1 segments" in opened.messages.text)
    assert labels(photos[0]) == ["ball"]
    (written,) = (tmp_path / "out").glob("*.json")
    found = json.loads(written.read_text())
    assert [category["name"] for category in found["categories"]] == ["ball"]
    settle(opened)
    export(opened, "masks", tmp_path / "masks", everything=False)
    qtbot.waitUntil(lambda: "masks" in opened.messages.text)
    assert list((tmp_path / "masks").rglob("*.png"))
    opened.messages.hide()


def test_only_chosen_labels_are_exported_and_views_are_chosen_where_there_are_any(opened, settle, qtbot, tmp_path):
    add(opened)
    add(opened, "tripod", POLE)
    key(opened, Qt.Key.Key_E, CTRL | SHIFT)
    dialog = opened.findChild(DatasetDialog, "dataset")
    assert [dialog.labels.item(row).text() for row in range(3)] == ["ball", "tripod", "no label"]
    dialog.form.setCurrentIndex(dialog.form.findData("coco"))
    assert not dialog.view_size.isEnabled()
    dialog.form.setCurrentIndex(dialog.form.findData("colmap"))
    dialog.layout_of_views.setCurrentIndex(dialog.layout_of_views.findData("cube"))
    dialog.view_size.setValue(64)
    for row in range(3):
        dialog.labels.item(row).setCheckState(Qt.CheckState.Unchecked)
    assert not dialog._export.isEnabled()
    for row in (1, 2):
        dialog.labels.item(row).setCheckState(Qt.CheckState.Checked)
    dialog.folder.setText(str(tmp_path / "rig"))
    dialog._export.click()
    qtbot.waitUntil(lambda: "Written: 1 panoramas, 1 segments" in opened.messages.text)
    masks = sorted((tmp_path / "rig" / "masks").rglob("*.png"))
    assert len(masks) == 6
    pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in masks]
    assert {picture.shape for picture in pictures} == {(64, 64)}
    assert sum((picture == 0).any() for picture in pictures) == 1
    opened.messages.hide()


def test_what_cannot_be_exported_is_one_sentence(opened, photos, settle, qtbot, tmp_path):
    (tmp_path / "out").write_text("a file")
    add(opened)
    export(opened, "coco", tmp_path / "out")
    qtbot.waitUntil(lambda: str(tmp_path / "out") in opened.messages.text)
    opened.messages.hide()


def test_a_copy_is_saved_under_another_name(opened, photos, settle, qtbot):
    add(opened)
    key(opened, Qt.Key.Key_S, CTRL | SHIFT)
    dialog = opened.findChild(QFileDialog, "copy_name")
    dialog.fileSelected.emit(str(photos[0].with_name("mine")))
    dialog.close()
    settle(opened)
    copy = read_annotation(photos[0].with_name("mine.pano.json"))
    assert [s.label for s in copy.segments] == ["ball"]
    assert not annotation_path(photos[0]).exists()
    assert opened.actions_by_name["save"].isEnabled()
