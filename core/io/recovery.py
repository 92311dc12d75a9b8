"""What a journal holds that its annotation file does not."""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import ProjectError
from core.io.annotation import (
    MAX_SEGMENTS,
    Annotation,
    check_version,
    mask_text,
    read_box_of_mask,
    read_labels,
    read_level,
    read_segments,
    refuse_repeats,
)
from core.io.checked_json import MAX_INTEGER, FieldError, Fields, parse_object
from core.io.journal import FORMAT, VERSION, Journal, difference, journal_path, order_after
from core.io.own_files import free_name, keep_previous, read_own, remove_own, set_aside
from core.io.photo_reference import Photo, read_photo
from core.scene import Review, Segment

MAX_BYTES = 512 << 20
MAX_RECORDS = 100_000

_FRAME = re.compile(rb"([0-9a-f]{8}) ([0-9a-f]{8}) ")
_FRAME_BYTES = 18
_NAMES = 20


@dataclass(frozen=True, eq=False)
class Generation:
    """A state of an annotation file.

    Attributes:
        digest: SHA-256 of the file; None for no file at all.
        annotation: What it holds.
    """

    digest: str | None
    annotation: Annotation


@dataclass(frozen=True, eq=False)
class Recovery:
    """Work that is in a journal and not in the annotation file.

    Attributes:
        annotation: The state to go on with.
        edits: How many were made since the last save.
        names: Of the last of them, the newest last.
        started, ended: When the first and the last were made, in UTC: '2026-11-21T14:03:22Z'.
        added, changed, removed: How many segments differ from the saved file, and how.
        note: A sentence when not all is well; empty otherwise.
        is_damaged: Records are missing from the middle; the journal is kept whatever is answered.
    """

    annotation: Annotation
    edits: int
    names: tuple[str, ...]
    started: str
    ended: str
    added: int
    changed: int
    removed: int
    note: str
    is_damaged: bool
    _path: Path = field(repr=False)
    _saved: Generation = field(repr=False)

    def accept(self) -> Journal:
        """Go on from this state; the journal to go on with, which already holds all of it.

        Raises:
            ProjectError: The journal could not be written; nothing is lost.
        """
        if self.is_damaged:
            keep_previous(journal_path(self._path), free_name(journal_path(self._path)))
        journal = Journal(self._path, self._saved.annotation, self._saved.digest)
        journal.recover(self.annotation, self.edits)
        return journal

    def discard(self) -> None:
        """Go on from the saved file; the journal stays under another name until the next save.

        Raises:
            ProjectError: It could not be renamed.
        """
        if self.is_damaged:
            set_aside(journal_path(self._path))
        else:
            discard_journal(self._path)


def discarded_path(path: Path) -> Path:
    """Where the journal of an annotation file lies after it was discarded."""
    journal = journal_path(path)
    return journal.with_name(f"{journal.name}.discarded")


