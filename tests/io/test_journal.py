"""The journal: every acknowledged edit is on the disk, and whatever the file looks like it is read or kept."""

import errno
import json
import math
import os
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_samples import (
    LABELS,
    annotations,
    some_annotation,
    some_mask,
    some_segment,
    state,
)

from core.errors import ProjectError
from core.io.annotation import encode
from core.io.journal import Journal, difference, frame, journal_path
from core.io.recovery import Generation, find_recovery
from core.scene import Click, Review

EMPTY = some_annotation(0, labels=(), review=Review.OPEN)


def recovered(folder, saved=EMPTY, digest=None):
    return find_recovery(folder / "hall.png.pano.json", Generation(digest, saved))


def journal_of(folder, *states, base=EMPTY, digest=None, **options):
    """A journal with an edit for each state; its path."""
    journal = Journal(folder / "hall.png.pano.json", base, digest, **options)
    for number, annotation in enumerate(states, 1):
        journal.record(f"Edit {number}", annotation)
    journal.close()
    return journal_path(folder / "hall.png.pano.json")


def steps(count):
    return [replace(EMPTY, segments=tuple(some_segment(number) for number in range(1, n + 2))) for n in range(count)]


@given(st.lists(annotations, min_size=1, max_size=5))
def test_the_last_state_comes_back_whatever_the_edits_were(tmp_path_factory, states):
    folder = tmp_path_factory.mktemp("journal")
    journal_of(folder, *states)
    recovery = recovered(folder)
    if not difference(EMPTY, states[-1]):
        assert recovery is None
    else:
        assert state(recovery.annotation) == state(states[-1])


@given(annotations, annotations, annotations)
def test_edits_go_on_from_the_saved_file(tmp_path_factory, saved, first, second):
    folder = tmp_path_factory.mktemp("journal")
    journal_of(folder, first, second, base=saved, digest="a" * 64)
    recovery = recovered(folder, saved, "a" * 64)
    assert state(second if recovery is None else recovery.annotation) == state(second)
    assert (recovery is None) == (not difference(saved, second))


def test_a_recovery_says_what_it_holds(tmp_path):
    base = replace(EMPTY, segments=(some_segment(1), some_segment(2), some_segment(3)))
    first = replace(base, segments=(some_segment(1, label="x"), some_segment(3)))
    second = replace(first, segments=(*first.segments, some_segment(4), some_segment(5)))
    journal_of(tmp_path, first, second, base=base, digest="b" * 64)
    recovery = recovered(tmp_path, base, "b" * 64)
    assert (recovery.edits, recovery.names) == (2, ("Edit 1", "Edit 2"))
    assert (recovery.added, recovery.changed, recovery.removed) == (2, 1, 1)
    assert recovery.started <= recovery.ended
    assert recovery.started.endswith("Z")
    assert (recovery.note, recovery.is_damaged) == ("", False)


def test_an_edit_writes_only_what_it_changes(tmp_path):
    segments = tuple(some_segment(number) for number in range(1, 50))
    many = replace(EMPTY, segments=segments)
    painted = replace(many, segments=(*segments[:-1], replace(segments[-1], mask=some_mask(77))))
    named = replace(painted, segments=(*painted.segments[:-1], replace(painted.segments[-1], label="lamp")))
    assert list(difference(many, painted)) == ["segments", "masks"]
    assert (len(difference(many, painted)["segments"]), list(difference(many, painted)["masks"])) == (1, ["49"])
    assert difference(painted, named)["masks"] == {}
    assert difference(named, replace(named, segments=named.segments[1:])) == {"removed": [1]}
    assert difference(named, replace(named, review=Review.ACCEPTED)) == {"review": "accepted"}
    assert difference(named, replace(named, segments=tuple(replace(s) for s in named.segments))) == {}


def test_another_order_is_an_edit(tmp_path):
    base = steps(4)[3]
    turned = replace(base, segments=base.segments[::-1])
    added = replace(base, segments=(some_segment(9), *turned.segments))
    journal_of(tmp_path, turned, added, base=base, digest="b" * 64)
    assert state(recovered(tmp_path, base, "b" * 64).annotation) == state(added)
    assert difference(base, turned) == {"order": [4, 3, 2, 1]}


