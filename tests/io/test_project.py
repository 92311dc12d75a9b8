"""Opening and saving the annotations of a photograph, undo and redo through saves."""

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
from core.io.photo_reference import photo_of
from core.io.project import (
    find_photo,
    read_project,
)
from core.io.project_file import ProjectFile, write_project_file
from core.io.recovery import discarded_path
from core.io.scene_file import (
    FileChanged,
    open_scene,
    previous_path,
    read_annotation,
    restore_previous,
)
from core.panorama import Panorama
from core.scene import Review, add_segment, change_segment, remove_segments


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
