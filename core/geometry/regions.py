"""Connected parts of a mask on the sphere, its holes, and its deepest point.

Two pixels inside touch when they share an edge or a corner; two pixels outside touch only when they share an edge, so
that a line one pixel wide parts what lies on its sides even where it runs diagonally (the usual pair of neighbourhoods,
A. Rosenfeld, Connectivity in Digital Pictures, 1970). Columns wrap, and a pole is a corner that all pixels of its row
share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.deepest import deepest_pixel
from core.geometry.sphere import directions_to_lonlat, erp_angles, lonlat_to_pixels, solid_angle

Bits = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Runs:
    """The pixels of one value, row by row from left to right, grouped into connected parts.

    Attributes:
        height, width: Of the grid.
        row, start, stop: (n,) int32; a run holds the pixels [start, stop) of its row and does not wrap.
        part: (n,) int32, the connected part of each run, numbered from 0 in the order of their first pixels.
        count: How many parts there are.
    """

    height: int
    width: int
    row: NDArray[np.int32]
    start: NDArray[np.int32]
    stop: NDArray[np.int32]
    part: NDArray[np.int32]
    count: int

    def solid_angles(self) -> NDArray[np.float64]:
        """(count,) steradians of each part."""
        per_pixel = solid_angle(self.height, self.width)[:, 0]
        areas = (self.stop - self.start) * per_pixel[self.row]
        return np.bincount(self.part, areas, self.count).astype(np.float64)

    def at(self, row: ArrayLike, col: ArrayLike) -> NDArray[np.int32]:
        """The parts that hold pixels, of any shape; -1 where none does."""
        row, col = np.broadcast_arrays(np.asarray(row, np.int64), np.asarray(col, np.int64))
        if not len(self.row):
            return np.full(row.shape, -1, np.int32)
        # The last run that begins at or before the pixel, if it is of the same row and long enough.
        starts = self.row * np.int64(self.width) + self.start
        run = np.maximum(np.searchsorted(starts, row * self.width + col, side="right") - 1, 0)
        holds = (self.row[run] == row) & (self.start[run] <= col) & (col < self.stop[run])
        return np.where(holds, self.part[run], np.int32(-1))

    def window(self, part: int) -> tuple[int, int, Bits]:
        """Row and column of the first pixel, and bits, of the full circles that hold one part."""
        runs = np.flatnonzero(self.part == part)
        top, below = int(self.row[runs[0]]), int(self.row[runs[-1]]) + 1
        bits = np.zeros((below - top, self.width), np.bool_)
        inside = np.ones(len(runs), np.bool_)
        row, start, stop = self.row[runs] - np.int32(top), self.start[runs], self.stop[runs]
        paint_runs(bits, frozen(row), frozen(start), frozen(stop), frozen(inside))
        return top, 0, bits

    def paint(self, bits: Bits, chosen: NDArray[np.bool_], value: bool) -> None:
        """Write `value` into the pixels of the chosen parts, (count,) bool."""
        runs = np.flatnonzero(chosen[self.part])
        values = np.full(len(runs), value)
        paint_runs(bits, frozen(self.row[runs]), frozen(self.start[runs]), frozen(self.stop[runs]), frozen(values))


def runs_inside(bits: Bits) -> Runs:
    """The pixels inside, in parts that touch by edges or corners, across the seam and through the poles.

    Args:
        bits: (height, width) bool.
    """
    return _runs_of(bits, inside=True)


def runs_outside(bits: Bits) -> Runs:
    """The pixels outside, in parts that touch by edges, across the seam."""
    return _runs_of(bits, inside=False)


def components(bits: Bits) -> tuple[NDArray[np.int32], int]:
    """Connected parts of what is inside.

    Args:
        bits: (height, width) bool.

    Returns:
        (height, width) int32 labels, 0 outside and 1, 2, ... inside in the order of the parts' first pixels, and the
        number of parts.
    """
    runs = runs_inside(bits)
    labels = np.zeros(bits.shape, np.int32)
    paint_runs(labels, frozen(runs.row), frozen(runs.start), frozen(runs.stop), frozen(runs.part + np.int32(1)))
    return labels, runs.count


def component_at(bits: Bits, lon: float, lat: float) -> Bits:
    """The connected part that holds a direction, radians; nothing when the direction lies outside."""
    return _keep(bits, *lonlat_to_pixels([lon], [lat], *bits.shape))


def keep_components(bits: Bits, directions: ArrayLike) -> Bits:
    """The connected parts that hold at least one of (n, 3) directions."""
    return _keep(bits, *lonlat_to_pixels(*directions_to_lonlat(np.reshape(directions, (-1, 3))), *bits.shape))


def fill_holes(bits: Bits, max_sr: float = np.inf) -> Bits:
    """The mask without its holes of up to `max_sr` steradians.

    A sphere has no outer side: the largest part of what is outside counts as the surroundings and always stays.
    """
    runs = runs_outside(bits)
    filled = bits.copy()
    if runs.count > 1:
        areas = runs.solid_angles()
        chosen = areas <= max_sr
        chosen[np.argmax(areas)] = False
        runs.paint(filled, chosen, True)
    return filled


def remove_islands(bits: Bits, min_sr: float) -> Bits:
    """The mask without its parts smaller than `min_sr` steradians; the largest part always stays."""
    runs = runs_inside(bits)
    kept = bits.copy()
    if runs.count > 1:
        areas = runs.solid_angles()
        chosen = areas < min_sr
        chosen[np.argmax(areas)] = False
        runs.paint(kept, chosen, False)
    return kept


def farthest_point_inside(bits: Bits) -> tuple[float, float]:
    """The centre of the pixel inside that is farthest, by angle, from the centres of all pixels outside.

    Of several the uppermost counts, and of these the first one eastwards from the widest gap of empty columns,
    so that a mask that is turned has its deepest point turned with it. When nothing is outside, the middle of the
    picture.

    Returns:
        Longitude and latitude, radians.

    Raises:
        ValueError: Nothing is inside.
    """
    height, width = bits.shape
    used = np.asarray(bits.any(axis=0))
    if not used.any():
        raise ValueError("a mask without pixels has no deepest point")
    lon, lat = erp_angles(height, width)
    row, col = (height // 2, width // 2) if bits.all() else deepest_pixel(bits, *shortest_arc(used))
    return float(lon[col]), float(lat[row])


def shortest_arc(used: Bits) -> tuple[int, int]:
    """First column and number of columns of the shortest run, around the circle, that holds every used column.

    Args:
        used: (width,) bool, at least one True. When all are, the run begins at column 0.
    """
    width = len(used)
    cols = np.flatnonzero(used)
    gaps = np.diff(np.append(cols, cols[0] + width))
    widest = int(np.argmax(gaps))
    if gaps[widest] == 1:
        return 0, width
    return int(cols[(widest + 1) % len(cols)]), width - int(gaps[widest]) + 1


def _keep(bits: Bits, rows: Indices, cols: Indices) -> Bits:
    kept = np.zeros_like(bits)
    # Most clicks that are asked about lie outside; then no part needs to be found.
    hits = bits[rows, cols]
    if hits.any():
        runs = runs_inside(bits)
        chosen = np.zeros(runs.count, np.bool_)
        chosen[runs.at(rows[hits], cols[hits])] = True
        runs.paint(kept, chosen, True)
    return kept


def runs_by_row(bits: Bits, *, inside: bool = True) -> tuple[Indices, NDArray[np.int32], NDArray[np.int32]]:
    """The pixels inside, or those outside, row by row from left to right; runs do not wrap.

    Returns:
        (height + 1,) index of each row's first run, and (n,) first columns and (n,) columns after the last.
    """
    if bits.ndim != 2 or bits.dtype != np.bool_ or bits.shape[1] < 1:
        raise ValueError(f"expected a bool array (height, width), got {bits.dtype} {bits.shape}")
    return _find_runs(frozen(bits), inside)


def _runs_of(bits: Bits, *, inside: bool) -> Runs:
    first, start, stop = runs_by_row(bits, inside=inside)
    part, count = _join_runs(first, start, stop, bits.shape[1], 1 if inside else 0)
    row = np.repeat(np.arange(bits.shape[0], dtype=np.int32), np.diff(first))
    return Runs(bits.shape[0], bits.shape[1], row, start, stop, part, count)


@compiled
def _find_runs(bits: Bits, value: bool) -> tuple[Indices, NDArray[np.int32], NDArray[np.int32]]:
    """Index of the first run of each row, (height + 1,), and where runs start and stop."""
    height, width = bits.shape
    first = np.zeros(height + 1, np.int64)
    for i in range(height):
        line = bits[i]
        count = np.int64(line[0] == value)
        for j in range(1, width):
            count += np.int64((line[j] == value) & (line[j - 1] != value))
        first[i + 1] = first[i] + count
    start = np.empty(first[height], np.int32)
    stop = np.empty(first[height], np.int32)
    # Every border between pixels is written and kept only if the value changes there: no branch to be guessed wrong.
    borders = np.empty(width + 2, np.int32)
    for i in range(height):
        if first[i] == first[i + 1]:
            continue
        line = bits[i]
        borders[0] = 0
        n = np.int64(line[0] == value)
        for j in range(1, width):
            borders[n] = j
            n += np.int64(line[j] != line[j - 1])
        borders[n] = width
        for k in range(first[i + 1] - first[i]):
            start[first[i] + k] = borders[2 * k]
            stop[first[i] + k] = borders[2 * k + 1]
    return first, start, stop


@compiled
def _join_runs(
    first: Indices, start: NDArray[np.int32], stop: NDArray[np.int32], width: int, reach: int
) -> tuple[NDArray[np.int32], int]:
    """Parts of runs, by union and find; with `reach` 1 corners join, and so do the poles."""
    height = first.size - 1
    parent = np.arange(start.size).astype(np.int32)
    pairs = np.empty((2, 2 * start.size + 4 * height + 4), np.int32)
    n = 0
    for i in range(height):
        if first[i] == first[i + 1]:
            continue
        if i > 0:
            a, b = first[i - 1], first[i]
            while a < first[i] and b < first[i + 1]:
                if start[a] < stop[b] + reach and start[b] < stop[a] + reach:
                    pairs[0, n], pairs[1, n] = a, b
                    n += 1
                if stop[a] < stop[b]:
                    a += 1
                else:
                    b += 1
        if stop[first[i + 1] - 1] == width:
            for k in range(max(0, i - reach), min(height, i + reach + 1)):
                if first[k] < first[k + 1] and start[first[k]] == 0:
                    pairs[0, n], pairs[1, n] = first[i + 1] - 1, first[k]
                    n += 1
        if reach == 1 and (i == 0 or i == height - 1):
            for k in range(first[i] + 1, first[i + 1]):
                pairs[0, n], pairs[1, n] = k - 1, k
                n += 1
    for k in range(n):
        a, b = pairs[0, k], pairs[1, k]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a < b:
            parent[b] = a
        else:
            parent[a] = b
    count = 0
    part = np.empty(start.size, np.int32)
    # A root is the first run of its part, so every parent is numbered before its children.
    for k in range(start.size):
        if parent[k] == k:
            part[k] = count
            count += 1
        else:
            part[k] = part[parent[k]]
    return part, count


@compiled
def paint_runs(
    canvas: NDArray[Any],
    row: NDArray[np.int32],
    start: NDArray[np.int32],
    stop: NDArray[np.int32],
    value: NDArray[Any],
) -> None:
    """Write into each run its value."""
    for k in range(row.size):
        canvas[row[k], start[k] : stop[k]] = value[k]
