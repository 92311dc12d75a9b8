"""Many samples on one picture."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.worlds.sample import WorldSample

LARGEST = 256
"""Rows of one picture among others: 64 of the largest worlds would be a picture of half a gigapixel."""


def contact_sheet(samples: Iterable[WorldSample], columns: int, *, gap: int = 4) -> NDArray[np.uint8]:
    """The samples' pictures in rows, made smaller where they are large; one alone is as it is.

    Args:
        samples: At least one, all of one size; they are looked at one after the other.
        columns: Pictures per row.
        gap: Dark pixels between them.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: Without samples.
    """
    given = iter(samples)
    first = next(given, None)
    if first is None:
        raise ValueError("a contact sheet needs at least one sample, got none")
    whole = first.rgb
    pictures = [_small(whole)]
    pictures += [_small(sample.rgb) for sample in given]
    if len(pictures) == 1:
        pictures = [whole]
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 24, np.uint8)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if len(rgb) <= LARGEST:
        return rgb
    return np.asarray(cv2.resize(rgb, (2 * LARGEST, LARGEST), interpolation=cv2.INTER_AREA), np.uint8)
