"""Shapes on the sphere as pixels: what a brush covers, the inside of a polygon, a box of longitudes and latitudes.

A pixel belongs to a shape when its centre does.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.regions import Bits, Indices, shortest_arc
from core.geometry.sphere import angle_between, directions_to_lonlat, erp_angles, lonlat_to_erp, solid_angle

Float = NDArray[np.float64]

BORDER = 1e-9
"""By how much of a pixel a centre may miss the border."""


class Window(NamedTuple):
    """A part of an ERP grid that wraps, and the pixels inside within it.

    Attributes:
        row, col: Its top left pixel.
        bits: (rows, cols) bool.
    """

    row: int
    col: int
    bits: Bits


def covering_radius(height: int, width: int) -> float:
    """An angle, in radians, within which every direction has a pixel's centre; the least one in the middle rows."""
    return math.hypot(math.pi / height, 2 * math.pi / width) / 2


def capsule(height: int, width: int, start: ArrayLike, end: ArrayLike, radius: float) -> Window:
    """What lies within an angle of the shorter great circle arc between two directions.

    Args:
        height: Rows of the grid.
        width: Columns of the grid.
        start: (3,) unit vector; the same as `end` for a disc.
        end: (3,) unit vector. Opposite directions are joined by some half circle.
        radius: Radians, in (0, pi / 2].
    """
    if not 0 < radius <= math.pi / 2:
        raise ValueError(f"expected a radius in (0, pi / 2], got {radius}")
    ends = np.stack([np.asarray(start, np.float64), np.asarray(end, np.float64)])
    length = float(angle_between(*ends))
    normal = np.cross(*ends)
    if length > 1e-9 and np.linalg.norm(normal) < 1e-9:
        normal = np.cross(ends[0], np.eye(3)[np.argmin(np.abs(ends[0]))])
    if length > 1e-9:
        normal /= np.linalg.norm(normal)
    row, rows, col, cols = _surroundings(height, width, ends, normal, radius)
    lon, lat = erp_angles(height, width)
    lon = lon[np.arange(col, col + cols) % width]
    bits = np.empty((rows, cols), np.bool_)
    _fill_capsule(
        frozen(np.sin(lon)),
        frozen(np.cos(lon)),
        frozen(lat[row : row + rows]),
        frozen(np.stack([normal, np.cross(normal, ends[0]), np.cross(ends[1], normal), *ends])),
        min(radius * (1 + 1e-9), math.pi / 2),
        bits,
    )
    return Window(row, col, bits)


def polygon(height: int, width: int, directions: ArrayLike) -> Window:
    """The inside of a closed line along great circles.

    A closed line parts the sphere into regions, each with the number of times that the line winds around it. The number
    that covers the most of the sphere is outside and all others are inside: of the two sides of a simple polygon, the
    smaller one, wherever the seam and the poles are; both lobes of a figure of eight; no hole where a loop overlaps
    itself. Of polygons side by side, each centre on a shared border belongs to one.

    Args:
        height: Rows of the grid.
        width: Columns of the grid.
        directions: (n, 3) unit vectors; each is joined to the next along the shorter arc, and the last to the first.

    Returns:
        What is inside; nothing for fewer than three corners.
    """
    corners = np.reshape(np.asarray(directions, np.float64), (-1, 3))
    if len(corners) < 3:
        return Window(0, 0, np.zeros((0, 0), np.bool_))
    rows, cols, signs = _crossings(height, width, corners)
    if not len(rows):
        return Window(0, 0, np.zeros((0, 0), np.bool_))
    crossed = np.zeros(width, np.bool_)
    crossed[cols] = True
    col, span = shortest_arc(crossed)
    top, below = int(rows.min()), int(rows.max()) + 1
    winding = np.zeros((below - top, span), np.int32)
    np.add.at(winding, (rows - top, (cols - col) % width), signs)
    # Elsewhere the line winds around nothing more than around the pole above, down to the last crossing.
    areas = np.append(solid_angle(height, width)[:, 0], 0.0)
    total = np.zeros(2 * len(corners) + 1)
    _wind(winding, frozen(areas[top:below]), total)
    np.add.at(total, winding[-1] + len(corners), areas[below:].sum())
    total[len(corners)] += 4 * np.pi - total.sum()
    outside = int(np.argmax(total)) - len(corners)
    inside = winding != outside
    if outside == 0 and not inside[-1].any():
        return Window(top, col, inside[:-1])
    bits = np.full((height, width), outside != 0)
    columns = np.arange(col, col + span) % width
    bits[top:below, columns] = inside[: height - top]
    bits[below:, columns] = inside[-1]
    return Window(0, 0, bits)


def lonlat_box(height: int, width: int, west: float, south: float, east: float, north: float) -> Window:
    """What lies between two meridians and two parallels.

    Args:
        height: Rows of the grid.
        width: Columns of the grid.
        west: Radians; the box runs eastwards from here.
        south: Radians; at most `north`.
        east: Radians; a full turn beyond `west` takes in the whole circle.
        north: Radians.
    """
    u, v = lonlat_to_erp(west, [north, south], height, width)
    across = min(east - west, 2 * math.pi) if east >= west else (east - west) % (2 * math.pi)
    col = math.ceil(float(u) - 0.5 - BORDER)
    cols = math.floor(float(u) + across / (2 * math.pi) * width - 0.5 + BORDER) - col + 1
    row = max(math.ceil(float(v[0]) - 0.5 - BORDER), 0)
    rows = min(math.floor(float(v[1]) - 0.5 + BORDER), height - 1) - row + 1
    return Window(row if rows > 0 else 0, col, np.ones((max(rows, 0), min(max(cols, 0), width)), np.bool_))


