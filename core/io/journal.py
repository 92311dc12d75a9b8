"""Every committed edit on the disk before the next one begins, so that no crash takes more than the stroke in hand.

The journal of `hall.jpg.pano.json` is the hidden file `.hall.jpg.pano.journal` beside it. It holds one record per line:
length and CRC-32 of the text, eight hexadecimal digits each, then the text, a JSON object. The first record names the
annotation file, by SHA-256, that the edits go on from (null: there is none yet). Every other one holds the name of an
edit and what it changed, in the words of the annotation file (`core.io.annotation`): segments, the masks among them
that are new, the numbers of removed segments, and the order, label set, review and level (null: the photograph's own,
since version 2) where they changed. A record with
`saved` says which SHA-256 the annotation file was about to get; its change leads from that file to the state that the
journal had reached.

Reading is in `core.io.recovery`.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import ProjectError
from core.io.annotation import Annotation, label_values, level_values, mask_text, refuse_unreadable, segment_values
from core.io.checked_json import dump_line
from core.io.own_files import remove_own, set_aside, write_own
from core.io.photo_reference import photo_values
from core.scene import Segment

FORMAT = "panoviewer-journal"
VERSION = 2
COMPACT_BYTES = 64 << 20
COMPACT_RECORDS = 20_000
"""A journal that has grown by this much is written anew as one record."""

_MAX_NAME = 200


def journal_path(path: Path) -> Path:
    """The journal of an annotation file."""
    return path.with_name(f".{path.name.removesuffix('.json')}.journal")


class Journal:
    """What changed since an annotation file was written, on the disk edit by edit.

    Nothing is written before the first edit, and nothing is left behind once everything is saved.

    Args:
        path: The annotation file.
        base: What it holds; for a photograph without one, an annotation without segments.
        digest: SHA-256 of the annotation file; None when there is none.
        compact_bytes, compact_records: Growth after which the journal is written anew.
    """

    def __init__(
        self,
        path: Path,
        base: Annotation,
        digest: str | None,
        *,
        compact_bytes: int = COMPACT_BYTES,
        compact_records: int = COMPACT_RECORDS,
    ) -> None:
        self._path = journal_path(path)
        self._base, self._digest = base, digest
        self._written = self._newest = base
        self._compact = compact_bytes, compact_records
        self._descriptor: int | None = None
        self._identity: tuple[int, int] | None = None
        self._edits = 0
        self._size = self._begun_size = self._records = 0

    @property
    def has_edits(self) -> bool:
        """Whether the newest state is not the saved one."""
        return bool(difference(self._base, self._newest))

    def record(self, name: str, annotation: Annotation) -> None:
        """Make an edit durable: when this returns, neither a crash of the program nor of the machine loses it.

        Args:
            name: Of the edit, for the preview of a recovery.
            annotation: The state after it. Undoing and redoing are edits, too.

        Raises:
            ProjectError: It could not be written; the next call includes this edit.
            ValueError: A value that the format does not have.
        """
        self._newest = annotation
        change = difference(self._written, annotation)
        if change:
            refuse_unreadable(change.get("segments", []), change.get("labels", []), annotation.photo)
            if self._descriptor is None or self._is_long() or not self._is_ours():
                self._begin(name, annotation)
            else:
                self._append({"edit": name[:_MAX_NAME], "time": _now(), **change})
            self._edits += 1
        self._written = annotation

    def saving(self, annotation: Annotation, digest: str) -> None:
        """Announce that a state, not necessarily the newest, is about to become the annotation file.

        Args:
            annotation: The state.
            digest: SHA-256 that the annotation file is going to have.

        Raises:
            ProjectError: It could not be written.
        """
        if self._descriptor is not None:
            self._append({"saved": digest, "time": _now(), **difference(annotation, self._written)})

    def saved(self, annotation: Annotation, digest: str) -> None:
        """Forget what led to the state that the annotation file now holds.

        Raises:
            ProjectError: There are newer edits, and the journal could not be written anew for them.
        """
        self._base, self._digest, self._edits = annotation, digest, 0
        if self.has_edits:
            self._begin("Edits while saving", self._newest)
            self._written, self._edits = self._newest, 1
        else:
            self._written = self._newest = annotation
            self.remove()

    def recover(self, annotation: Annotation, edits: int) -> None:
        """Begin with a recovered state, which takes the place of the journal that it came from.

        Raises:
            ProjectError: It could not be written; the old journal is untouched.
        """
        self._identity, self._edits = _identity(self._path), max(edits - 1, 0)
        self._begin("Recovered edits", annotation)
        self._written = self._newest = annotation
        self._edits = edits

    def close(self) -> None:
        """Leave the file as it is: what is in it and not saved will be offered for recovery."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Close and take away what this object has written; a journal that was there before stays.

        Raises:
            ProjectError: The file cannot be removed.
        """
        self.close()
        if self._is_ours():
            remove_own(self._path)
        self._identity = None

    def _begin(self, name: str, annotation: Annotation) -> None:
        """Write the journal anew: the first record and, as one edit, everything since the file was saved."""
        header = {
            "format": FORMAT,
            "version": VERSION,
            "photo": photo_values(self._base.photo),
            "file": self._digest,
            "edits": self._edits,
            "time": _now(),
        }
        edit = {"edit": name[:_MAX_NAME], "time": _now(), **difference(self._base, annotation)}
        data = frame(dump_line(header)) + frame(dump_line(edit))
        if os.path.lexists(self._path) and not self._is_ours():
            set_aside(self._path)
        # Not every system replaces a file that is open.
        self.close()
        write_own(self._path, data)
        self._identity = _identity(self._path)
        self._descriptor = _open_for_appending(self._path)
        self._size = self._begun_size = len(data)
        self._records = 0

    def _append(self, entry: dict[str, Any]) -> None:
        descriptor = self._descriptor
        if descriptor is None:
            raise RuntimeError("the journal has not begun")
        line = frame(dump_line(entry))
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError as error:
            # Half a record must not stand before the next one. Should even this fail, the next edit begins anew.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, self._size)
            self.close()
            raise ProjectError(
                f"The last edit could not be secured against a crash ({error.strerror or error}); free some space and "
                f"save: {self._path}"
            ) from error
        self._size += len(line)
        self._records += 1

    def _is_long(self) -> bool:
        most_bytes, most_records = self._compact
        return self._size - self._begun_size > most_bytes or self._records >= most_records

    def _is_ours(self) -> bool:
        """Whether the file is the one that this object has written, and not deleted or replaced since."""
        return self._identity is not None and _identity(self._path) == self._identity


def difference(before: Annotation, after: Annotation) -> dict[str, Any]:
    """What of a state differs from an earlier one, in the words of a journal; empty when nothing does."""
    old = {segment.number: segment for segment in before.segments}
    changed = [segment for segment in after.segments if not _same(old.get(segment.number), segment)]
    order = [segment.number for segment in after.segments]
    kept = set(order)
    removed = [number for number in old if number not in kept]
    change: dict[str, Any] = {}
    if changed:
        change["segments"] = [segment_values(segment) for segment in changed]
        change["masks"] = {
            str(segment.number): mask_text(segment.mask)
            for segment in changed
            if segment.number not in old or not _same_mask(old[segment.number], segment)
        }
    if removed:
        change["removed"] = removed
    if order != order_after(list(old), removed, [segment.number for segment in changed]):
        change["order"] = order
    if before.labels != after.labels:
        change["labels"] = [label_values(label) for label in after.labels]
    if before.review != after.review:
        change["review"] = str(after.review)
    if before.level != after.level:
        change["level"] = level_values(after.level)
    return change


def order_after(order: list[int], removed: list[int], changed: list[int]) -> list[int]:
    """The order of segments that follows where a record says nothing about it: new ones come last."""
    gone, known = set(removed), set(order)
    return [number for number in order if number not in gone] + [number for number in changed if number not in known]


def frame(text: str) -> bytes:
    """A record as a line."""
    data = text.encode()
    return b"%08x %08x %s\n" % (len(data), zlib.crc32(data), data)


def _same(one: Segment | None, other: Segment) -> bool:
    if one is other:
        return True
    return one is not None and _same_mask(one, other) and segment_values(one) == segment_values(other)


def _same_mask(one: Segment, other: Segment) -> bool:
    return one.mask is other.mask or one.mask.same_as(other.mask)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _open_for_appending(path: Path) -> int:
    flags = os.O_WRONLY | os.O_APPEND
    for name in ("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW"):
        flags |= getattr(os, name, 0)
    try:
        return os.open(path, flags)
    except OSError as error:
        raise ProjectError(
            f"The journal cannot be written ({error.strerror or error}); check the permissions of its folder: {path}"
        ) from error


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
