"""The crowding of columns near the poles."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.sampling import Image

CROWDED = 1.5
"""Columns per row's height from which on they are averaged."""


def smooth_near_poles(strip: Image, height: int, first: int) -> Image:
    """Means along the rows over a length on the sphere of one row's height, for a grid twice as wide as high.

    Args:
        strip: (rows, W, channels) float, full circles; of a part of a circle, the ends are spoilt by `widest_mean`.
        height: Rows of the whole panorama.
        first: Number of the strip's first row in it.

    Returns:
        The same shape; NaN is left out of the means and remains where more than half is NaN.
    """
    crowding = _crowding(height)[first : first + strip.shape[0]]
    if not np.any(crowding >= CROWDED):
        return strip
    smooth = np.empty_like(strip)
    _mean_along_rows(frozen(strip), frozen(np.where(crowding >= CROWDED, crowding, 1.0)), smooth)
    return smooth


def widest_mean(height: int, first: int, last: int) -> int:
    """Columns to either side that `smooth_near_poles` uses between two rows; 0 where it leaves them alone."""
    widest = float(_crowding(height)[first:last].max())
    return math.ceil(widest / 2) + 1 if widest >= CROWDED else 0


def _crowding(height: int) -> NDArray[np.float64]:
    """Columns per row's height, for each row."""
    crowding: NDArray[np.float64] = 1 / np.cos((0.5 - (np.arange(height) + 0.5) / height) * np.pi)
    return crowding


@compiled
def _mean_along_rows(strip: Image, reach: NDArray[np.float64], smooth: Image) -> None:
    """Boxes of `reach[i]` columns around each pixel's centre, from running sums; columns wrap."""
    rows, cols, channels = strip.shape
    total = np.zeros(cols + 1, np.float64)
    known = np.zeros(cols + 1, np.float64)
    for i in range(rows):
        half = min(reach[i], cols) / 2
        for c in range(channels):
            if reach[i] == 1:
                for j in range(cols):
                    smooth[i, j, c] = strip[i, j, c]
                continue
            for j in range(cols):
                value = np.float64(strip[i, j, c])
                finite = value - value == 0
                total[j + 1] = total[j] + (value if finite else 0.0)
                known[j + 1] = known[j] + (1.0 if finite else 0.0)
            for j in range(cols):
                box_total = 0.0
                box_known = 0.0
                for end in range(2):
                    at = j + 0.5 + (half if end else -half)
                    whole = math.floor(at)
                    share = at - whole
                    turns, k = whole // cols, whole % cols
                    sign = 1.0 if end else -1.0
                    box_total += sign * (turns * total[cols] + total[k] + share * (total[k + 1] - total[k]))
                    box_known += sign * (turns * known[cols] + known[k] + share * (known[k + 1] - known[k]))
                smooth[i, j, c] = box_total / box_known if box_known >= half - 1e-9 else np.nan
