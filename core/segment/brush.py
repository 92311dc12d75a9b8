"""Making and mending masks by hand: brush, eraser, lasso and box, of the same size everywhere on the sphere."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.shapes import capsule, covering_radius, lonlat_box, polygon
from core.mask import SphereMask
from core.scene import Box


class Stroke:
    """A brush or an eraser on its way over a mask; each step costs what it covers, whatever the mask.

    A brush too small to hit a pixel's centre everywhere is taken as large as it must be for that.

    Args:
        mask: What is painted on.
        radius: Of the brush, radians, in (0, pi / 2].
        positive: True paints, False erases.
    """

    def __init__(self, mask: SphereMask, radius: float, *, positive: bool) -> None:
        if not 0 < radius <= np.pi / 2:
            raise ValueError(f"expected a radius in (0, pi / 2], got {radius}")
        self._mask = mask
        self._positive = positive
        self._radius = min(max(radius, covering_radius(*mask.size)), np.pi / 2)
        # Pages of memory that the brush never comes to are never filled.
        self._covered = np.zeros(mask.size, np.bool_)
        self._at: NDArray[np.float64] | None = None
        self._rows = (mask.height, 0)

    def move(self, direction: ArrayLike) -> SphereMask:
        """Go on to a direction, (3,) of any length, along the shorter great circle arc.

        Returns:
            What the brush has come over for the first time: for showing it, and to know what to draw again.
        """
        at = np.asarray(direction, np.float64)
        at = at / np.linalg.norm(at)
        height, width = self._mask.size
        row, col, bits = capsule(height, width, at if self._at is None else self._at, at, self._radius)
        self._at = at
        rows, left = slice(row, row + bits.shape[0]), min(bits.shape[1], width - col)
        for covered, fresh in (
            (self._covered[rows, col : col + left], bits[:, :left]),
            (self._covered[rows, : bits.shape[1] - left], bits[:, left:]),
        ):
            np.greater(fresh, covered, out=fresh)
            np.logical_or(covered, fresh, out=covered)
        self._rows = min(self._rows[0], row), max(self._rows[1], row + bits.shape[0])
        return SphereMask.from_window(height, width, row, col, bits)

    def covered(self) -> SphereMask:
        """All that the brush has come over."""
        top, below = self._rows
        if top >= below:
            return SphereMask.empty(*self._mask.size)
        return SphereMask.from_window(*self._mask.size, top, 0, self._covered[top:below])

    def result(self) -> SphereMask:
        """The mask as it is now."""
        return self._mask | self.covered() if self._positive else self._mask - self.covered()


def brush(mask: SphereMask, path: ArrayLike, radius: float, *, positive: bool) -> SphereMask:
    """A mask with everything added, or taken away, that lies within an angle of a path.

    Args:
        mask: What is painted on.
        path: (n, 3) directions, joined along the shorter great circle arcs; one makes a disc.
        radius: Radians, in (0, pi / 2]; see `Stroke`.
        positive: True paints, False erases.
    """
    stroke = Stroke(mask, radius, positive=positive)
    for direction in np.reshape(np.asarray(path, np.float64), (-1, 3)):
        stroke.move(direction)
    return stroke.result()


def lasso(height: int, width: int, directions: ArrayLike) -> SphereMask:
    """What a closed line, (n, 3) directions joined along great circles, encloses: its smaller side.

    A line that crosses itself encloses all its loops; see `core.geometry.shapes.polygon`.
    """
    return SphereMask.from_window(height, width, *polygon(height, width, directions))


def box_mask(height: int, width: int, box: Box) -> SphereMask:
    """Everything between the meridians and parallels of a box."""
    return SphereMask.from_window(height, width, *lonlat_box(height, width, box.west, box.south, box.east, box.north))