def _surroundings(height: int, width: int, ends: Float, normal: Float, radius: float) -> tuple[int, int, int, int]:
    """First row, rows, first column, columns that hold a capsule."""
    lon, lat = directions_to_lonlat(ends)
    # The arc's highest and lowest points, where they are not its ends, lie a quarter turn from the normal.
    for sign in (1, -1):
        apex = np.array([0.0, -sign, 0.0]) + sign * normal[1] * normal
        if (
            np.linalg.norm(apex) > 1e-12
            and np.cross(normal, ends[0]) @ apex > 0
            and np.cross(ends[1], normal) @ apex > 0
        ):
            lat = np.append(lat, sign * math.acos(min(abs(normal[1]), 1.0)))
    north, south = float(lat.max()) + radius, float(lat.min()) - radius
    row = max(0, math.floor((0.5 - north / math.pi) * height - 0.5))
    below = min(height, math.ceil((0.5 - south / math.pi) * height + 0.5))
    highest = float(np.abs(lat).max())
    if highest + radius >= math.pi / 2 - 1e-9:
        return row, below - row, 0, width
    beside = math.asin(min(math.sin(radius) / math.cos(highest), 1.0))
    along = math.remainder(float(lon[1] - lon[0]), 2 * math.pi)
    per_col = width / (2 * math.pi)
    left = math.floor((float(lon[0]) + min(along, 0.0) - beside + math.pi) * per_col - 0.5)
    cols = math.ceil((abs(along) + 2 * beside) * per_col) + 2
    return row, below - row, left % width, min(cols, width)


@compiled
def _fill_capsule(sin_lon: Float, cos_lon: Float, lat: Float, axes: Float, radius: float, bits: Bits) -> None:
    """Near the arc's plane and between its ends, or near one of its ends.

    Args:
        sin_lon: (cols,).
        cos_lon: (cols,).
        lat: (rows,) radians.
        axes: (5, 3) the arc's normal, inward normals at both ends, both ends.
        radius: Radians.
        bits: (rows, cols) to write.
    """
    near_plane, near_end = np.sin(radius), np.cos(radius)
    for i in range(bits.shape[0]):
        across, y = np.cos(lat[i]), -np.sin(lat[i])
        for j in range(bits.shape[1]):
            x, z = across * sin_lon[j], across * cos_lon[j]
            off = axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z
            after = axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z
            before = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z
            start = axes[3, 0] * x + axes[3, 1] * y + axes[3, 2] * z
            end = axes[4, 0] * x + axes[4, 1] * y + axes[4, 2] * z
            between = (after > 0) & (before > 0) & (abs(off) <= near_plane)
            bits[i, j] = between | (start >= near_end) | (end >= near_end)


def _crossings(height: int, width: int, corners: Float) -> tuple[Indices, Indices, NDArray[np.int32]]:
    """Where a closed line crosses the meridians of the pixels' centres.

    Returns:
        (n,) the first row whose centre lies south of the crossing, up to `height`; (n,) columns; (n,) 1 where the line
        goes east and -1 where it goes west.
    """
    lon, lat = directions_to_lonlat(corners)
    u, _ = lonlat_to_erp(lon, lat, height, width)
    # A corner belongs to the first meridian not west of it, so that the arcs on both sides of it agree on who crosses.
    first = np.ceil(u - 0.5).astype(np.int64) % width
    after = np.roll(np.arange(len(corners)), -1)
    normals = np.cross(corners, corners[after])
    ahead = np.mod(u[after] - u + width / 2, width) - width / 2
    # Arcs that nearly pass through a pole go the way on which the pole is not: there, longitudes do not know.
    east = np.where(np.abs(ahead) < width / 4, ahead > 0, normals[:, 1] > 0)
    counts = np.where(east, first[after] - first, first - first[after]) % width
    arc = np.repeat(np.arange(len(corners)), counts)
    step = np.arange(len(arc)) - np.repeat(np.cumsum(counts) - counts, counts)
    cols = (np.where(east, first, first[after])[arc] + step) % width
    at = erp_angles(height, width)[0][cols]
    normal = normals[arc] * np.where(normals[arc, 1:2] < 0, -1.0, 1.0)
    crossing = np.arctan2(normal[:, 0] * np.sin(at) + normal[:, 2] * np.cos(at), normal[:, 1])
    through_pole = np.abs(normal[:, 1]) < 1e-15
    crossing = np.where(through_pole, np.copysign(np.pi / 2, -(corners + corners[after])[arc, 1]), crossing)
    # An arc along a meridian has no one crossing; any between its ends will do.
    lowest, highest = np.minimum(lat, lat[after])[arc], np.maximum(lat, lat[after])[arc]
    crossing = np.where(np.abs(ahead[arc]) < 1e-6, np.clip(crossing, lowest, highest), crossing)
    rows = np.ceil((0.5 - crossing / np.pi) * height - 0.5).astype(np.int64)
    return np.clip(rows, 0, height), cols, np.where(east[arc], 1, -1).astype(np.int32)


@compiled
def _wind(winding: NDArray[np.int32], areas: Float, total: Float) -> None:
    """Add each row to the next, and sum the areas of the pixels of each number; 0 is in the middle of `total`."""
    rows, cols = winding.shape
    middle = total.size // 2
    for i in range(rows):
        run, number = 0, 0
        for j in range(cols):
            if i > 0:
                winding[i, j] += winding[i - 1, j]
            if winding[i, j] != number:
                total[middle + number] += run * areas[i]
                run, number = 0, winding[i, j]
            run += 1
        total[middle + number] += run * areas[i]
