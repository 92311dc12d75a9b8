"""Masks as PNG pictures of the photograph's size.

For each photograph `NAME`:

- `NAME.classes.png`: 8 bits and a palette, the number of the label, 0 where there is none;
- `NAME.segments.png`: 16-bit grey, the number of the segment, 0 where there is none;
- `NAME/NUMBER_LABEL.png`: 255 inside of one segment, 0 outside.

Where segments overlap, the later one is on top in the first two. `classes.json` says which label has which number.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from core.errors import ExportError
from core.export.annotated import Category, Output, Photos, file_name
from core.export.png import write_palette_png, write_png
from core.io.picture_grid import FlatMask
from core.scene import Segment

MAX_CLASSES = 255
MAX_NUMBER = 65535


def write(photos: Photos, output: Output) -> None:
    """All pictures, and `classes.json` last.

    Raises:
        ExportError: There are more labels than 8 bits can count.
    """
    if len(photos.categories) > MAX_CLASSES:
        raise ExportError(f"An 8-bit PNG holds up to {MAX_CLASSES} labels, got {len(photos.categories)}; choose some.")
    palette = palette_of(photos.categories)
    for photo in photos:
        size = photo.grid.height, photo.grid.width
        classes, segments = np.zeros(size, np.uint8), np.zeros(size, np.uint16)
        painted: list[tuple[Segment, FlatMask]] = []
        for segment in photo.segments:
            mask = photos.flat(photo, segment)
            if mask is None:
                continue
            category = photos.category(segment)
            mask.paint(classes, category.number)
            if segment.number <= MAX_NUMBER:
                mask.paint(segments, segment.number)
            else:
                photos.losses.add("The number does not fit into 16 bits and is left out of the picture of {}.")
            one = np.zeros(size, np.uint8)
            mask.paint(one, 255)
            with output.open(f"{photo.target}/{segment.number:04d}_{file_name(category.name)}.png") as stream:
                write_png(one, stream)
            painted.append((segment, mask))
        with output.open(f"{photo.target}.classes.png") as stream:
            write_palette_png(classes, palette, stream)
        with output.open(f"{photo.target}.segments.png") as stream:
            write_png(segments, stream)
        photos.losses.add(
            "Covered in part by later ones, except in a picture of their own: {}.", count_covered(segments, painted)
        )
        photos.drop_unheld([segment for segment, _ in painted])
    names = {str(category.number): category.name for category in photos.categories}
    output.write("classes.json", json.dumps(names, ensure_ascii=False, indent=1).encode() + b"\n")


def count_covered(segments: NDArray[np.uint16], painted: list[tuple[Segment, FlatMask]]) -> int:
    """How many masks do not show all of their pixels in a picture of their numbers."""
    visible = np.bincount(segments.ravel(), minlength=MAX_NUMBER + 1)
    return sum(visible[segment.number] < mask.count for segment, mask in painted if segment.number <= MAX_NUMBER)


def palette_of(categories: tuple[Category, ...]) -> NDArray[np.uint8]:
    """(256, 3) colours: black, then those of the labels."""
    palette = np.zeros((256, 3), np.uint8)
    for category in categories:
        palette[category.number] = category.color
    return palette