def discard_journal(path: Path) -> None:
    """Take the journal of an annotation file out of the way, so that a wrong answer can still be mended.

    Raises:
        ProjectError: It could not be renamed.
    """
    try:
        os.replace(journal_path(path), discarded_path(path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ProjectError(
            f"The journal could not be discarded ({error.strerror or error}); check the permissions: "
            f"{journal_path(path)}"
        ) from error


def find_recovery(path: Path, saved: Generation) -> Recovery | None:
    """Work in the journal of an annotation file that is not in the file.

    Where the file is not the one that the edits were made on, they are made again on what it holds now.

    Args:
        path: The annotation file.
        saved: What it holds, with the photograph as it is now.

    Raises:
        ProjectError: The journal cannot be used: it is damaged, or of another photograph. It has been set aside, not
            deleted.
    """
    data = read_own(journal_path(path), MAX_BYTES)
    if data is None:
        return None
    try:
        found = _replay(data, path, saved)
    except FieldError as error:
        aside = set_aside(journal_path(path))
        raise ProjectError(
            f"Edits of a session that did not end well cannot be recovered: {error}; their journal is kept: {aside}"
        ) from error
    if difference(saved.annotation, found.annotation):
        return found
    if found.is_damaged:
        set_aside(journal_path(path))
    else:
        remove_own(journal_path(path))
    return None


def _replay(data: bytes, path: Path, saved: Generation) -> Recovery:
    texts, is_damaged = _frames(data)
    if not texts:
        raise FieldError("a journal", data[:20])
    header = parse_object(texts[0])
    check_version(header, FORMAT, VERSION)
    photo, now = read_photo(header.inner("photo")), saved.annotation.photo
    if (photo.height, photo.width) != (now.height, now.width):
        raise FieldError(
            f"a photograph of {photo.width} x {photo.height} as when they were made", f"{now.width} x {now.height}"
        )
    records = [_Record(parse_object(text), number) for number, text in enumerate(texts[1:], 1)]
    first_digest = None if header.is_null("file") else header.digest("file")
    earlier = header.integer("edits")
    header.text("time", 40)
    header.finish()
    digests = [first_digest, *(record.saved for record in records)]
    starts = [at for at, digest in enumerate(digests) if digest == saved.digest and (at == 0 or digest is not None)]
    if not starts and photo.sha256 != now.sha256:
        raise FieldError("the photograph and the annotation file that they were made on", "others")
    start = starts[-1] if starts else 0
    state = _State(saved.annotation, is_exact=bool(starts))
    # The change of a save leads from the saved to the present state; where that is reached already, it changes nothing.
    for record in records[max(start - 1, 0) :]:
        state.apply(record)
    edits = [record for record in records[start:] if record.saved is None]
    annotation = state.annotation(now)
    notes = []
    if not starts:
        missed = f"; changes without a segment there: {state.missed}" if state.missed else ""
        notes.append(
            f"The saved file was changed since, recovering makes these edits again on what it holds now{missed}"
        )
    if is_damaged:
        notes.append("The journal is damaged; only the edits before the damage are offered")
    if photo.sha256 != now.sha256:
        notes.append("The photograph has changed since these edits were made")
    change = difference(saved.annotation, annotation)
    changed = {values["number"] for values in change.get("segments", ())}
    old = {segment.number for segment in saved.annotation.segments}
    return Recovery(
        annotation=annotation,
        edits=len(edits) + (earlier if start == 0 else 0),
        names=tuple(record.name for record in edits[-_NAMES:]),
        started=edits[0].time if edits else "",
        ended=edits[-1].time if edits else "",
        added=len(changed - old),
        changed=len(changed & old),
        removed=len(change.get("removed", ())),
        note=" ".join(f"{note}." for note in notes),
        is_damaged=is_damaged,
        _path=path,
        _saved=saved,
    )


def _frames(data: bytes) -> tuple[list[bytes], bool]:
    """The texts of the sound records up to the first that is not, and whether sound ones follow that."""
    texts: list[bytes] = []
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        text = _framed(data[at : end if end >= 0 else len(data)]) if end >= 0 else None
        if text is None:
            return texts, _has_frame(data, at)
        texts.append(text)
        if len(texts) > MAX_RECORDS:
            raise FieldError(f"at most {MAX_RECORDS} edits", "more")
        at = end + 1
    return texts, False


def _framed(line: bytes) -> bytes | None:
    match = _FRAME.match(line)
    text = line[_FRAME_BYTES:]
    if match is None or int(match[1], 16) != len(text) or int(match[2], 16) != zlib.crc32(text):
        return None
    return text


def _has_frame(data: bytes, at: int) -> bool:
    """Whether a sound record begins behind the damaged one at `at`."""
    while (at := data.find(b"\n", at) + 1) > 0:
        end = data.find(b"\n", at)
        if end >= 0 and _framed(data[at:end]) is not None:
            return True
    return False


class _Record:
    """An edit as it was written; its segments are looked at when they turn out to be part of the outcome."""

    def __init__(self, fields: Fields, number: int) -> None:
        self.saved = fields.digest("saved") if fields.has("saved") else None
        self.name = "" if self.saved else fields.text("edit")
        self.time = fields.text("time", 40)
        self.segments = fields.objects("segments", MAX_SEGMENTS) if fields.has("segments") else []
        self.masks = fields.inner("masks") if fields.has("masks") else Fields({}, f"masks of edit {number}")
        self.removed = _numbers(fields, "removed") if fields.has("removed") else []
        self.order = _numbers(fields, "order") if fields.has("order") else None
        self.labels = read_labels(fields) if fields.has("labels") else None
        self.review = fields.choice("review", Review) if fields.has("review") else None
        self.has_level = fields.has("level")
        self.level = read_level(fields) if self.has_level else None
        fields.finish()


def _numbers(fields: Fields, name: str) -> list[int]:
    values = fields.values(name, MAX_SEGMENTS)
    for value in values:
        if type(value) is not int or not 1 <= value <= MAX_INTEGER:
            raise FieldError(f"numbers of segments in {name}", value)
    refuse_repeats(f"numbers in {name}", values)
    return values


class _State:
    """Segments as they stand: those of the file as they are, those of the journal still as they were written.

    Args:
        annotation: To begin with.
        is_exact: It is what the edits were made on; otherwise those that do not fit are passed over and counted.
    """

    def __init__(self, annotation: Annotation, *, is_exact: bool) -> None:
        self._segments: dict[int, Segment | tuple[Fields, str]] = {s.number: s for s in annotation.segments}
        self._labels, self._review, self._level = annotation.labels, annotation.review, annotation.level
        self._photo = annotation.photo
        self._is_exact = is_exact
        self.missed = 0

    def apply(self, record: _Record) -> None:
        """Make an edit again."""
        changed: dict[int, tuple[Fields, str]] = {}
        refuse_repeats("segment numbers", [fields.integer("number", 1) for fields in record.segments])
        for fields in record.segments:
            number = fields.integer("number", 1)
            name = str(number)
            if record.masks.has(name):
                changed[number] = fields, record.masks.text(name, limit=None)
            elif (text := self._present_mask(number, read_box_of_mask(fields.inner("mask"), self._photo))) is not None:
                changed[number] = fields, text
            elif self._is_exact:
                raise FieldError(f"a mask of segment {number}", "none")
            else:
                self.missed += 1
        order = order_after(list(self._segments), record.removed, list(changed))
        if record.order is not None and set(record.order) == set(order):
            order = record.order
        elif record.order is not None and self._is_exact:
            raise FieldError("an order of the segments that there are", "others")
        if len(order) > MAX_SEGMENTS:
            raise FieldError(f"at most {MAX_SEGMENTS} segments", len(order))
        self._segments |= changed
        self._segments = {number: self._segments[number] for number in order}
        self._labels = self._labels if record.labels is None else record.labels
        self._review = self._review if record.review is None else record.review
        self._level = record.level if record.has_level else self._level

    def _present_mask(self, number: int, box: tuple[int, int, int, int, int]) -> str | None:
        """The content of the mask that a segment has, if it is one of this box."""
        match self._segments.get(number):
            case Segment(mask=mask) if (mask.row, mask.col, mask.rows, mask.cols, mask.count) == box:
                return mask_text(mask)
            case (Fields() as fields, str(text)) if read_box_of_mask(fields.inner("mask"), self._photo) == box:
                return text
        return None

    def annotation(self, photo: Photo) -> Annotation:
        """With the masks of what has changed unpacked and checked."""
        written = {number: entry for number, entry in self._segments.items() if not isinstance(entry, Segment)}
        masks = Fields({str(number): text for number, (_, text) in written.items()}, "masks")
        read = read_segments([fields for fields, _ in written.values()], masks, photo)
        by_number = {segment.number: segment for segment in read}
        segments = tuple(
            entry if isinstance(entry, Segment) else by_number[number] for number, entry in self._segments.items()
        )
        return Annotation(photo, segments, self._labels, self._review, self._level)
