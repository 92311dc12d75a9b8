"""Opening, saving and listing the annotations of a folder."""

import errno
import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from project_samples import LABELS, open_photo, some_mask, some_scene, some_segment, state, write_photo

from core.errors import ProjectError
from core.history import History
from core.io import own_files
from core.io.annotation import Annotation
from core.io.journal import journal_path
from core.io.photo_reference import photo_of
from core.io.project import (
    State,
    adopt,
    find_photo,
    finish_renames,
    read_project,
    rename_label,
)
from core.io.project_file import ProjectFile, Rename, read_project_file, write_project_file
from core.io.recovery import discarded_path
from core.io.scene_file import (
    FileChanged,
    annotation_path,
    open_scene,
    previous_path,
    read_annotation,
    restore_previous,
    write_annotation,
)
from core.panorama import Panorama
from core.scene import Label, Review, Scene, add_segment, change_segment, remove_segments


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_saved_comes_back(tmp_path):
    panorama = open_photo(tmp_path)
    scene = some_scene(panorama)
    open_scene(panorama).save(scene)
    file = open_scene(panorama)
    assert state(file.scene) == state(scene)
    assert file.scene.panorama is panorama
    assert (file.notes, file.recovery) == ((), None)
    assert file.is_saved(scene)
    assert names(tmp_path) == ["hall.png", "hall.png.pano.json"]


