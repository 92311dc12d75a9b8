"""YOLO segmentation: a text file of polygons for each photograph, a copy of the photograph, and `data.yaml`.

A line is a class, counted from 0, and the corners of one connected part as shares of the picture's width and height.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import UnsupportedImage
from core.export.annotated import Output, Photos
from core.geometry.rings import trace_flat
from core.io.picture_grid import FlatMask

TOLERANCE_PX = 0.5
"""By how much an outline may be simplified: polygons that follow every pixel would be many times as long."""


def write(photos: Photos, output: Output) -> None:
    """`images/NAME.SUFFIX`, `labels/NAME.txt`, and last `data.yaml`."""
    for photo in photos:
        lines, shown = [], []
        for segment in photo.segments:
            mask = photos.flat(photo, segment)
            if mask is None:
                continue
            number = photos.category(segment).number - 1
            outlines, holes = _outlines(mask)
            lines += [f"{number} " + " ".join(f"{share:.6f}" for share in outline.ravel()) for outline in outlines]
            photos.losses.add("Cut at the seam: {}.", int(mask.is_cut))
            photos.losses.add("Holes are filled in {}.", int(holes > 0))
            photos.losses.add(
                "Parts have become objects of their own in {}.", int(len(outlines) > 1 and not mask.is_cut)
            )
            shown.append(segment)
        with photos.attempt():
            output.write(f"images/{photo.target}{photo.path.suffix}", _content(photo.path))
            output.write(f"labels/{photo.target}.txt", "".join(f"{line}\n" for line in lines).encode())
        photos.losses.add(f"Outlines are simplified by up to {TOLERANCE_PX:g} pixel in {{}}.", len(shown))
        photos.drop_unheld(shown)
    names = [
        f"  {category.number - 1}: {json.dumps(category.name, ensure_ascii=False)}" for category in photos.categories
    ]
    head = [
        "# Exported by PanoViewer. The pictures are not split: train and val are the same.",
        "train: images",
        "val: images",
    ]
    output.write("data.yaml", "\n".join([*head, "names:", *names, ""]).encode())


def _content(photo: Path) -> bytes:
    try:
        return photo.read_bytes()
    except OSError as error:
        raise UnsupportedImage(
            f"The photograph cannot be read ({error.strerror or error}); check its permissions and its disk: {photo}"
        ) from error


def _outlines(mask: FlatMask) -> tuple[list[NDArray[np.float64]], int]:
    """(n, 2) corners of each part as shares of the picture, and how many holes there are."""
    outlines, holes = [], 0
    for ring in trace_flat(mask.bits):
        if ring.is_hole:
            holes += 1
            continue
        corners = cv2.approxPolyDP(np.ascontiguousarray(ring.corners[:, None, :]), TOLERANCE_PX, closed=True)
        simple = corners[:, 0] if len(corners) > 2 else ring.corners
        outlines.append((simple + mask.corner) / (mask.width, mask.height))
    return outlines, holes
