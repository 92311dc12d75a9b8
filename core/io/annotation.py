"""What a person made of one photograph, as a file that people can read and compare.

An annotation file is JSON in UTF-8. The same annotations give the same bytes: fields stand in the order below, a value
without inner values takes one line, and the masks come last, one per line, so that their size is in nobody's way.

    {
     "format": "panoviewer-annotation",
     "version": 1,
     "photo": {"path": "hall.jpg", "bytes": 18273645, "sha256": "...", "height": 4096, "width": 8192},
     "review": "open",
     "labels": [
      {"name": "door", "color": "#823c1e"}
     ],
     "segments": [
      {
       "number": 7,
       "label": "door",
       "color": null,
       "group": 0,
       "locked": false,
       "review": "accepted",
       "score": 0.93,
       "model": "click-s",
       "box": null,
       "clicks": [
        {"lon": 0.52, "lat": -0.11, "positive": true}
       ],
       "mask": {"row": 1800, "col": 8100, "rows": 900, "cols": 400, "count": 214000}
      }
     ],
     "masks": {
      "7": "eAFj..."
     }
    }

- Where a person has said what is level, `version` is 2, and behind `photo` stands a line more:
  `"level": {"pitch": 0.021, "roll": -0.034}`, radians. A direction d of the photograph is R d in the level frame, with
  R of `core.geometry.camera.rotation_from_angles`: roll about z first, then pitch about x. It takes the place of the
  pose in the photograph's metadata. A file without it has version 1, which older programs can read, too.
- `photo.path` is relative to the folder of the annotation file and never leaves it; it is written with '/'.
- `review` is 'open', 'accepted' or 'rejected', of the panorama and of each segment.
- `labels` is the label set in the order of its hot keys. `segments` are in the order in which they were made; later
  ones lie on top. A `label` is a name, '' when not given; a `color` that is null takes the label's.
- Angles are radians in the photograph's frame: `lon` to the right, `lat` up. A `box` is null or `west`, `south`,
  `east`, `north`, across the seam when east < west. `score` is null when a hand made the mask.
- `mask` is the smallest box that holds the segment, in pixels of the photograph's grid; columns count on across the
  seam. `masks` holds, by number, base64 of the zlib-deflated bits of that box, row by row, eight to a byte, the highest
  first, without padding between rows.

Nothing else may stand in the file. A file that asks for a newer `version` than this is refused.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import ProjectError
from core.io.checked_json import FieldError, Fields, dump_object, parse_object, refuse_too_much
from core.io.memory import default_memory_budget, format_bytes
from core.io.photo_reference import Photo, photo_values, read_photo
from core.mask import STORED_BYTES_PER_PIXEL, SphereMask
from core.panorama import Level, Panorama
from core.prediction import Prediction
from core.scene import Box, Click, Color, Label, Review, Scene, Segment

FORMAT = "panoviewer-annotation"
VERSION = 2
VERSION_WITHOUT_LEVEL = 1

MAX_SEGMENTS = 100_000
MAX_LABELS = 10_000
MAX_CLICKS = 100_000
MAX_MASK_BITS = 1 << 35
"""Pixels in the boxes of all masks of a file; 1000 masks that each fill an 8K panorama."""

_SMALL_BYTES = 64 << 20
"""A mask that takes less to be read is read without asking how much memory there is."""
_MASKS = b'\n "masks": {'


@dataclass(frozen=True, eq=False)
class Annotation:
    """A scene without its pixels: what an annotation file holds.

    Attributes:
        photo: What it belongs to.
        segments, labels, review: As in a `Scene`.
        level: That a person has set, as in a `Panorama`.
    """

    photo: Photo
    segments: tuple[Segment, ...] = ()
    labels: tuple[Label, ...] = ()
    review: Review = Review.OPEN
    level: Level | None = None

    @classmethod
    def of(cls, scene: Scene, photo: Photo) -> Annotation:
        """Of a scene whose panorama is `photo`."""
        return cls(photo, scene.segments, scene.labels, scene.review, scene.panorama.level)

    def scene(self, panorama: Panorama, prediction: Prediction | None = None) -> Scene:
        """The scene on its panorama, which gets the level that a person has set.

        Raises:
            ProjectError: The photograph has another size than the masks.
        """
        if (panorama.height, panorama.width) != (self.photo.height, self.photo.width):
            raise ProjectError(
                f"The annotations were made on a picture of {self.photo.width} x {self.photo.height}, this one has "
                f"{panorama.width} x {panorama.height}; put the original back: {panorama.path or self.photo.path}"
            )
        return Scene(panorama.with_level(self.level), prediction, self.segments, self.labels, self.review)


@dataclass(frozen=True)
class Outline:
    """What a listing says of an annotation file, read without its masks.

    Attributes:
        photo, labels, review, level: As in the file.
        segments: How many segments have each label.
        reviews: How many segments a reviewer has left open, accepted, rejected.
    """

    photo: Photo
    labels: tuple[Label, ...]
    review: Review
    segments: Counter[str]
    reviews: Counter[Review]
    level: Level | None = None


def encode(annotation: Annotation) -> bytes:
    """The content of an annotation file; the same annotations give the same bytes.

    Raises:
        ValueError: A value that the format does not have, such as a click at NaN: what cannot be read is never written.
        ProjectError: There is more than a file may hold.
    """
    head: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION_WITHOUT_LEVEL if annotation.level is None else VERSION,
        "photo": photo_values(annotation.photo),
        **({} if annotation.level is None else {"level": level_values(annotation.level)}),
        "review": str(annotation.review),
        "labels": [label_values(label) for label in annotation.labels],
        "segments": [segment_values(segment) for segment in annotation.segments],
    }
    refuse_unreadable(head["segments"], head["labels"], annotation.photo)
    text = dump_object(head).encode()
    masks = [f'  "{segment.number}": "{mask_text(segment.mask)}"'.encode() for segment in annotation.segments]
    body = b"\n" + b",\n".join(masks) + b"\n }\n}\n" if masks else b"}\n}\n"
    data = text.removesuffix(b"\n}\n") + b"," + _MASKS + body
    try:
        written = _read_head(Fields(head, "the file"))
        _boxes(written.segments, written.photo)
        refuse_too_much(data)
    except FieldError as error:
        raise ProjectError(f"The annotations cannot be stored: {error}; remove what is not needed.") from error
    return data


def refuse_unreadable(segments: list[dict[str, Any]], labels: list[dict[str, Any]], photo: Photo) -> None:
    """Make sure that what is going to be written will be read.

    Args:
        segments: As `segment_values` gives them.
        labels: As `label_values` gives them.
        photo: Theirs.

    Raises:
        ValueError: A value that the format does not have.
    """
    try:
        read_labels(Fields({"labels": labels}, "the label set"))
        for values in segments:
            fields = Fields(values, f"segment {values['number']}")
            read_box_of_mask(fields.inner("mask"), photo)
            _read_segment(fields, SphereMask.empty(photo.height, photo.width))
        refuse_repeats("segment numbers", [values["number"] for values in segments])
    except FieldError as error:
        raise ValueError(str(error)) from error


def decode(data: bytes, size: tuple[int, int] | None = None) -> Annotation:
    """The annotations in a file's content.

    Args:
        data: The content.
        size: (height, width) of the photograph where it is known; no mask of another size is unpacked.

    Raises:
        FieldError: The file is not what this module describes, or of another size.
    """
    fields = parse_object(data)
    head = _read_head(fields)
    if size is not None and size != (head.photo.height, head.photo.width):
        raise FieldError(
            f"annotations of a picture of {size[1]} x {size[0]}", f"{head.photo.width} x {head.photo.height}"
        )
    masks = fields.inner("masks")
    segments = read_segments(head.segments, masks, head.photo)
    masks.finish()
    fields.finish()
    return Annotation(head.photo, segments, head.labels, head.review, head.level)


def decode_outline(data: bytes) -> Outline:
    """What a listing needs, from a file's content or from its beginning up to `head_end`.

    Raises:
        FieldError: The file is not what this module describes; the masks are not looked at.
    """
    end = head_end(data)
    # Where somebody has laid the file out anew there is no such line, and all of it is read.
    head = _read_head(parse_object(data if end < 0 else data[:end].rstrip().removesuffix(b",") + b"}"))
    return Outline(
        photo=head.photo,
        labels=head.labels,
        review=head.review,
        segments=Counter(segment.text("label") for segment in head.segments),
        reviews=Counter(segment.choice("review", Review) for segment in head.segments),
        level=head.level,
    )


def head_end(data: bytes) -> int:
    """Where the masks begin in a file's content; -1 when they do not begin within it."""
    return data.find(_MASKS)


