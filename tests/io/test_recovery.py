"""What the journal gives back after a crash, together with the annotation file."""

from dataclasses import replace

import numpy as np
import pytest
from project_samples import (
    open_photo,
    some_scene,
    some_segment,
    state,
)

from core.edits import set_level
from core.errors import ProjectError
from core.geometry.camera import rotation_from_angles
from core.io.annotation import Annotation, encode
from core.io.journal import frame, journal_path
from core.io.recovery import discarded_path
from core.io.scene_file import annotation_path, open_scene, previous_path, read_annotation, write_annotation
from core.scene import Review


def crash(panorama):
    """Open again as if the program had been killed."""
    return open_scene(panorama)


def test_a_killed_session_is_offered_and_goes_on(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    file.record("Add", some_scene(panorama, 2))
    again = crash(panorama)
    assert state(again.scene) == state(some_scene(panorama, 1))
    assert state(again.accept_recovery()) == state(some_scene(panorama, 2))
    again.record("Add", some_scene(panorama, 3))
    third = crash(panorama)
    assert (third.recovery.edits, state(third.recovery.annotation)) == (2, state(some_scene(panorama, 3)))
    third.save(third.accept_recovery())
    assert crash(panorama).recovery is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "hall.png", "hall.png.pano.json", "hall.png.pano.json.bak"
    ]  # fmt: skip


