"""Polygons in a plane picture as pixels: a pixel is inside when its centre is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.regions import Bits

MAX_STEPS = 1 << 30
"""Rows that all sides of a polygon together may cross."""
MAX_COORDINATE = 1e7


def fill_polygon(height: int, width: int, corners: ArrayLike) -> tuple[int, Bits]:
    """The inside of a closed line, by the even-odd rule.

    Args:
        height: Rows of the picture.
        width: Its columns.
        corners: (n, 2) continuous pixels (x, y); they may lie outside of the picture.

    Returns:
        A row, and (rows, width) bool from there on; nothing is inside elsewhere.

    Raises:
        ValueError: A corner is not finite, or the sides cross too many rows.
    """
    points = np.asarray(corners, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not (np.abs(points) <= MAX_COORDINATE).all():
        raise ValueError(f"expected corners (n, 2) within {MAX_COORDINATE:g} pixels, got {points.shape}")
    # The first row whose centre lies below the corner.
    rows = np.clip(np.ceil(points[:, 1] - 0.5), 0, height).astype(np.int64)
    if len(points) < 3 or rows.min() == rows.max():
        return 0, np.zeros((0, width), np.bool_)
    if np.abs(np.diff(rows, append=rows[:1])).sum() > MAX_STEPS:
        raise ValueError(f"the sides of a polygon cross more than {MAX_STEPS} rows")
    top, below = int(rows.min()), int(rows.max())
    inside = np.zeros((below - top, width + 1), np.bool_)
    _fill(frozen(points), frozen(rows), top, inside)
    return top, inside[:, :width]


@compiled
def _fill(points: NDArray[np.float64], rows: NDArray[np.int64], top: int, inside: Bits) -> None:
    """Every side changes what lies to its right."""
    height, width = inside.shape[0], inside.shape[1] - 1
    for k in range(len(points)):
        after = (k + 1) % len(points)
        x0, y0, x1, y1 = points[k, 0], points[k, 1], points[after, 0], points[after, 1]
        for row in range(min(rows[k], rows[after]), max(rows[k], rows[after])):
            x = x0 + (x1 - x0) * ((row + 0.5 - y0) / (y1 - y0))
            col = int(np.ceil(min(max(x - 0.5, 0.0), width + 0.0)))
            inside[row - top, col] ^= True
    for row in range(height):
        for col in range(1, width):
            inside[row, col] ^= inside[row, col - 1]