@dataclass(frozen=True)
class _Head:
    photo: Photo
    labels: tuple[Label, ...]
    review: Review
    segments: list[Fields]
    level: Level | None


def _read_head(fields: Fields) -> _Head:
    version = check_version(fields, FORMAT, VERSION)
    photo = read_photo(fields.inner("photo"))
    level = read_level(fields) if version > VERSION_WITHOUT_LEVEL else None
    segments = fields.objects("segments", MAX_SEGMENTS)
    refuse_repeats("segment numbers", [segment.integer("number", 1) for segment in segments])
    return _Head(photo, read_labels(fields), fields.choice("review", Review), segments, level)


def check_version(fields: Fields, expected: str, version: int) -> int:
    """Whether a file is of the expected format, in a version that this program knows; that version.

    Raises:
        FieldError: It is not.
    """
    found = fields.text("format")
    if found != expected:
        raise FieldError(f"a file of the format {expected!r}", found)
    number = fields.integer("version", 1)
    if number > version:
        raise FieldError(f"version {version} of the format (a newer program wrote this; update PanoViewer)", number)
    return number


def level_values(level: Level | None) -> dict[str, float] | None:
    """For a file."""
    return None if level is None else {"pitch": float(level[0]), "roll": float(level[1])}


def read_level(fields: Fields) -> Level | None:
    """The field `level` of a file.

    Raises:
        FieldError: It is wrong.
    """
    if fields.is_null("level"):
        return None
    level = fields.inner("level")
    pitch, roll = level.number("pitch"), level.number("roll")
    if abs(pitch) > math.pi / 2 or abs(roll) > math.pi:
        raise FieldError("level to be a pitch within a quarter turn and a roll within half a turn", (pitch, roll))
    level.finish()
    return pitch, roll


