"""labelme JSON, whoever wrote it."""

from __future__ import annotations

import base64
import binascii
import io
import struct
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from core.geometry.flat_polygons import MAX_COORDINATE
from core.geometry.regions import Bits
from core.io.checked_json import FieldError, Fields, naming
from core.io.coco import MAX_PIXELS, NO_LABEL
from core.io.imported import (
    Extras,
    ImportedFile,
    ImportedMask,
    ImportedPicture,
    ImportedSegment,
    polygon_mask,
    read_group,
    read_json,
    read_name,
)

MAX_SHAPES = 1_000_000
_CIRCLE_CORNERS = 720
_PNG = b"\x89PNG\r\n\x1a\n"
_GREY = ("1", "L", "P")


def read_labelme(path: Path) -> ImportedFile:
    """The picture and segments of a labelme file; masks are worked out when they are asked for.

    Raises:
        ProjectError: It is damaged or something else.
    """
    fields = read_json(path, "a labelme file")
    segments, skipped = [], defaultdict[str, int](int)
    with naming(path, "save it again in labelme"):
        height, width = fields.integer("imageHeight", 1, MAX_PIXELS), fields.integer("imageWidth", 1, MAX_PIXELS)
        if height * width > MAX_PIXELS:
            raise FieldError(f"a picture of at most {MAX_PIXELS:,} pixels", f"{width} x {height}")
        for shape in fields.objects("shapes", MAX_SHAPES):
            kind = shape.text("shape_type") if shape.has("shape_type") else "polygon"
            if kind not in _MASKS:
                skipped[f"of the kind {kind}"] += 1
                continue
            label = shape.text("label")
            extras = {"group": read_group(shape, "group_id"), **Extras(shape, "panoviewer").values()}
            mask = partial(_MASKS[kind], shape, height, width)
            segments.append(ImportedSegment("" if label == NO_LABEL else label, mask, **extras))
        picture = ImportedPicture(read_name(fields, "imagePath"), height, width, tuple(segments))
    labels = dict.fromkeys(segment.label for segment in segments if segment.label)
    return ImportedFile((picture,), labels, dict(skipped))


def _polygon(shape: Fields, height: int, width: int) -> ImportedMask:
    return polygon_mask(height, width, _points(shape, 3))


def _rectangle(shape: Fields, height: int, width: int) -> ImportedMask:
    (x0, y0), (x1, y1) = _points(shape, 2, 2)
    return polygon_mask(height, width, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))


def _circle(shape: Fields, height: int, width: int) -> ImportedMask:
    middle, edge = _points(shape, 2, 2)
    turns = np.arange(_CIRCLE_CORNERS) * (2 * np.pi / _CIRCLE_CORNERS)
    around = np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    return polygon_mask(height, width, middle + np.linalg.norm(edge - middle) * around)


def _picture(shape: Fields, height: int, width: int) -> ImportedMask:
    corners = np.rint(_points(shape, 2, 2))
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    if not (0 <= left <= right < width and 0 <= top <= bottom < height):
        raise FieldError(f"a mask within the picture of {width} x {height}", f"({left}, {top}) to ({right}, {bottom})")
    size = int(right - left) + 1, int(bottom - top) + 1
    try:
        data = base64.b64decode(shape.text("mask", None), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FieldError("a mask in base64", str(error)) from error
    return ImportedMask(int(top), int(left), _decoded(data, size))


def _decoded(data: bytes, size: tuple[int, int]) -> Bits:
    """A PNG of a given (width, height), which its first bytes must say before anything is decoded."""
    if data[:8] != _PNG or len(data) < 24:
        raise FieldError("a mask as a PNG picture", "something else")
    if (found := struct.unpack(">II", data[16:24])) != size:
        raise FieldError(f"a mask of {size[0]} x {size[1]}", f"{found[0]} x {found[1]}")
    try:
        with PngImageFile(io.BytesIO(data)) as picture:
            mode, bits = picture.mode, np.asarray(picture) > 0
    except Exception as error:  # Pillow raises nearly anything on damaged files
        raise FieldError("a mask as a complete PNG picture", str(error)) from error
    if mode not in _GREY:
        raise FieldError("a grey mask", mode)
    return bits


def _points(shape: Fields, low: int, high: int = MAX_PIXELS) -> NDArray[np.float64]:
    """(n, 2) corners, n from `low` to `high`."""
    points = shape.values("points", MAX_PIXELS)
    plain = all(
        isinstance(point, list) and len(point) == 2 and all(type(value) in (int, float) for value in point)
        for point in points
    )
    if not plain or not low <= len(points) <= high:
        raise FieldError(f"at least {low} points [x, y]", points)
    try:
        corners = np.array(points, np.float64)
    except OverflowError as error:
        raise FieldError("points within the picture", "a number of hundreds of digits") from error
    if not (np.abs(corners) <= MAX_COORDINATE).all():
        raise FieldError(f"points within {MAX_COORDINATE:g} pixels", "others")
    return corners


_MASKS = {"mask": _picture, "polygon": _polygon, "rectangle": _rectangle, "circle": _circle}