def test_a_look_at_a_panorama_leaves_nothing_behind(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.record("Nothing", file.scene)
    file.save(file.scene)
    file.close()
    assert names(tmp_path) == ["hall.png"]


def test_the_previous_generation_is_kept_and_saving_the_same_again_keeps_it(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    first = file.path.read_bytes()
    file.save(some_scene(panorama, 2))
    file.save(some_scene(panorama, 2))
    assert previous_path(file.path).read_bytes() == first
    assert state(read_annotation(file.path)) == state(some_scene(panorama, 2))


def test_a_file_that_changed_on_disk_is_noticed_and_overwritten_only_when_asked(tmp_path):
    panorama = open_photo(tmp_path)
    mine, other = open_scene(panorama), open_scene(panorama)
    assert not mine.changed_on_disk()
    other.save(some_scene(panorama, 1))
    assert mine.changed_on_disk()
    assert not other.changed_on_disk()
    theirs = mine.path.read_bytes()
    with pytest.raises(FileChanged, match="changed by another program") as caught:
        mine.save(some_scene(panorama, 3))
    assert str(caught.value).endswith(str(mine.path))
    assert mine.path.read_bytes() == theirs
    mine.save(some_scene(panorama, 3), overwrite=True)
    assert previous_path(mine.path).read_bytes() == theirs
    assert state(read_annotation(mine.path)) == state(some_scene(panorama, 3))
    assert not mine.changed_on_disk()


def test_a_file_of_the_same_size_and_time_with_other_content_is_noticed_when_saving(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    status = file.path.stat()
    file.path.write_bytes(file.path.read_bytes().replace(b'"group": 3', b'"group": 4'))
    os.utime(file.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(FileChanged):
        file.save(some_scene(panorama, 2))


def test_a_file_that_was_only_touched_has_not_changed(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    os.utime(file.path, (1, 1))
    assert not file.changed_on_disk()
    file.save(some_scene(panorama, 2))


def test_a_file_that_was_deleted_is_written_again(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    file.path.unlink()
    file.save(some_scene(panorama, 1))
    assert state(read_annotation(file.path)) == state(some_scene(panorama, 1))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("call", ["link", "replace", "fsync"])
def test_a_save_that_fails_changes_nothing(call, code, tmp_path, monkeypatch):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    before = file.path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        if call == "link":
            # Neither a second name nor a copy.
            patch.setattr(own_files.shutil, "copyfile", fail)
        with pytest.raises(ProjectError) as caught:
            file.save(some_scene(panorama, 2))
    assert "\n" not in str(caught.value)
    assert file.path.read_bytes() == before
    assert not file.is_saved(some_scene(panorama, 2))
    file.save(some_scene(panorama, 2))
    assert state(read_annotation(file.path)) == state(some_scene(panorama, 2))


def test_a_save_counts_when_only_what_comes_after_it_does_not_work(tmp_path):
    panorama = open_photo(tmp_path)
    write_project_file(tmp_path, ProjectFile(labels=LABELS))
    file = open_scene(panorama)
    project_file = next(tmp_path.glob("*project*"))
    project_file.write_bytes(b"not a project")
    discarded_path(file.path).mkdir()
    scene = some_scene(panorama)
    (note,) = file.save(scene)
    assert note.startswith("The annotations are saved, but not their labels for the other pictures: ")
    assert str(project_file) in note
    assert file.is_saved(scene)
    assert not file.changed_on_disk()
    project_file.unlink()
    discarded_path(file.path).rmdir()
    assert state(open_scene(panorama).scene) == state(scene)


def test_without_second_names_for_files_the_previous_generation_is_a_copy(tmp_path, monkeypatch):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    first = file.path.read_bytes()
    real = os.link

    def fail_between_names(source, target, **options):
        if str(source).endswith(".json"):
            raise OSError(errno.EPERM, "no links here")
        real(source, target, **options)

    monkeypatch.setattr(os, "link", fail_between_names)
    file.save(some_scene(panorama, 2))
    assert previous_path(file.path).read_bytes() == first


def test_a_damaged_file_is_not_taken_for_an_empty_one_and_the_previous_generation_can_be_restored(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    file.save(some_scene(panorama, 2))
    file.path.write_bytes(b"rubbish")
    with pytest.raises(ProjectError, match=r"restore the previous generation, hall\.png\.pano\.json\.bak"):
        open_scene(panorama)
    assert file.path.read_bytes() == b"rubbish"
    restore_previous(file.path)
    assert state(open_scene(panorama).scene) == state(some_scene(panorama, 1))
    assert (tmp_path / "hall.png.pano.json.aside-1").read_bytes() == b"rubbish"


def test_a_damaged_previous_generation_is_not_restored(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    with pytest.raises(ProjectError, match="found none"):
        restore_previous(file.path)
    previous_path(file.path).write_bytes(b"rubbish")
    before = file.path.read_bytes()
    with pytest.raises(ProjectError, match="cannot take the place"):
        restore_previous(file.path)
    assert file.path.read_bytes() == before


def test_a_copy_is_saved_elsewhere_and_finds_its_photograph(tmp_path):
    panorama = open_photo(tmp_path, "photos/hall.png")
    file = open_scene(panorama)
    file.save_copy(some_scene(panorama), tmp_path / "copy.pano.json")
    copied = read_annotation(tmp_path / "copy.pano.json")
    assert copied.photo.path == "photos/hall.png"
    assert find_photo(tmp_path / "copy.pano.json", copied.photo) == (tmp_path / "photos/hall.png", "")
    assert not file.path.exists()
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ProjectError, match="in the folder of its annotations"):
        file.save_copy(some_scene(panorama), tmp_path / "elsewhere" / "copy.pano.json")


def test_reading_only_writes_nothing(tmp_path):
    panorama = open_photo(tmp_path)
    writer = open_scene(panorama)
    writer.record("Add", some_scene(panorama))
    before = names(tmp_path)
    reader = open_scene(panorama, read_only=True)
    assert reader.recovery is None
    reader.record("Add", some_scene(panorama))
    with pytest.raises(ProjectError, match="reading only"):
        reader.save(some_scene(panorama))
    reader.close()
    assert names(tmp_path) == before


def test_a_panorama_without_a_file_has_no_annotations(tmp_path):
    with pytest.raises(ValueError, match="without a file"):
        open_scene(Panorama(open_photo(tmp_path).rgb))


def test_a_name_that_cannot_be_stored_gets_a_sentence(tmp_path):
    path = write_photo(tmp_path)
    strange = Path(os.fsdecode(bytes(tmp_path) + b"/\xff.png"))
    path.rename(strange)
    with pytest.raises(ProjectError, match="rename"):
        photo_of(strange, 16, 32)


def test_a_changed_photograph_is_noticed(tmp_path):
    panorama = open_photo(tmp_path)
    open_scene(panorama).save(some_scene(panorama))
    changed = open_photo(tmp_path, seed=1)
    file = open_scene(changed)
    assert "has changed since it was annotated" in file.notes[0]
    assert state(file.scene) == state(some_scene(panorama))
    found, note = find_photo(file.path, read_annotation(file.path).photo)
    assert (found, "has changed" in note) == (panorama.path, True)
    file.save(file.scene)
    assert open_scene(changed).notes == ()
    with changed.path.open("ab") as stream:
        stream.write(b"longer")
    (entry,) = read_project(tmp_path).entries
    assert "has changed" in entry.problem


def test_saving_and_undoing_while_another_thread_saves_keeps_the_newest_edit_in_the_journal(tmp_path, monkeypatch):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    first, second = some_scene(panorama, 1), some_scene(panorama, 2)
    file.record("First", first)
    is_replacing, may_go_on = threading.Event(), threading.Event()
    real = own_files.keep_previous

    def slow(*args):
        is_replacing.set()
        may_go_on.wait(30)
        real(*args)

    monkeypatch.setattr("core.io.scene_file.keep_previous", slow)
    thread = threading.Thread(target=file.save, args=(first,))
    thread.start()
    assert is_replacing.wait(30)
    file.record("Second", second)
    may_go_on.set()
    thread.join()
    assert state(read_annotation(file.path)) == state(first)
    assert not file.is_saved(second)
    recovery = open_scene(panorama).recovery
    assert state(recovery.annotation) == state(second)
    assert (recovery.edits, recovery.note) == (1, "")


def test_a_scene_that_was_replaced_before_its_save_began_does_not_take_the_newer_edit_away(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    first, second = some_scene(panorama, 1), some_scene(panorama, 2)
    file.record("First", first)
    file.record("Second", second)
    file.save(first)
    recovery = open_scene(panorama).recovery
    assert state(recovery.annotation) == state(second)
    file.record("Undo", first)
    assert open_scene(panorama).recovery is None


# Undo and redo through saves.


class Editing(RuleBasedStateMachine):
    """Random edits, undone, redone, saved and opened again, beside a list of states that says what must come out."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.panorama = open_photo(Path(self.folder.name))
        self.file = open_scene(self.panorama)
        self.history = History(self.file.scene)
        self.states, self.at = [state(self.file.scene)], 0

    def apply(self, name, edit):
        scene = self.history.apply(name, edit)
        self.file.record(name, scene)
        self.states = [*self.states[: self.at + 1], state(scene)]
        self.at += 1

    @rule(seed=st.integers(0, 50))
    def add(self, seed):
        self.apply("Add", add_segment(some_segment(self.history.scene.next_number, mask=some_mask(seed))))

    @precondition(lambda self: self.history.scene.segments)
    @rule(data=st.data(), seed=st.integers(0, 50))
    def paint(self, data, seed):
        number = data.draw(st.sampled_from([s.number for s in self.history.scene.segments]))
        self.apply("Brush", change_segment(number, mask=self.history.scene.segment(number).mask | some_mask(seed)))

    @precondition(lambda self: self.history.scene.segments)
    @rule(data=st.data(), review=st.sampled_from(Review), label=st.sampled_from(["", "door", "окно"]))
    def describe(self, data, review, label):
        number = data.draw(st.sampled_from([s.number for s in self.history.scene.segments]))
        self.apply("Label", change_segment(number, review=review, label=label))

    @precondition(lambda self: self.history.scene.segments)
    @rule(data=st.data())
    def remove(self, data):
        number = data.draw(st.sampled_from([s.number for s in self.history.scene.segments]))
        self.apply("Remove", remove_segments([number]))

    @rule()
    def reverse(self):
        self.apply("Order", lambda scene: replace(scene, segments=scene.segments[::-1]))

    @rule(review=st.sampled_from(Review), count=st.integers(0, 2))
    def review(self, review, count):
        self.apply("Review", lambda scene: replace(scene, review=review, labels=LABELS[:count]))

    @rule()
    def undo(self):
        self.file.record("Undo", self.history.undo())
        self.at = max(self.at - 1, 0)
        assert state(self.history.scene) == self.states[self.at]

    @rule()
    def redo(self):
        self.file.record("Redo", self.history.redo())
        self.at = min(self.at + 1, len(self.states) - 1)
        assert state(self.history.scene) == self.states[self.at]

    @rule()
    def save(self):
        self.file.save(self.history.scene)
        assert state(open_scene(self.panorama, read_only=True).scene) == self.states[self.at]

    @rule()
    def crash(self):
        saved = state(open_scene(self.panorama, read_only=True).scene)
        file = open_scene(self.panorama)
        assert (file.recovery is None) == (saved == self.states[self.at])
        scene = file.scene if file.recovery is None else file.accept_recovery()
        assert state(scene) == self.states[self.at]
        self.file, self.history = file, History(scene)
        self.states, self.at = [state(scene)], 0

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()


Editing.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestEditing = Editing.TestCase


# A folder.


def test_a_folder_is_listed_with_states_without_its_masks(tmp_path, monkeypatch):
    for name in ("a.png", "b.png", "sub/c.png", "d.png"):
        open_photo(tmp_path, name, seed=ord(name[0]))
    for name, count, review in (("b.png", 2, Review.OPEN), ("sub/c.png", 1, Review.ACCEPTED)):
        panorama = open_photo(tmp_path, name, seed=ord(name[0]))
        open_scene(panorama).save(replace(some_scene(panorama, count), review=review))
    panorama = open_photo(tmp_path, "d.png", seed=ord("d"))
    open_scene(panorama).record("Add", some_scene(panorama))
    monkeypatch.setattr("core.io.annotation.read_segments", None)
    project = read_project(tmp_path)
    assert [str(entry.photo.relative_to(tmp_path)) for entry in project.entries] == [
        "a.png", "b.png", "d.png", "sub/c.png"
    ]  # fmt: skip
    assert [entry.state for entry in project.entries] == ["unannotated", "annotated", "unannotated", "reviewed"]
    assert project.states == {State.UNANNOTATED: 2, State.ANNOTATED: 1, State.REVIEWED: 1}
    assert [entry.is_unsaved for entry in project.entries] == [False, False, True, False]
    assert project.entries[1].outline.segments == {"door": 2}
    assert project.entries[1].outline.reviews == {Review.ACCEPTED: 2}
    assert not any(entry.problem for entry in project.entries)


def test_a_project_of_one_file_is_read_from_the_photograph_and_from_the_annotation_file(tmp_path):
    panorama = open_photo(tmp_path)
    open_photo(tmp_path, "other.png", 1)
    open_scene(panorama).save(some_scene(panorama))
    for path in (panorama.path, annotation_path(panorama.path)):
        project = read_project(path)
        assert [(entry.photo, entry.annotation) for entry in project.entries] == [
            (panorama.path, annotation_path(panorama.path))
        ]
        assert state(project.annotation(project.entries[0])) == state(some_scene(panorama))
    (single,) = read_project(tmp_path / "other.png").entries
    assert (single.state, read_project(tmp_path / "other.png").annotation(single)) == (State.UNANNOTATED, None)


@pytest.mark.parametrize("name", ["missing", "missing.png", "missing.pano.json", "notes.txt"])
def test_what_is_no_project_gets_a_sentence(name, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ProjectError, match="found none") as caught:
        read_project(tmp_path / name)
    assert str(caught.value).endswith(name)


def test_a_photograph_of_a_name_that_no_file_can_have_is_missing(tmp_path):
    panorama = open_photo(tmp_path)
    annotation = Annotation.of(some_scene(panorama), photo_of(panorama.path, 16, 32))
    foreign = replace(annotation.photo, path="x" * 300 + ".png", sha256="0" * 64)
    path = tmp_path / "gone.png.pano.json"
    write_annotation(path, replace(annotation, photo=foreign))
    (entry,) = [entry for entry in read_project(tmp_path).entries if entry.annotation == path]
    assert (entry.photo, entry.is_moved) == (None, False)
    assert "is missing" in entry.problem
    with pytest.raises(ProjectError, match="is missing"):
        find_photo(path, foreign)


def test_a_name_too_long_for_an_annotation_file_is_a_sentence(tmp_path):
    panorama = open_photo(tmp_path, "x" * 246 + ".png")
    (entry,) = read_project(tmp_path).entries
    assert (entry.state, entry.problem) == (State.UNANNOTATED, "")
    with pytest.raises(ProjectError, match="too long"):
        open_scene(panorama)


def test_one_damaged_file_does_not_hide_the_others(tmp_path):
    for name in ("a.png", "b.png"):
        panorama = open_photo(tmp_path, name)
        open_scene(panorama).save(some_scene(panorama))
    (tmp_path / "a.png.pano.json").write_bytes(b"{")
    first, second = read_project(tmp_path).entries
    assert "JSON" in first.problem
    assert (first.state, second.state, second.problem) == (State.UNANNOTATED, State.REVIEWED, "")


def test_a_renamed_photograph_is_found_by_its_content_and_its_annotations_follow(tmp_path):
    panorama = open_photo(tmp_path, "hall.png")
    write_photo(tmp_path, "other.png", seed=5)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    file.save(some_scene(panorama, 2))
    file.record("Add", some_scene(panorama, 3))
    file.close()
    moved = tmp_path / "sub" / "kitchen.png"
    moved.parent.mkdir()
    panorama.path.rename(moved)

    found, note = find_photo(file.path, read_annotation(file.path).photo, tmp_path)
    assert (found, "another name" in note) == (moved, True)
    entries = read_project(tmp_path).entries
    assert [entry.photo.name for entry in entries] == ["other.png", "kitchen.png"]
    entry = entries[1]
    assert (entry.is_moved, entry.problem, entry.annotation) == (True, "", file.path)
    adopted = adopt(entry)
    assert adopted.annotation == annotation_path(moved)
    assert names(tmp_path) == [
        "other.png", "sub/.kitchen.png.pano.journal", "sub/kitchen.png", "sub/kitchen.png.pano.json",
        "sub/kitchen.png.pano.json.bak",
    ]  # fmt: skip
    again = open_scene(replace(panorama, path=moved))
    assert state(again.scene) == state(some_scene(panorama, 2))
    assert state(again.accept_recovery()) == state(some_scene(panorama, 3))
    with pytest.raises(ProjectError, match="nothing is to be done"):
        adopt(adopted)


def test_annotations_are_never_moved_over_others(tmp_path):
    panorama = open_photo(tmp_path)
    open_scene(panorama).save(some_scene(panorama))
    panorama.path.rename(tmp_path / "kitchen.png")
    (entry,) = read_project(tmp_path).entries
    (tmp_path / "kitchen.png.pano.json").write_bytes(b"precious")
    with pytest.raises(ProjectError, match="move it away"):
        adopt(entry)
    assert (tmp_path / "kitchen.png.pano.json").read_bytes() == b"precious"


def test_a_missing_photograph_is_said(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama))
    panorama.path.unlink()
    write_photo(tmp_path, "other.png", seed=1)
    with pytest.raises(ProjectError, match="is missing"):
        find_photo(file.path, read_annotation(file.path).photo)
    entry = next(entry for entry in read_project(tmp_path).entries if entry.photo is None)
    assert "'hall.png' is missing" in entry.problem


@pytest.mark.parametrize("target", ["outside.png", "circle"])
def test_a_photograph_behind_a_link_out_of_the_folder_is_refused(target, tmp_path):
    outside = write_photo(tmp_path, "outside.png")
    folder = tmp_path / "project"
    panorama = open_photo(folder)
    file = open_scene(panorama)
    file.save(some_scene(panorama))
    panorama.path.unlink()
    panorama.path.symlink_to(outside if target == "outside.png" else panorama.path)
    (entry,) = read_project(folder).entries
    assert "link" in entry.problem
    with pytest.raises(ProjectError, match="link"):
        find_photo(file.path, read_annotation(file.path).photo)


def test_links_to_folders_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    panorama = open_photo(outside)
    open_scene(panorama).save(some_scene(panorama))
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "link").symlink_to(outside)
    assert read_project(tmp_path / "project").entries == ()


def test_a_photograph_whose_path_climbs_through_a_link_is_refused(tmp_path):
    outside = tmp_path / "outside"
    write_photo(outside)
    folder = tmp_path / "project"
    panorama = open_photo(folder)
    (folder / "link").symlink_to(outside)
    path = folder / "x.pano.json"
    open_scene(panorama).save_copy(some_scene(panorama), path)
    annotation = read_annotation(path)
    write_annotation(path, replace(annotation, photo=replace(annotation.photo, path="link/hall.png")))
    panorama.path.unlink()
    with pytest.raises(ProjectError, match="link"):
        find_photo(path, read_annotation(path).photo)
    (entry,) = read_project(folder).entries
    assert (entry.photo, "link" in entry.problem) == (None, True)


# The label set.


def test_the_label_set_is_shared_by_the_folder(tmp_path):
    write_project_file(tmp_path, ProjectFile(labels=(Label("door", (9, 9, 9)), Label("lamp", (1, 1, 1)))))
    panorama = open_photo(tmp_path, "sub/hall.png")
    write_annotation(annotation_path(panorama.path), own_labels(panorama))
    scene = open_scene(panorama).scene
    # The folder's colours and order come first; a label that is in use here is not lost, one that is not in use is.
    assert scene.labels == (Label("door", (9, 9, 9)), Label("lamp", (1, 1, 1)), Label("окно", (10, 200, 250)))
    file = open_scene(panorama)
    assert file.is_saved(file.scene)
    file.save(replace(scene, labels=scene.labels[1:]))
    assert read_project_file(tmp_path).labels == scene.labels[1:]
    assert read_project(tmp_path).labels == scene.labels[1:]


def own_labels(panorama):
    segments = (some_segment(1, label="окно"), some_segment(2, label="door"))
    scene = Scene(panorama, segments=segments, labels=(*LABELS, Label("unused", (0, 0, 0))))
    return Annotation.of(scene, photo_of(panorama.path, panorama.height, panorama.width))


def annotated_folder(folder, count=3):
    """Photographs with a door each, in a project with a label set."""
    panoramas = [open_photo(folder, f"{number}.png", number) for number in range(count)]
    write_project_file(folder, ProjectFile(labels=LABELS))
    for panorama in panoramas:
        open_scene(panorama).save(some_scene(panorama))
    return panoramas


def test_a_renamed_label_is_renamed_everywhere(tmp_path):
    panoramas = annotated_folder(tmp_path)
    assert rename_label(tmp_path, "door", "gate") == ()
    project = read_project_file(tmp_path)
    assert ([label.name for label in project.labels], project.renames) == (["gate", "окно"], ())
    for panorama in panoramas:
        annotation = read_annotation(annotation_path(panorama.path))
        assert {segment.label for segment in annotation.segments} == {"gate"}
        assert [label.name for label in annotation.labels] == ["gate", "окно"]
        assert open_scene(panorama).scene.labels == (Label("gate", (130, 60, 30)), LABELS[1])


def test_a_rename_to_a_name_that_exists_makes_one_of_two(tmp_path):
    panoramas = annotated_folder(tmp_path, 1)
    assert rename_label(tmp_path, "door", "окно") == ()
    scene = open_scene(panoramas[0]).scene
    assert (scene.labels, {segment.label for segment in scene.segments}) == ((LABELS[1],), {"окно"})


def test_a_rename_that_could_not_reach_a_file_takes_effect_when_it_is_opened(tmp_path):
    panoramas = annotated_folder(tmp_path)
    path = annotation_path(panoramas[0].path)
    sound = path.read_bytes()
    path.write_bytes(b"{")
    unsaved = open_scene(panoramas[1])
    unsaved.record("Add", some_scene(panoramas[1], 4))
    unsaved.close()
    (problem,) = rename_label(tmp_path, "door", "gate")
    assert problem.endswith(str(path))
    path.write_bytes(sound)
    assert {segment.label for segment in open_scene(panoramas[0]).scene.segments} == {"gate"}
    recovered = open_scene(panoramas[1]).accept_recovery()
    assert ([segment.label for segment in recovered.segments], recovered.labels[0].name) == (["gate"] * 4, "gate")
    project = read_project(tmp_path)
    assert {segment.label for segment in project.annotation(project.entries[0]).segments} == {"gate"}
    assert read_project_file(tmp_path).renames == (Rename("door", "gate"),)
    journal_path(annotation_path(panoramas[1].path)).unlink()
    assert finish_renames(tmp_path) == ()
    assert read_project_file(tmp_path).renames == ()
    assert {segment.label for segment in read_annotation(path).segments} == {"gate"}


def test_a_rename_leaves_the_files_that_are_being_edited_to_their_editor(tmp_path):
    panoramas = annotated_folder(tmp_path)
    files = [open_scene(panorama) for panorama in panoramas[:2]]
    rename_label(tmp_path, "door", "gate", open_files=[file.path for file in files])
    for file, panorama in zip(files, panoramas, strict=False):
        assert not file.changed_on_disk()
        scene = replace(
            file.scene,
            segments=tuple(replace(segment, label="gate") for segment in file.scene.segments),
            labels=(replace(LABELS[0], name="gate"), LABELS[1]),
        )
        file.save(scene)
        assert open_scene(panorama).scene.labels[0].name == "gate"
    assert finish_renames(tmp_path) == ()
    assert read_project_file(tmp_path).renames == ()


def test_a_name_that_is_used_again_is_not_renamed_again(tmp_path):
    (panorama,) = annotated_folder(tmp_path, 1)
    file = open_scene(panorama)
    rename_label(tmp_path, "door", "gate", open_files=[file.path])
    file.save(replace(file.scene, labels=(Label("gate", (0, 0, 0)), Label("door", (5, 5, 5)))))
    assert {segment.label for segment in open_scene(panorama).scene.segments} == {"door"}


def test_a_name_that_cannot_be_stored_renames_nothing(tmp_path):
    (panorama,) = annotated_folder(tmp_path, 1)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="1000 characters"):
        rename_label(tmp_path, "door", "x" * 5000)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert open_scene(panorama).scene.labels == LABELS
