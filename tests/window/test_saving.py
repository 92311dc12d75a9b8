"""Annotations are read with their panorama, secured edit by edit, and saved when it is left."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from core.cloud import CloudOptions
from core.io.images import read_panorama
from core.io.journal import journal_path
from core.io.lock import NAME, lock_project
from core.io.project_file import NAME as PROJECT_NAME
from core.io.project_file import ProjectFile, write_project_file
from core.io.scene_file import annotation_path, previous_path, read_annotation, write_annotation
from core.mask import SphereMask
from core.scene import Label, Segment, add_segment, change_segment
from panoviewer.document import Document
from panoviewer.jobs import Jobs, Lane
from panoviewer.saving import Saving

SIZE = 32, 64


class Desk:
    """What a window has of it."""

    def __init__(self, **kwargs):
        self.document = Document()
        self.jobs = Jobs(lambda: self.document.generation)
        self.saving = Saving(self.document, self.jobs, **kwargs)
        self.heard = []
        for name in ("recoverable", "conflict", "locked", "noted", "failed", "saved"):
            getattr(self.saving, name).connect(lambda what, name=name: self.heard.append((name, what)))

    def open(self, path):
        panorama = read_panorama(path)
        self.document.open(panorama, CloudOptions())
        self.saving.enter(panorama)

    def add(self, number=1, label="door"):
        self.document.apply(f"Add {label}", add_segment(a_segment(number, label)))

    def names(self):
        return [name for name, _ in self.heard]

    def crash(self):
        """What is left when the process is killed: nothing is saved, and the lock is of a process that is gone."""
        self.jobs.drain(Lane.FILES)
        self.jobs.close()
        for path in self.folder.rglob(NAME):
            path.unlink()

    @property
    def folder(self):
        return self.document.panorama.path.parent


@pytest.fixture
def photo(tmp_path):
    return write_photo(tmp_path / "photos" / "hall.jpg")


@pytest.fixture
def make_desk(qapp):
    desks = []

    def make(**kwargs):
        desks.append(Desk(**kwargs))
        return desks[-1]

    yield make
    for desk in desks:
        desk.jobs.close()


@pytest.fixture
def desk(make_desk, photo, qtbot):
    desk = make_desk()
    desk.open(photo)
    qtbot.waitUntil(lambda: desk.document.scene is not None)
    return desk


def write_photo(path: Path):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(path.name))
    cv2.imwrite(str(path), rng.integers(0, 255, (*SIZE, 3)).astype(np.uint8))
    return path


def a_segment(number=1, label="door"):
    bits = np.zeros(SIZE, np.bool_)
    bits[4 : 8 + number, 3:9] = True
    return Segment(number, SphereMask.pack(bits), label)


def labels(path):
    return [segment.label for segment in read_annotation(annotation_path(path)).segments]


def reopened(make_desk, qtbot, path):
    desk = make_desk()
    desk.open(path)
    qtbot.waitUntil(lambda: desk.document.scene is not None or bool(desk.heard))
    return desk


def test_to_look_at_a_panorama_leaves_no_trace(desk, photo):
    assert desk.saving.finish() == ""
    assert [path.name for path in photo.parent.iterdir()] == ["hall.jpg"]


def test_an_edit_is_on_the_disk_before_anything_is_saved(desk, photo, qtbot, make_desk):
    desk.add()
    assert desk.saving.is_modified
    desk.jobs.drain(Lane.FILES)
    assert journal_path(annotation_path(photo)).exists()
    assert not annotation_path(photo).exists()
    desk.crash()

    other = reopened(make_desk, qtbot, photo)
    assert other.names() == ["recoverable"]
    recovery = other.heard[0][1]
    assert (recovery.edits, recovery.added, recovery.names) == (1, 1, ("Add door",))
    assert other.document.scene is None
    other.saving.recover(accept=True)
    qtbot.waitUntil(lambda: other.document.scene is not None)
    assert other.document.scene.segments[0].mask.same_as(a_segment().mask)
    assert other.saving.is_modified
    assert other.saving.finish() == ""
    assert labels(photo) == ["door"]


@pytest.mark.parametrize("later", [False, True])
def test_what_is_not_recovered_is_not_lost(desk, photo, qtbot, make_desk, later):
    desk.add()
    desk.crash()
    other = reopened(make_desk, qtbot, photo)
    if later:
        other.saving.recover_later()
    else:
        other.saving.recover(accept=False)
    qtbot.waitUntil(lambda: other.document.scene is not None)
    assert other.document.scene.segments == ()
    assert not other.saving.is_modified
    other.add(2, "lamp")
    other.jobs.drain(Lane.FILES)
    kept = [path for path in photo.parent.iterdir() if ".pano.journal" in path.name]
    assert len(kept) == 2
    assert any(b"Add door" in path.read_bytes() for path in kept)


def test_saving_writes_the_file_and_ends_the_journal(desk, photo, qtbot):
    desk.add()
    desk.saving.save()
    qtbot.waitUntil(lambda: "saved" in desk.names())
    assert labels(photo) == ["door"]
    assert not desk.saving.is_modified
    assert not journal_path(annotation_path(photo)).exists()
    desk.document.undo()
    assert desk.saving.is_modified
    desk.document.redo()
    assert not desk.saving.is_modified


def test_labels_that_could_not_be_shared_are_a_note_and_the_picture_is_saved(make_desk, photo, qtbot):
    desk = make_desk()
    write_project_file(photo.parent, ProjectFile((Label("door", (1, 2, 3)),)))
    desk.open(photo)
    qtbot.waitUntil(lambda: desk.document.scene is not None)
    desk.add()
    desk.jobs.drain(Lane.FILES)
    (photo.parent / PROJECT_NAME).write_bytes(b"not a project")
    desk.saving.save()
    qtbot.waitUntil(lambda: "noted" in desk.names())
    assert not desk.saving.is_modified
    assert "failed" not in desk.names()
    assert labels(photo) == ["door"]
    assert desk.saving.finish() == ""


def test_an_edit_while_saving_is_still_to_be_saved(desk, photo, qtbot):
    desk.add(1)
    desk.saving.save()
    desk.add(2)
    qtbot.waitUntil(lambda: "saved" in desk.names())
    assert desk.saving.is_modified
    assert desk.saving.finish() == ""
    assert labels(photo) == ["door", "door"]


def test_going_to_another_panorama_saves_and_coming_back_finds_all(desk, photo, qtbot, tmp_path):
    other = write_photo(photo.with_name("stairs.jpg"))
    desk.add()
    desk.document.apply("Label", change_segment(1, label="gate"))
    desk.open(other)
    qtbot.waitUntil(lambda: desk.document.scene is not None and "saved" in desk.names())
    assert desk.document.scene.segments == ()
    assert labels(photo) == ["gate"]
    desk.open(photo)
    qtbot.waitUntil(lambda: desk.document.scene is not None)
    assert [segment.label for segment in desk.document.scene.segments] == ["gate"]
    assert desk.names() == ["saved"]


def test_undone_edits_leave_nothing_to_save(desk, photo):
    desk.add()
    desk.document.undo()
    assert not desk.saving.is_modified
    assert desk.saving.finish() == ""
    assert [path.name for path in photo.parent.iterdir()] == ["hall.jpg"]


def test_a_save_that_fails_while_leaving_keeps_the_edits(desk, photo, qtbot, make_desk):
    other = write_photo(photo.with_name("stairs.jpg"))
    desk.add()
    desk.jobs.drain(Lane.FILES)
    annotation_path(photo).mkdir()
    desk.open(other)
    qtbot.waitUntil(lambda: "failed" in desk.names())
    assert "offered" in desk.heard[0][1]
    annotation_path(photo).rmdir()
    desk.open(photo)
    qtbot.waitUntil(lambda: "recoverable" in desk.names())


def test_a_save_that_fails_at_the_end_is_told(desk, photo):
    desk.add()
    desk.jobs.drain(Lane.FILES)
    annotation_path(photo).mkdir()
    assert str(annotation_path(photo)) in desk.saving.finish()
    annotation_path(photo).rmdir()
    assert desk.saving.finish() == ""
    assert labels(photo) == ["door"]


def test_an_edit_that_cannot_be_secured_is_told_once(desk, photo, qtbot):
    # A folder in the place of the lock: nothing can be written.
    (photo.parent / NAME).mkdir()
    desk.add(1)
    desk.add(2)
    desk.jobs.drain(Lane.FILES)
    qtbot.waitUntil(lambda: "failed" in desk.names())
    qtbot.wait(20)
    assert desk.names() == ["failed"]
    (photo.parent / NAME).rmdir()
    desk.add(3)
    desk.jobs.drain(Lane.FILES)
    assert b"Add door" in journal_path(annotation_path(photo)).read_bytes()
    assert desk.saving.finish() == ""
    assert labels(photo) == ["door"] * 3


def test_a_damaged_file_is_not_taken_for_an_empty_one(make_desk, photo, qtbot):
    annotation_path(photo).write_text('{"format": "panoviewer-annotation"')
    desk = reopened(make_desk, qtbot, photo)
    assert desk.names() == ["failed"]
    assert desk.document.scene is None
    assert desk.saving.finish() == ""
    assert annotation_path(photo).read_text() == '{"format": "panoviewer-annotation"'


def test_a_file_changed_by_another_program_is_noticed_and_never_overwritten_unasked(desk, photo, qtbot):
    desk.add()
    desk.saving.save()
    qtbot.waitUntil(lambda: "saved" in desk.names())
    theirs = read_annotation(annotation_path(photo))
    write_annotation(annotation_path(photo), type(theirs)(theirs.photo, (a_segment(5, "theirs"),)))
    desk.saving.look_at_disk()
    qtbot.waitUntil(lambda: "conflict" in desk.names())
    desk.heard.clear()
    desk.add(2, "lamp")
    desk.saving.save()
    qtbot.waitUntil(lambda: "conflict" in desk.names())
    assert labels(photo) == ["theirs"]
    desk.saving.save(overwrite=True)
    qtbot.waitUntil(lambda: "saved" in desk.names())
    assert labels(photo) == ["door", "lamp"]
    assert [s.label for s in read_annotation(previous_path(annotation_path(photo))).segments] == ["theirs"]


def test_a_change_by_another_program_is_told_once_however_often_the_window_comes_back(desk, photo, qtbot):
    desk.add()
    desk.saving.save()
    qtbot.waitUntil(lambda: "saved" in desk.names())
    theirs = read_annotation(annotation_path(photo))
    for label in ("theirs", "theirs again"):
        write_annotation(annotation_path(photo), type(theirs)(theirs.photo, (a_segment(5, label),)))
        for _ in range(3):
            desk.saving.look_at_disk()
            desk.jobs.drain(Lane.FILES)
            qtbot.waitUntil(lambda: desk.jobs.idle)
        assert desk.names().count("conflict") == 1
        desk.heard.clear()
        desk.saving.read_again()
        qtbot.waitUntil(lambda label=label: [s.label for s in desk.document.scene.segments] == [label])


def test_what_is_on_the_screen_stays_safe_when_the_other_programs_file_cannot_be_read(desk, photo, qtbot):
    desk.add()
    desk.saving.save()
    qtbot.waitUntil(lambda: "saved" in desk.names())
    desk.add(2, "lamp")
    desk.jobs.drain(Lane.FILES)
    annotation_path(photo).write_text("{")
    desk.saving.read_again()
    qtbot.waitUntil(lambda: "failed" in desk.names())
    assert desk.saving.path == annotation_path(photo)
    assert desk.saving.is_modified
    desk.add(3, "chair")
    desk.jobs.drain(Lane.FILES)
    assert b"chair" in journal_path(annotation_path(photo)).read_bytes()
    desk.heard.clear()
    desk.saving.save()
    qtbot.waitUntil(lambda: "conflict" in desk.names())
    desk.saving.save(overwrite=True)
    qtbot.waitUntil(lambda: "saved" in desk.names())
    assert labels(photo) == ["door", "lamp", "chair"]


def test_an_answer_that_comes_when_there_is_nothing_to_recover_changes_nothing(desk, qtbot):
    desk.add()
    scene = desk.document.scene
    desk.saving.recover_later()
    desk.saving.recover(accept=True)
    desk.saving.recover(accept=False)
    qtbot.waitUntil(lambda: desk.jobs.idle)
    assert desk.document.scene is scene
    assert desk.document.undo_name == "Add door"
    assert desk.names() == []


def test_the_other_programs_file_can_be_taken_instead(desk, photo, qtbot):
    desk.add()
    desk.saving.save()
    qtbot.waitUntil(lambda: "saved" in desk.names())
    theirs = read_annotation(annotation_path(photo))
    write_annotation(annotation_path(photo), type(theirs)(theirs.photo, (a_segment(5, "theirs"),)))
    desk.add(2, "lamp")
    desk.saving.read_again()
    qtbot.waitUntil(lambda: [s.label for s in desk.document.scene.segments] == ["theirs"])
    assert not desk.saving.is_modified
    assert "recoverable" not in desk.names()


def test_a_project_that_is_open_elsewhere_is_for_reading_until_it_is_taken_over(make_desk, photo, qtbot):
    with lock_project(photo.parent) as elsewhere:
        desk = reopened(make_desk, qtbot, photo)
        qtbot.waitUntil(lambda: "locked" in desk.names())
        assert "another PanoViewer" in desk.saving.read_only
        desk.saving.save()
        assert desk.names() == ["locked", "locked"]
        before = desk.document.scene
        desk.saving.take_over()
        qtbot.waitUntil(lambda: desk.document.scene is not before)
        assert desk.saving.read_only == ""
        assert not elsewhere.is_held
    desk.add()
    assert desk.saving.finish() == ""
    assert labels(photo) == ["door"]


def test_a_project_that_is_opened_elsewhere_before_the_first_edit_is_told(desk, photo, qtbot):
    with lock_project(photo.parent):
        desk.add()
        qtbot.waitUntil(lambda: "locked" in desk.names())
        desk.saving.take_over()
        desk.jobs.drain(Lane.FILES)
        qtbot.waitUntil(lambda: journal_path(annotation_path(photo)).exists())
    assert desk.saving.finish() == ""
    assert labels(photo) == ["door"]


def test_the_lock_is_given_back_at_the_end_and_in_another_folder(desk, photo, qtbot, tmp_path):
    desk.add()
    desk.jobs.drain(Lane.FILES)
    assert (photo.parent / NAME).exists()
    desk.open(write_photo(tmp_path / "elsewhere" / "roof.jpg"))
    qtbot.waitUntil(lambda: desk.document.scene is not None)
    assert not (photo.parent / NAME).exists()
    desk.add()
    assert desk.saving.finish() == ""
    assert not list(tmp_path.rglob(NAME))


def test_a_picture_whose_annotations_are_not_kept_can_be_annotated(make_desk, photo, qtbot):
    desk = make_desk(keeps=lambda path: path != photo)
    desk.open(photo)
    desk.add()
    assert not desk.saving.is_modified
    desk.saving.save()
    assert desk.names() == ["failed"]
    assert desk.saving.finish() == ""
    assert [path.name for path in photo.parent.iterdir()] == ["hall.jpg"]


def test_a_panorama_that_is_left_at_once_is_not_written(make_desk, photo, qtbot):
    desk = make_desk()
    other = write_photo(photo.with_name("stairs.jpg"))
    desk.open(photo)
    desk.open(other)
    qtbot.waitUntil(lambda: desk.document.scene is not None)
    assert desk.document.scene.panorama.path == other
    assert desk.saving.finish() == ""
    assert sorted(path.name for path in photo.parent.iterdir()) == ["hall.jpg", "stairs.jpg"]
