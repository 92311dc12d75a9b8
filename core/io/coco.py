"""COCO instances, whoever wrote them."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.run_lengths import column_mask, lengths_from_text
from core.io.annotation import MAX_LABELS
from core.io.checked_json import FieldError, Fields, naming
from core.io.imported import (
    Extras,
    ImportedFile,
    ImportedMask,
    ImportedPicture,
    ImportedSegment,
    polygon_mask,
    read_json,
    read_name,
    united,
)
from core.scene import Color

MAX_IMAGES = 1_000_000
MAX_ANNOTATIONS = 10_000_000
MAX_PIXELS = 1 << 30
NO_LABEL = "unlabelled"
"""What a segment without a label is called where a format wants a name."""


def read_coco(path: Path) -> ImportedFile:
    """The pictures and segments of a COCO file; masks are worked out when they are asked for.

    Raises:
        ProjectError: It is damaged or something else.
    """
    fields = read_json(path, "a COCO file")
    with naming(path, "export it again from the tool that made it"):
        names, labels = _read_categories(fields)
        segments, skipped = _read_annotations(fields, names)
        pictures = []
        for image in fields.objects("images", MAX_IMAGES):
            height, width = image.integer("height", 1, MAX_PIXELS), image.integer("width", 1, MAX_PIXELS)
            if height * width > MAX_PIXELS:
                raise FieldError(f"a picture of at most {MAX_PIXELS:,} pixels", f"{width} x {height}")
            drawn = segments.pop(image.integer("id", -(1 << 31)), [])
            found = tuple(
                ImportedSegment(label, partial(_mask, annotation, height, width), **extras)
                for annotation, label, extras in drawn
            )
            pictures.append(ImportedPicture(read_name(image, "file_name"), height, width, found))
        if segments:
            raise FieldError("annotations of images in the file", f"one of image {next(iter(segments))}")
    return ImportedFile(tuple(pictures), labels, skipped)


def _read_categories(fields: Fields) -> tuple[dict[int, str], dict[str, Color | None]]:
    names: dict[int, str] = {}
    colors: dict[str, Color | None] = {}
    for category in fields.objects("categories", MAX_LABELS):
        name = category.text("name")
        names[category.integer("id", -(1 << 31))] = "" if name == NO_LABEL else name
        if name != NO_LABEL:
            colors[name] = _read_color(category)
    return names, colors


def _read_color(category: Fields) -> Color | None:
    if not category.has("color"):
        return None
    try:
        parts = category.values("color", 3)
    except FieldError:
        return None
    if len(parts) == 3 and all(type(part) is int and 0 <= part <= 255 for part in parts):
        return parts[0], parts[1], parts[2]
    return None


_Drawn = tuple[Fields, str, dict[str, Any]]


def _read_annotations(fields: Fields, names: dict[int, str]) -> tuple[dict[int, list[_Drawn]], dict[str, int]]:
    """By image, with their labels and extra fields; those without pixels are counted."""
    found: dict[int, list[_Drawn]] = defaultdict(list)
    skipped: dict[str, int] = defaultdict(int)
    for annotation in fields.objects("annotations", MAX_ANNOTATIONS):
        category = annotation.integer("category_id", -(1 << 31))
        if category not in names:
            raise FieldError("annotations of categories in the file", f"one of category {category}")
        if not _has_mask(annotation):
            skipped["without a mask"] += 1
            continue
        extras = Extras(annotation, "attributes").values()
        found[annotation.integer("image_id", -(1 << 31))].append((annotation, names[category], extras))
    return found, skipped


def _has_mask(annotation: Fields) -> bool:
    name = "segmentation"
    if not annotation.has(name) or annotation.is_null(name):
        return False
    return not annotation.is_list(name) or bool(annotation.values(name, MAX_PIXELS))


def _mask(annotation: Fields, height: int, width: int) -> ImportedMask:
    if not annotation.is_list("segmentation"):
        return _run_lengths(annotation.inner("segmentation"), height, width)
    polygons = annotation.values("segmentation", MAX_PIXELS)
    return united(polygon_mask(height, width, _corners(polygon)) for polygon in polygons)


def _corners(polygon: object) -> NDArray[np.float64]:
    if not isinstance(polygon, list) or len(polygon) % 2 or not all(type(value) in (int, float) for value in polygon):
        raise FieldError("polygons as lists of numbers x, y, x, y, ...", polygon)
    try:
        return np.array(polygon, np.float64).reshape(-1, 2)
    except OverflowError as error:
        raise FieldError("polygons within the picture", "a number of hundreds of digits") from error


def _run_lengths(fields: Fields, height: int, width: int) -> ImportedMask:
    size = fields.values("size", 2)
    if size != [height, width]:
        raise FieldError(f"run lengths of a picture of {height} x {width} (height x width)", str(size))
    try:
        if fields.is_list("counts"):
            counts = fields.values("counts", MAX_PIXELS)
            if not all(type(count) is int and 0 <= count <= height * width for count in counts):
                raise FieldError("run lengths as whole numbers", "others")
            first, bits = column_mask(height, width, counts)
        else:
            first, bits = column_mask(height, width, lengths_from_text(fields.text("counts", None)))
    except ValueError as error:
        raise FieldError("run lengths that fit the picture", str(error)) from error
    return ImportedMask(0, first, bits)