def test_an_edit_is_on_the_disk_when_recording_returns(tmp_path, monkeypatch):
    synced = []
    real = os.fsync

    def sync(descriptor):
        real(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", sync)
    journal = Journal(tmp_path / "hall.png.pano.json", EMPTY, None)
    for annotation in steps(3):
        synced.clear()
        journal.record("Add", annotation)
        assert journal_path(tmp_path / "hall.png.pano.json").stat().st_size in synced
    journal.close()


def test_a_torn_record_is_dropped_wherever_it_is_torn(tmp_path):
    states = steps(3)
    path = journal_of(tmp_path, *states)
    data = path.read_bytes()
    start = data.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(start, len(data)):
        path.write_bytes(data[:end])
        recovery = recovered(tmp_path)
        assert (state(recovery.annotation), recovery.note, recovery.edits) == (state(states[1]), "", 2)


@pytest.mark.parametrize("tail", [bytes(100), b"\n\n\n", b"deadbeef cafebabe rubbish\n", b"\xff" * 3000])
def test_rubbish_behind_the_last_record_is_dropped(tail, tmp_path):
    path = journal_of(tmp_path, *steps(2))
    with path.open("ab") as stream:
        stream.write(tail)
    assert state(recovered(tmp_path).annotation) == state(steps(2)[-1])


def test_what_comes_before_damage_is_offered_and_the_journal_is_kept(tmp_path):
    path = journal_of(tmp_path, *steps(4))
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:3], lines[3].replace(b"door", b"d00r"), *lines[4:]])
    path.write_bytes(damaged)
    recovery = recovered(tmp_path)
    assert state(recovery.annotation) == state(steps(4)[1])
    assert recovery.is_damaged
    assert "damaged" in recovery.note
    recovery.accept().close()
    assert (tmp_path / f"{path.name}.aside-1").read_bytes() == damaged
    assert state(recovered(tmp_path).annotation) == state(steps(4)[1])
    path.write_bytes(damaged)
    recovered(tmp_path).discard()
    assert (tmp_path / f"{path.name}.aside-2").read_bytes() == damaged
    assert recovered(tmp_path) is None


def record(**values):
    return frame(json.dumps({"edit": "x", "time": "2026-01-01T00:00:00Z"} | values))


