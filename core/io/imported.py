"""What files of other annotation tools say, before it becomes annotations of a project."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ProjectError
from core.geometry.flat_polygons import fill_polygon
from core.geometry.regions import Bits
from core.io.checked_json import MAX_INTEGER, MAX_TEXT, FieldError, Fields, naming, parse_object
from core.io.memory import default_memory_budget
from core.scene import Color, Review

MAX_FILE = 1 << 30
_BYTES_PER_PART = 100
"""Memory that a parsed value takes, with some reserve."""
_MIN_PARTS = 1_000_000


@dataclass(frozen=True, eq=False)
class ImportedMask:
    """A mask in the pixels of a picture.

    Attributes:
        row, col: Where `bits` begins.
        bits: (rows, cols) bool, within the picture.
    """

    row: int
    col: int
    bits: Bits


@dataclass(frozen=True, eq=False)
class ImportedSegment:
    """A segment that is not worked out yet.

    Attributes:
        label: Name of its class; '' for none.
        mask: Makes its mask; raises `FieldError` when that is damaged.
        number: That PanoViewer gave it; None when another tool made it.
        group, locked, review, score, model: As in a `Segment`.
    """

    label: str
    mask: Callable[[], ImportedMask]
    number: int | None = None
    group: int = 0
    locked: bool = False
    review: Review = Review.OPEN
    score: float = math.nan
    model: str = ""


@dataclass(frozen=True, eq=False)
class ImportedPicture:
    """A picture and what was drawn on it.

    Attributes:
        name: Of its file, as the file says, with '/'.
        height, width: Of the picture.
        segments: Later ones lie on top.
    """

    name: str
    height: int
    width: int
    segments: tuple[ImportedSegment, ...]


@dataclass(frozen=True, eq=False)
class ImportedFile:
    """The content of one file.

    Attributes:
        pictures: That it describes.
        labels: Names and, where it says so, colours.
        skipped: How many shapes of which kind have no pixels and are left out.
    """

    pictures: tuple[ImportedPicture, ...]
    labels: dict[str, Color | None]
    skipped: dict[str, int]


def read_json(path: Path, what: str) -> Fields:
    """The object in a file, however large as memory allows.

    Args:
        path: The file.
        what: It should be: 'a COCO file'.

    Raises:
        ProjectError: It cannot be read or is no JSON object.
    """
    with naming(path, "check that it is the right file"):
        try:
            if path.is_dir():
                raise ProjectError(f"Expected {what}, got a folder; name a file in it: {path}")
            size = path.stat().st_size
            if not path.is_file():
                raise ProjectError(f"Expected {what}, got a device or pipe; name an ordinary file: {path}")
            if size > MAX_FILE:
                raise FieldError(f"{what} of at most {MAX_FILE >> 20} MiB", f"{size >> 20} MiB")
            data = path.read_bytes()
        except OSError as error:
            raise FieldError(f"{what} that can be read", error.strerror or str(error)) from error
        parts = max(default_memory_budget() // _BYTES_PER_PART, _MIN_PARTS)
        return parse_object(data, max_bytes=MAX_FILE, max_parts=parts)


class Extras:
    """Fields that PanoViewer has added to another tool's format; what does not fit is passed over.

    Args:
        fields: The object that may hold them.
        name: Under which they stand in it.
    """

    def __init__(self, fields: Fields, name: str) -> None:
        self._fields: Fields | None = None
        if fields.has(name) and not fields.is_null(name):
            try:
                self._fields = fields.inner(name)
            except FieldError:
                # Another tool uses the name for something else.
                self._fields = None

    def values(self) -> dict[str, Any]:
        """Arguments of `ImportedSegment`."""
        found: dict[str, Any] = {}
        for name, read in _READERS.items():
            if self._fields is not None and self._fields.has(name):
                try:
                    found[name] = read(self._fields, name)
                except FieldError:
                    continue
        return found


def _score(fields: Fields, name: str) -> float:
    score = fields.number_or_none(name)
    return math.nan if score is None else score


_READERS: dict[str, Callable[[Fields, str], Any]] = {
    "number": lambda fields, name: fields.integer(name, 1),
    "group": lambda fields, name: fields.integer(name),
    "locked": lambda fields, name: fields.flag(name),
    "review": lambda fields, name: fields.choice(name, Review),
    "score": _score,
    "model": lambda fields, name: fields.text(name),
}


def read_name(fields: Fields, name: str) -> str:
    """A file's name with '/', whichever system wrote it."""
    return fields.text(name, MAX_TEXT).replace("\\", "/")


def read_group(fields: Fields, name: str) -> int:
    """A group that may be null, missing or not a number of ours; 0 for none."""
    if not fields.has(name) or fields.is_null(name):
        return 0
    try:
        return fields.integer(name, 0, MAX_INTEGER)
    except FieldError:
        return 0


def polygon_mask(height: int, width: int, corners: NDArray[np.float64]) -> ImportedMask:
    """The inside of a polygon in a picture.

    Raises:
        FieldError: It is none.
    """
    try:
        row, bits = fill_polygon(height, width, corners)
    except ValueError as error:
        raise FieldError("a polygon of the picture", str(error)) from error
    return ImportedMask(row, 0, bits)


def united(masks: Iterable[ImportedMask]) -> ImportedMask:
    """Masks that are as wide as their picture as one; of those that are made on the way, one is held at a time."""
    row, bits = 0, np.zeros((0, 0), np.bool_)
    for mask in masks:
        if not len(mask.bits):
            continue
        if not len(bits):
            row, bits = mask.row, np.zeros_like(mask.bits)
        above, below = max(row - mask.row, 0), max(mask.row + len(mask.bits) - row - len(bits), 0)
        if above or below:
            row, bits = row - above, np.pad(bits, ((above, below), (0, 0)))
        bits[mask.row - row : mask.row - row + len(mask.bits)] |= mask.bits
    return ImportedMask(row, 0, bits)