def test_a_discarded_recovery_is_kept_until_the_next_save(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.record("Add", some_scene(panorama, 2))
    again = crash(panorama)
    again.discard_recovery()
    assert again.recovery is None
    assert discarded_path(file.path).exists()
    assert crash(panorama).recovery is None
    again.save(some_scene(panorama, 1))
    assert not discarded_path(file.path).exists()


def test_an_offer_that_was_not_answered_is_kept_when_editing_goes_on(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.record("Add", some_scene(panorama, 2))
    offered = journal_path(file.path).read_bytes()
    again = crash(panorama)
    again.record("Add", some_scene(panorama, 1))
    assert (tmp_path / ".hall.png.pano.journal.aside-1").read_bytes() == offered
    assert state(crash(panorama).recovery.annotation) == state(some_scene(panorama, 1))


def test_closing_keeps_what_is_not_saved_unless_it_is_not_wanted(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.record("Add", some_scene(panorama, 2))
    file.close()
    again = crash(panorama)
    again.accept_recovery()
    again.close(discard=True)
    assert crash(panorama).recovery is None
    assert discarded_path(file.path).exists()


def test_edits_that_were_all_undone_leave_nothing_to_recover(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.record("Add", some_scene(panorama, 2))
    file.record("Undo", file.scene)
    file.close()
    assert not journal_path(file.path).exists()


class Killed(BaseException):
    """Nothing of the program runs after this."""


def kill(*args):
    raise Killed


MOMENTS = {"before the file": "core.io.scene_file._replace", "after the file": "core.io.journal.Journal.saved"}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("count", [0, 2])
def test_a_crash_around_a_save_loses_nothing(moment, count, tmp_path, monkeypatch):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    if count:
        file.save(some_scene(panorama, 1))
    file.record("Add", some_scene(panorama, 3))
    with monkeypatch.context() as patch:
        patch.setattr(MOMENTS[moment], kill)
        with pytest.raises(Killed):
            file.save(some_scene(panorama, 3))
    again = crash(panorama)
    if moment == "before the file":
        assert again.recovery.note == ""
        assert state(again.accept_recovery()) == state(some_scene(panorama, 3))
    else:
        assert (state(again.scene), again.recovery) == (state(some_scene(panorama, 3)), None)
        assert not journal_path(file.path).exists()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_crash_while_an_older_scene_is_saved_loses_no_newer_edit(moment, tmp_path, monkeypatch):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    first, second = some_scene(panorama, 2), replace(some_scene(panorama, 3), labels=())
    file.record("First", first)
    file.record("Second", replace(second, segments=second.segments[::-1]))
    file.record("Third", second)
    with monkeypatch.context() as patch:
        patch.setattr(MOMENTS[moment], kill)
        with pytest.raises(Killed):
            file.save(first)
    again = crash(panorama)
    assert again.recovery.note == ""
    assert state(again.accept_recovery()) == state(second)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_crash_while_a_changed_file_is_overwritten_loses_nothing(moment, tmp_path, monkeypatch):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    file.record("Add", some_scene(panorama, 3))
    file.path.write_bytes(encode(replace(read_annotation(file.path), labels=())))
    with monkeypatch.context() as patch:
        patch.setattr(MOMENTS[moment], kill)
        with pytest.raises(Killed):
            file.save(some_scene(panorama, 3), overwrite=True)
    again = crash(panorama)
    assert again.notes == ()
    if moment == "before the file":
        # The labels were taken away from outside; the added segments are ours.
        assert state(again.accept_recovery()) == state(replace(some_scene(panorama, 3), labels=()))
    else:
        assert (state(again.scene), again.recovery) == (state(some_scene(panorama, 3)), None)


def test_edits_after_a_save_that_failed_are_recovered(tmp_path, monkeypatch):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    first, second = some_scene(panorama, 1), some_scene(panorama, 2)
    file.record("First", first)
    file.record("Second", second)

    def fail(*args):
        raise ProjectError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("core.io.scene_file._replace", fail)
        with pytest.raises(ProjectError):
            file.save(first)
    file.record("Third", replace(second, segments=second.segments[::-1]))
    recovery = crash(panorama).recovery
    assert (recovery.edits, recovery.names) == (3, ("First", "Second", "Third"))
    assert state(recovery.annotation) == state(replace(second, segments=second.segments[::-1]))


def test_edits_on_a_file_that_was_changed_from_outside_are_made_again_on_what_it_holds_now(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    scene = some_scene(panorama, 3)
    file.save(scene)
    first, second, third = scene.segments
    file.record("Rename", replace(scene, segments=(first, replace(second, label="a"), replace(third, label="b"))))
    file.record("Add", replace(scene, segments=(replace(third, label="b"), some_segment(4)), labels=()))
    theirs = replace(scene, segments=(replace(first, label="c"), second), review=Review.REJECTED)
    write_annotation(file.path, Annotation.of(theirs, read_annotation(file.path).photo))
    bytes_of_theirs = file.path.read_bytes()
    again = crash(panorama)
    # 1 and 2 were removed here; 3 is gone there, and only its name was changed here.
    assert "changed since, recovering makes these edits again" in again.recovery.note
    assert "without a segment there: 1" in again.recovery.note
    recovered_scene = again.accept_recovery()
    assert state(recovered_scene) == state(replace(theirs, segments=(some_segment(4),), labels=()))
    assert file.path.read_bytes() == bytes_of_theirs
    again.save(recovered_scene)
    assert previous_path(file.path).read_bytes() == bytes_of_theirs


def test_edits_on_a_file_that_is_gone_are_offered_as_far_as_the_journal_holds_them(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    file.record("Add", some_scene(panorama, 2))
    file.path.unlink()
    again = crash(panorama)
    assert "changed since" in again.recovery.note
    assert [segment.number for segment in again.accept_recovery().segments] == [2]


def test_a_journal_of_another_file_of_another_photograph_is_kept_and_said(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.save(some_scene(panorama, 1))
    file.record("Add", some_scene(panorama, 2))
    other = open_photo(tmp_path, "other.png", seed=1)
    journal_path(file.path).rename(journal_path(annotation_path(other.path)))
    again = crash(other)
    assert again.recovery is None
    assert "cannot be recovered: Expected the photograph and the annotation file" in again.notes[0]
    assert (tmp_path / ".other.png.pano.journal.aside-1").exists()


def test_edits_on_a_photograph_that_has_changed_are_offered_with_a_note(tmp_path):
    panorama = open_photo(tmp_path)
    open_scene(panorama).record("Add", some_scene(panorama, 2))
    again = crash(open_photo(tmp_path, seed=8))
    assert "photograph has changed" in again.recovery.note


def test_a_level_is_secured_recovered_and_saved_and_can_be_taken_back(tmp_path):
    panorama = open_photo(tmp_path)
    scene = some_scene(panorama, 1)
    levelled = set_level((0.1, -0.2))(scene)
    file = open_scene(panorama)
    file.save(scene)
    file.record("Level", levelled)
    again = crash(panorama)
    assert again.scene.panorama.level is None
    recovered = again.accept_recovery()
    assert recovered.panorama.level == (0.1, -0.2)
    np.testing.assert_array_equal(recovered.panorama.level_from_world, rotation_from_angles(0, 0.1, -0.2))
    again.save(recovered)
    third = open_scene(panorama)
    assert third.recovery is None
    assert third.scene.panorama.level == (0.1, -0.2)
    own = set_level(None)(third.scene)
    np.testing.assert_array_equal(own.panorama.level_from_world, panorama.level_from_world)
    third.record("Level as photographed", own)
    assert crash(panorama).accept_recovery().panorama.level is None
    assert not third.is_saved(own)


def test_a_journal_of_version_1_is_still_recovered(tmp_path):
    panorama = open_photo(tmp_path)
    file = open_scene(panorama)
    file.record("Add", some_scene(panorama, 2))
    path = journal_path(file.path)
    first, *others = path.read_bytes().splitlines(keepends=True)
    text = first[18:].rstrip(b"\n").decode()
    assert '"version":2' in text
    path.write_bytes(frame(text.replace('"version":2', '"version":1')) + b"".join(others))
    assert state(crash(panorama).accept_recovery()) == state(some_scene(panorama, 2))
