"""The analytic oracle: range and normals of any ray inside a box. It shares nothing with the renderer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]

FACES = ("x-", "x+", "ceiling", "floor", "z-", "z+")
"""Names of the six faces, in the order of `BoxRoom.face`."""


@dataclass(frozen=True)
class BoxRoom:
    """An empty room with axis-aligned walls, seen from inside; y points down.

    Attributes:
        low: (x, y, z) of the corner with the smallest coordinates; its y is that of the ceiling.
        high: (x, y, z) of the opposite corner; its y is that of the floor.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not all(a < b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(f"a box room needs low < high on every axis, got {self.low} and {self.high}")

    def depth(self, origin: ArrayLike, directions: ArrayLike) -> Float:
        """Metres along (..., 3) unit directions from a point inside to the wall."""
        depth: Float = self.ranges(origin, directions).min(-1)
        return depth

    def face(self, origin: ArrayLike, directions: ArrayLike) -> NDArray[np.int64]:
        """Which face (...) a ray meets: an index into `FACES`."""
        axis = self.ranges(origin, directions).argmin(-1)
        positive = np.take_along_axis(np.asarray(directions, np.float64), axis[..., None], -1)[..., 0] > 0
        face: NDArray[np.int64] = 2 * axis + positive
        return face

    def normals(self, origin: ArrayLike, directions: ArrayLike) -> Float:
        """(..., 3) unit normals of the walls that rays meet, into the room."""
        axis, positive = np.divmod(self.face(origin, directions), 2)
        return np.eye(3)[axis] * np.where(positive, -1.0, 1.0)[..., None]

    def ranges(self, origin: ArrayLike, directions: ArrayLike) -> Float:
        """Metres (..., 3) to the wall that a ray moves towards on each axis; inf along the others."""
        origin, directions = np.asarray(origin, np.float64), np.asarray(directions, np.float64)
        low, high = np.asarray(self.low), np.asarray(self.high)
        if not ((origin > low) & (origin < high)).all():
            raise ValueError(f"the origin must lie inside the room {self.low} to {self.high}, got {origin.tolist()}")
        wall = np.where(directions > 0, high, low)
        with np.errstate(divide="ignore"):
            return np.where(directions == 0, np.inf, (wall - origin) / np.where(directions == 0, 1.0, directions))