HEADER = {
    "format": "panoviewer-journal",
    "version": 1,
    "photo": {"path": "hall.png", "bytes": 1, "sha256": "c" * 64, "height": 16, "width": 32},
    "file": None,
    "edits": 0,
    "time": "2026-01-01T00:00:00Z",
}
FULL = difference(EMPTY, some_annotation(1))
FOREIGN = {
    "empty": (b"", "a journal"),
    "rubbish": (b"hello\n" * 100, "a journal"),
    "an annotation file": (encode(some_annotation()), "a journal"),
    "another format": (frame(json.dumps(HEADER | {"format": "x"})), "format"),
    "future version": (frame(json.dumps(HEADER | {"version": 3})), "update PanoViewer"),
    "another size": (
        frame(json.dumps(HEADER | {"photo": HEADER["photo"] | {"height": 32, "width": 64}})), "64 x 32"
    ),
    "a path out": (frame(json.dumps(HEADER | {"photo": HEADER["photo"] | {"path": "../x"}})), "within the folder"),
    "another file": (frame(json.dumps(HEADER | {"file": "d" * 64})) + record(**FULL), "others"),
    "not JSON": (frame("{"), "JSON"),
    "a list": (frame("[]"), "an object"),
    "no photo": (frame(json.dumps({k: v for k, v in HEADER.items() if k != "photo"})), "photo"),
    "unknown field": (frame(json.dumps(HEADER)) + record(extra=1), "extra"),
    "record of a list": (frame(json.dumps(HEADER)) + frame("[1]"), "an object"),
    "removed as text": (frame(json.dumps(HEADER)) + record(removed="cat"), "a list"),
    "removed true": (frame(json.dumps(HEADER)) + record(removed=[True]), "numbers"),
    "order of nobody": (frame(json.dumps(HEADER)) + record(order=[1, 2]), "order"),
    "order twice": (frame(json.dumps(HEADER)) + record(**FULL, order=[1, 1]), "order"),
    "segment without mask": (frame(json.dumps(HEADER)) + record(**(FULL | {"masks": {}})), "mask of segment 1"),
    "segment twice": (frame(json.dumps(HEADER)) + record(segments=FULL["segments"] * 2), "segment numbers"),
    "damaged mask": (frame(json.dumps(HEADER)) + record(**(FULL | {"masks": {"1": "AAAA"}})), "mask of segment 1"),
    "NaN": (frame(json.dumps(HEADER)) + frame('{"edit": "x", "time": "", "removed": [NaN]}'), "finite"),
    "review of another word": (frame(json.dumps(HEADER)) + record(review="maybe"), "'open'"),
    "hash of a save": (frame(json.dumps(HEADER)) + record(saved="xyz"), "SHA-256"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_journal_gets_a_sentence_and_is_kept(name, tmp_path):
    data, words = FOREIGN[name]
    path = journal_path(tmp_path / "hall.png.pano.json")
    path.write_bytes(data)
    with pytest.raises(ProjectError, match=words) as caught:
        recovered(tmp_path)
    aside = tmp_path / f"{path.name}.aside-1"
    assert str(caught.value).endswith(f": {aside}")
    assert "\n" not in str(caught.value)
    assert aside.read_bytes() == data
    assert not path.exists()


def test_too_many_records_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("core.io.recovery.MAX_RECORDS", 5)
    journal_of(tmp_path, *steps(6))
    with pytest.raises(ProjectError, match="at most 5 edits"):
        recovered(tmp_path)


def test_a_journal_set_aside_does_not_take_the_place_of_an_earlier_one(tmp_path):
    path = journal_path(tmp_path / "hall.png.pano.json")
    for content in (b"first", b"second"):
        path.write_bytes(content)
        with pytest.raises(ProjectError):
            recovered(tmp_path)
    assert (tmp_path / f"{path.name}.aside-1").read_bytes() == b"first"
    assert (tmp_path / f"{path.name}.aside-2").read_bytes() == b"second"


@pytest.mark.parametrize("part_of_a_record", [0, 10])
def test_an_edit_that_cannot_be_written_is_said_and_comes_with_the_next(part_of_a_record, tmp_path, monkeypatch):
    states = steps(4)
    journal = Journal(tmp_path / "hall.png.pano.json", EMPTY, None)
    journal.record("Edit 1", states[0])
    journal.record("Edit 2", states[1])
    real = os.write

    def fail(descriptor, data):
        if part_of_a_record and len(data) > part_of_a_record and not fail.was_called:
            fail.was_called = True
            return real(descriptor, data[:part_of_a_record])
        raise OSError(errno.ENOSPC, "No space left on device")

    fail.was_called = False
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        with pytest.raises(ProjectError, match="free some space and save"):
            journal.record("Edit 3", states[2])
    assert state(recovered(tmp_path).annotation) == state(states[1])
    journal.record("Edit 4", states[3])
    assert state(recovered(tmp_path).annotation) == state(states[3])
    journal.close()


@pytest.mark.parametrize("changes", [{"label": "x" * 2000}, {"group": -1}, {"clicks": (Click(math.nan, 0),)}])
def test_what_could_not_be_recovered_is_refused_when_it_is_recorded(changes, tmp_path):
    journal = Journal(tmp_path / "hall.png.pano.json", EMPTY, None)
    journal.record("Edit 1", steps(2)[0])
    with pytest.raises(ValueError, match="segment 2"):
        journal.record("Edit 2", replace(EMPTY, segments=(some_segment(1), some_segment(2, **changes))))
    assert state(recovered(tmp_path).annotation) == state(steps(2)[0])
    journal.record("Edit 3", steps(2)[1])
    assert state(recovered(tmp_path).annotation) == state(steps(2)[1])
    journal.close()


def test_a_journal_that_was_deleted_under_the_program_is_written_anew(tmp_path):
    journal = Journal(tmp_path / "hall.png.pano.json", EMPTY, None)
    states = steps(3)
    journal.record("Edit 1", states[0])
    journal_path(tmp_path / "hall.png.pano.json").unlink()
    journal.record("Edit 2", states[1])
    assert state(recovered(tmp_path).annotation) == state(states[1])
    journal.close()


@pytest.mark.parametrize("limits", [{"compact_bytes": 3000}, {"compact_records": 3}])
def test_a_long_journal_is_written_anew_and_counts_on(limits, tmp_path):
    journal = Journal(tmp_path / "hall.png.pano.json", EMPTY, None, **limits)
    path = journal_path(tmp_path / "hall.png.pano.json")
    longest = 0
    for number in range(60):
        last = replace(EMPTY, segments=(some_segment(1, mask=some_mask(number)),), labels=LABELS)
        journal.record(f"Stroke {number}", last)
        longest = max(longest, path.stat().st_size)
    assert longest < 6000
    recovery = recovered(tmp_path)
    assert (state(recovery.annotation), recovery.edits) == (state(last), 60)
    journal.close()


def test_two_programs_that_write_one_journal_in_spite_of_the_lock_lose_nothing(tmp_path):
    path = tmp_path / "hall.png.pano.json"
    first, second = Journal(path, EMPTY, None), Journal(path, EMPTY, None)
    first.record("Edit 1", steps(3)[0])
    second.record("Edit 1", steps(3)[1])
    first.record("Edit 2", steps(3)[2])
    first.close()
    second.remove()
    assert state(recovered(tmp_path).annotation) == state(steps(3)[2])
    assert len(list(tmp_path.glob(".hall*.aside-*"))) == 2


def test_the_checksum_covers_every_byte():
    line = frame('{"edit": "x"}')
    assert int(line[9:17], 16) == zlib.crc32(line[18:-1])
    assert int(line[:8], 16) == len(line[18:-1])
