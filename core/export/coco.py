"""COCO instances: one JSON file for a project.

A mask without holes that does not cross the seam is a list of polygons along the borders of its pixels, which
pycocotools turns back into the same pixels; any other mask is run lengths in COCO's text form. Beyond what COCO knows,
each annotation has `attributes`:

- `number`, `group`, `locked`, `review`, `score`, `model` of the segment;
- `solid_angle_sr`, steradian; `centroid` and `bfov`, angles in degrees, `lon` to the right and `lat` up;
- for a mask across the seam, whose `bbox` is as wide as the picture, `wrapped_bbox` [x, y, w, h] with x + w beyond it.

Images name their files relative to the project's folder.
"""

from __future__ import annotations

import json
import math
from typing import Any, BinaryIO

from core.export.annotated import AnnotatedPhoto, Category, Output, Photos
from core.export.spherical import spherical_facts
from core.geometry.rings import trace_flat
from core.geometry.run_lengths import column_lengths, text_from_lengths
from core.io.picture_grid import FlatMask, PictureGrid
from core.scene import Segment

NAME = "instances.json"


class CocoFile:
    """Writes a COCO file, annotation by annotation; `finish` writes the rest.

    Args:
        stream: Open for writing.
        categories: Of the file.
    """

    def __init__(self, stream: BinaryIO, categories: tuple[Category, ...]) -> None:
        self._stream = stream
        self._categories = categories
        self._images: list[dict[str, Any]] = []
        self._count = 0
        self._stream.write(b'{"annotations":[')

    def add_image(self, name: str, height: int, width: int, **more: object) -> int:
        """An image; its number."""
        number = len(self._images) + 1
        self._images.append({"id": number, "file_name": name, "height": height, "width": width, **more})
        return number

    def add(self, image: int, category: Category, mask: FlatMask, attributes: dict[str, Any]) -> None:
        """A mask of an image, which is not empty."""
        self._count += 1
        values = {
            "id": self._count,
            "image_id": image,
            "category_id": category.number,
            "iscrowd": 0,
            "area": mask.count,
            "bbox": list(mask.box),
            "segmentation": segmentation(mask),
            "attributes": attributes,
        }
        self._stream.write(b",\n" if self._count > 1 else b"\n")
        self._stream.write(_text(values))

    def finish(self) -> None:
        """Complete the file."""
        categories = [
            {"id": category.number, "name": category.name, "supercategory": "", "color": list(category.color)}
            for category in self._categories
        ]
        self._stream.write(b'\n],\n"images":[' + b",".join(b"\n" + _text(image) for image in self._images))
        self._stream.write(b'\n],\n"categories":[' + b",".join(b"\n" + _text(entry) for entry in categories))
        self._stream.write(b'\n],\n"licenses":[],\n"info":{"description":"Exported by PanoViewer"}}\n')


def write(photos: Photos, output: Output) -> None:
    """One file, `instances.json`."""
    with output.open(NAME) as stream:
        file = CocoFile(stream, photos.categories)
        for photo in photos:
            write_photo(file, photos, photo)
        file.finish()


def write_photo(file: CocoFile, photos: Photos, photo: AnnotatedPhoto) -> None:
    """The annotations of one photograph."""
    image = file.add_image(photo.name, photo.grid.height, photo.grid.width, sha256=photo.photo.sha256)
    shown = []
    for segment in photo.segments:
        mask = photos.flat(photo, segment)
        if mask is not None:
            file.add(image, photos.category(segment), mask, attributes_of(segment, mask, photo.grid))
            shown.append(segment)
    photos.drop_unheld(shown, "group", "review", "score")


def segmentation(mask: FlatMask) -> list[list[int]] | dict[str, Any]:
    """The field of that name: polygons where they are exact, else run lengths."""
    if not mask.is_cut:
        rings = trace_flat(mask.bits)
        if not any(ring.is_hole for ring in rings):
            return [(ring.corners + mask.corner).ravel().tolist() for ring in rings]
    lengths = column_lengths(mask.height, mask.width, mask.row, mask.col, mask.bits)
    return {"size": [mask.height, mask.width], "counts": text_from_lengths(lengths)}


def attributes_of(segment: Segment, mask: FlatMask, grid: PictureGrid) -> dict[str, Any]:
    """What is known about a segment beyond its pixels."""
    sphere = segment.mask
    attributes: dict[str, Any] = {
        "number": segment.number,
        "group": segment.group,
        "locked": segment.locked,
        "review": str(segment.review),
        "score": segment.score if math.isfinite(segment.score) else None,
        "model": segment.model,
        **spherical_facts(sphere),
    }
    if mask.is_cut and not grid.is_resampled:
        x = (sphere.col - grid.placement.left) % sphere.width
        attributes["wrapped_bbox"] = [x, mask.row, sphere.cols, mask.bits.shape[0]]
    return attributes


def _text(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