def label_values(label: Label) -> dict[str, Any]:
    """For a file."""
    return {"name": label.name, "color": _color_text(label.color)}


def read_labels(fields: Fields) -> tuple[Label, ...]:
    """The field `labels` of a file.

    Raises:
        FieldError: It is wrong, or two labels have one name.
    """
    labels = []
    for entry in fields.objects("labels", MAX_LABELS):
        labels.append(Label(entry.text("name"), entry.color("color")))
        entry.finish()
    refuse_repeats("names of labels", [label.name for label in labels])
    return tuple(labels)


def refuse_repeats(what: str, values: Sequence[object]) -> None:
    """Raise a `FieldError` when a value comes twice."""
    if len(set(values)) < len(values):
        raise FieldError(f"{what} that differ", f"{Counter(values).most_common(1)[0][0]!r} twice")


def segment_values(segment: Segment) -> dict[str, Any]:
    """All of a segment but the content of its mask, for a file."""
    mask, box = segment.mask, segment.box
    return {
        "number": int(segment.number),
        "label": segment.label,
        "color": None if segment.color is None else _color_text(segment.color),
        "group": int(segment.group),
        "locked": bool(segment.locked),
        "review": str(segment.review),
        "score": float(segment.score) if math.isfinite(segment.score) else None,
        "model": segment.model,
        "box": None if box is None else {side: float(getattr(box, side)) for side in _SIDES},
        "clicks": [
            {"lon": float(click.lon), "lat": float(click.lat), "positive": bool(click.positive)}
            for click in segment.clicks
        ],
        "mask": {name: int(getattr(mask, name)) for name in _BOX_OF_MASK},
    }


