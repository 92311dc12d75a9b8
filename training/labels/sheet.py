"""Labelled panoramas to look at: each in a row with its maps and how far they are believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.colors import class_colors, depth_colors, normal_colors
from core.geometry.warp import resize_erp
from training.labelled import Labelled, read_labelled
from training.pictures import write_picture

Pixels = NDArray[np.uint8]


def label_sheet(files: Sequence[Path], out: Path, *, height: int = 160) -> None:
    """A picture of some labelled panoramas, one below the other.

    Args:
        files: At least one.
        out: The file, PNG or JPEG.
        height: Rows of each small picture.

    Raises:
        PanoError: One of the files is none, or the sheet cannot be written.
    """
    rows = [label_row(read_labelled(path, patches=False), path.stem, height=height) for path in files]
    width = max(row.shape[1] for row in rows)
    write_picture(np.concatenate([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]), out)


def label_row(labelled: Labelled, text: str, *, height: int) -> Pixels:
    """(height, w, 3): the panorama, and its maps, each with its confidence where there is one, white where believed."""
    cells = [resize_erp(cell, height, 2 * height) for cell in _cells(labelled)]
    row = np.ascontiguousarray(np.concatenate(cells, axis=1))
    for thickness, colour in ((3, (0, 0, 0)), (1, (255, 255, 255))):
        cv2.putText(row, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, thickness, cv2.LINE_AA)
    return row


def _cells(labelled: Labelled) -> Iterator[Pixels]:
    yield labelled.rgb
    pictures = {
        "depth": None if labelled.depth is None else depth_colors(labelled.depth, labelled.far),
        "normals": None if labelled.normals is None else normal_colors(labelled.normals),
        "classes": None if labelled.classes is None else class_colors(labelled.classes, labelled.class_names),
    }
    for task, picture in pictures.items():
        if picture is None:
            continue
        yield picture
        confidence = getattr(labelled, f"{task}_confidence")
        if confidence is not None:
            yield np.repeat(np.rint(confidence * 255).astype(np.uint8)[..., None], 3, axis=-1)
