"""labelme JSON: one file for each photograph, every segment a shape of the type 'mask'.

The pixels of a mask shape are exact, holes and parts included, where labelme's polygons would gain or lose pixels along
their borders; a mask across the seam is one shape as wide as the picture. `imagePath` is relative and `imageData` null.
labelme keeps the further field `panoviewer` of a shape: `number`, `locked`, `review`, `score`, `model`.
"""

from __future__ import annotations

import base64
import io
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from core.export.annotated import UNLABELLED, AnnotatedPhoto, Output, Photos
from core.export.png import write_png
from core.io.picture_grid import FlatMask
from core.scene import Segment

VERSION = "5.5.0"
"""Of labelme, whose files look like this since 5.2."""


def write(photos: Photos, output: Output) -> None:
    """`NAME.json` for each photograph."""
    for photo in photos:
        shapes, shown = [], []
        for segment in photo.segments:
            mask = photos.flat(photo, segment)
            if mask is not None:
                shapes.append(_shape(segment, mask))
                shown.append(segment)
        name = f"{photo.target}.json"
        content: dict[str, Any] = {
            "version": VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": _path_from(output.folder.joinpath(name).parent, photo, photos),
            "imageData": None,
            "imageHeight": photo.grid.height,
            "imageWidth": photo.grid.width,
        }
        output.write(name, json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n")
        photos.losses.add(
            f"Labelme wants a label and is given '{UNLABELLED}' for {{}}.", sum(not s.label for s in shown)
        )
        photos.drop_unheld(shown, "group", "review", "score")


def _shape(segment: Segment, mask: FlatMask) -> dict[str, Any]:
    x, y, width, height = mask.box
    png = io.BytesIO()
    write_png(mask.bits.astype(np.uint8), png)
    return {
        "label": segment.label or UNLABELLED,
        "points": [[x, y], [x + width - 1, y + height - 1]],
        "group_id": segment.group or None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(png.getvalue()).decode("ascii"),
        "panoviewer": {
            "number": segment.number,
            "locked": segment.locked,
            "review": str(segment.review),
            "score": segment.score if math.isfinite(segment.score) else None,
            "model": segment.model,
        },
    }


def _path_from(folder: Path, photo: AnnotatedPhoto, photos: Photos) -> str:
    """Of the photograph as seen from the file's folder."""
    try:
        return Path(os.path.relpath(photo.path.absolute(), folder.absolute())).as_posix()
    except ValueError:
        # Windows knows no way from one drive to another.
        photos.losses.add("The full path of the photograph stands in {}, which lie on another disk.", unit="file")
        return photo.path.absolute().as_posix()