_SIDES = ("west", "south", "east", "north")
_BOX_OF_MASK = ("row", "col", "rows", "cols", "count")


def mask_text(mask: SphereMask) -> str:
    """The content of a mask, for a file."""
    return base64.b64encode(mask.data).decode("ascii")


def read_segments(segments: Sequence[Fields], masks: Fields, photo: Photo) -> tuple[Segment, ...]:
    """Segments with their masks, by number.

    Raises:
        FieldError: A field is wrong, a mask is missing or damaged, or all masks together unpack to too much.
    """
    boxes = _boxes(segments, photo)
    return tuple(
        _read_segment(segment, _read_mask(str(segment.integer("number", 1)), box, masks, photo))
        for segment, box in zip(segments, boxes, strict=True)
    )


def _boxes(segments: Sequence[Fields], photo: Photo) -> list[tuple[int, int, int, int, int]]:
    """Of the masks, which do not unpack to more than they may, all together and each into the memory that is free."""
    boxes = [read_box_of_mask(segment.inner("mask"), photo) for segment in segments]
    if (pixels := sum(rows * cols for _, _, rows, cols, _ in boxes)) > MAX_MASK_BITS:
        raise FieldError(f"masks of at most {MAX_MASK_BITS:,} pixels", f"{pixels:,}")
    needed = STORED_BYTES_PER_PIXEL * max((rows * cols for _, _, rows, cols, _ in boxes), default=0)
    if needed > _SMALL_BYTES and needed > (free := default_memory_budget()):
        raise FieldError(
            f"{format_bytes(needed)} of free memory for the largest mask (close other programs)", format_bytes(free)
        )
    return boxes


def read_box_of_mask(fields: Fields, photo: Photo) -> tuple[int, int, int, int, int]:
    """Row, column, rows, columns and count of a mask that lies within the photograph.

    Raises:
        FieldError: It does not.
    """
    row, col = fields.integer("row", 0, photo.height - 1), fields.integer("col", 0, photo.width - 1)
    rows, cols = fields.integer("rows", 0, photo.height - row), fields.integer("cols", 0, photo.width)
    count = fields.integer("count", 0, rows * cols)
    fields.finish()
    return row, col, rows, cols, count


def _read_mask(name: str, box: tuple[int, int, int, int, int], masks: Fields, photo: Photo) -> SphereMask:
    try:
        data = base64.b64decode(masks.text(name, limit=None), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FieldError(f"base64 in the mask of segment {name}", str(error)) from error
    try:
        return SphereMask.from_stored(photo.height, photo.width, *box, data)
    except ProjectError as error:
        raise FieldError(f"a sound mask of segment {name}", str(error).partition(";")[0]) from error


def _read_segment(fields: Fields, mask: SphereMask) -> Segment:
    segment = Segment(
        number=fields.integer("number", 1),
        mask=mask,
        label=fields.text("label"),
        color=None if fields.is_null("color") else fields.color("color"),
        group=fields.integer("group"),
        locked=fields.flag("locked"),
        review=fields.choice("review", Review),
        clicks=_read_clicks(fields),
        box=None if fields.is_null("box") else _read_box(fields.inner("box")),
        score=math.nan if fields.is_null("score") else fields.number("score"),
        model=fields.text("model"),
    )
    fields.inner("mask")
    fields.finish()
    return segment


def _read_clicks(fields: Fields) -> tuple[Click, ...]:
    clicks = []
    for entry in fields.objects("clicks", MAX_CLICKS):
        clicks.append(Click(entry.number("lon"), entry.number("lat"), entry.flag("positive")))
        entry.finish()
    return tuple(clicks)


def _read_box(fields: Fields) -> Box:
    box = Box(**{side: fields.number(side) for side in _SIDES})
    fields.finish()
    return box


def _color_text(color: Color) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in color)
