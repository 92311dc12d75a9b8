"""Boxes that people draw."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.sphere import directions_to_lonlat, lonlat_to_directions
from core.scene import Box

_STEPS = 24
"""Into which each side is divided: between its corners it reaches farther than at them."""
_WHOLE = 2 * math.pi - 1e-6
_DENSE = math.radians(2)


def box_around(border: ArrayLike) -> Box:
    """The smallest box of longitudes and latitudes that holds what a closed line encloses, its smaller side.

    Args:
        border: (n, 3) directions, joined along great circles; the sides of a rectangle of a perspective view are such.

    Raises:
        ValueError: Fewer than two directions.
    """
    corners = np.reshape(np.asarray(border, np.float64), (-1, 3))
    if len(corners) < 2:
        raise ValueError(f"expected at least two directions, got {len(corners)}")
    share = np.linspace(0.0, 1.0, _STEPS, endpoint=False)[:, None, None]
    along = ((1 - share) * corners + share * np.roll(corners, -1, axis=0)).swapaxes(0, 1).reshape(-1, 3)
    lon, lat = directions_to_lonlat(along / np.linalg.norm(along, axis=1, keepdims=True))
    run = np.unwrap(np.append(lon, lon[0]))
    south, north = float(lat.min()), float(lat.max())
    if abs(run[-1] - run[0]) > math.pi:
        # The line goes around a pole, which is inside.
        pole = math.copysign(math.pi / 2, float(lat.mean()))
        return Box(-math.pi, min(south, pole), -math.pi + _WHOLE, max(north, pole))
    west, east = float(run.min()), float(run.max())
    if east - west > _WHOLE:
        east = west + _WHOLE
    return Box(_wrapped(west), south, _wrapped(east), north)


def border_of(box: Box) -> NDArray[np.float64]:
    """(n, 3) directions along the border of a box, dense enough to be drawn with straight lines between them."""
    width = (box.east - box.west) % (2 * math.pi)
    east = np.linspace(0.0, width, max(2, math.ceil(width / _DENSE) + 1))
    north = np.linspace(0.0, 1.0, max(2, math.ceil((box.north - box.south) / _DENSE) + 1))[1:-1]
    up, right = box.south + (box.north - box.south) * north, np.full(len(north), width)
    lon = box.west + np.concatenate([east, right, east[::-1], 0 * right])
    lat = np.concatenate([np.full(len(east), box.south), up, np.full(len(east), box.north), up[::-1]])
    return lonlat_to_directions(lon, lat)


def _wrapped(lon: float) -> float:
    return math.remainder(lon, 2 * math.pi)
