"""Sampling maps between panoramas and cameras, kept for the next time.

A turn about the vertical by whole columns of the panorama moves a map without changing it, so maps are made and kept
for the fraction of a column that remains: the cameras of a tile set with one pitch share one map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from core.geometry.angles import angles, picture_cells, rays_of_grid
from core.geometry.cache import BoundedCache
from core.geometry.camera import Camera
from core.geometry.compiled import compiled, frozen
from core.geometry.sampling import Image, Map, PictureMap, exact_map, sample, shrink
from core.geometry.sphere import erp_angles

Float = NDArray[np.float64]

CACHE_BYTES = 192 << 20
FAINTEST = 1e-6
"""Weight at the very border of a tile, so that a direction that only borders see is still known."""


class Maps(Enum):
    """Which map of a view is asked for."""

    EXACT = "exact"
    PICTURE = "picture"
    NEAREST = "nearest"


@dataclass(frozen=True, eq=False)
class ViewMap:
    """Where a camera's pixels lie on a panorama.

    Attributes:
        window: First row, first column, rows and columns of the part of the panorama that is seen; see `window`.
        where: Positions in that part.
    """

    window: tuple[int, int, int, int]
    where: Map | PictureMap

    @property
    def exact(self) -> Map:
        """`where`, of a kind other than PICTURE."""
        if not isinstance(self.where, Map):
            raise TypeError("a map of the kind PICTURE knows no exact positions")
        return self.where


@dataclass(frozen=True, eq=False)
class Footprint:
    """The pixels of a panorama that a camera sees, in rows of neighbours.

    Attributes:
        runs: (n, 3) int32: row, first column (before `col` is added, may need wrapping) and length of each run.
        where: (1, count) positions in the camera's picture, shrunk to `size`.
        weights: (count,) float32, 1 in the middle of the picture, falling smoothly to 0 at its border.
        size: (height, width) that the picture is shrunk to before it is sampled.
        col: Columns by which the footprint is moved.
    """

    runs: NDArray[np.int32]
    where: Map
    weights: NDArray[np.float32]
    size: tuple[int, int]
    col: int = 0

    @property
    def count(self) -> int:
        """Pixels seen."""
        return int(self.weights.size)

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.runs.nbytes + self.where.nbytes + self.weights.nbytes

    def shrunk(self, picture: Image) -> Image:
        """The camera's picture, (h, w, channels), as fine as the panorama."""
        return picture if picture.shape[:2] == self.size else shrink(picture, *self.size)

    def spread(self, values: Image, erp: Image) -> None:
        """Write (count, channels) values where they belong on a panorama, (H, W, channels)."""
        _spread(frozen(self.runs), self.col, frozen(values), erp)

    def accumulate(self, values: Image, sums: NDArray[np.float32], weights: NDArray[np.float32]) -> None:
        """Add weighted (count, channels) values to sums (H, W, channels) and weights (H, W) where they are known."""
        _accumulate((frozen(self.runs), self.col), frozen(values), frozen(self.weights), sums, weights)

    def add(self, picture: Image, sums: NDArray[np.float32], weights: NDArray[np.float32]) -> None:
        """`accumulate` what lies in the camera's picture, (h, w, channels) as from `with_channels`."""
        picture = self.shrunk(picture)
        if picture.dtype.kind == "f" and not np.isfinite(picture).all():
            self.accumulate(sample(picture, self.where)[0], sums, weights)
            return
        where = (frozen(self.where.u).reshape(-1), frozen(self.where.v).reshape(-1), self.where.bits)
        _add_known(frozen(picture), where, (frozen(self.runs), self.col), frozen(self.weights), (sums, weights))


_view_maps: BoundedCache[ViewMap] = BoundedCache(CACHE_BYTES, lambda view: view.where.nbytes)
_footprints: BoundedCache[Footprint] = BoundedCache(CACHE_BYTES, lambda spot: spot.nbytes)


def view_map(camera: Camera, height: int, width: int, kind: Maps) -> ViewMap:
    """The map of a camera's view of a panorama with the given size."""
    columns, remainder = columns_of_yaw(camera.yaw, width)
    still = replace(camera, yaw=0.0)
    key = (still, round(remainder * 1e9), height, width, kind)
    view = _view_maps.get(key, lambda: _make_view_map(still, remainder, (height, width), kind))
    row, col, rows, cols = view.window
    return ViewMap((row, col + columns, rows, cols), view.where)


def footprint(camera: Camera, height: int, width: int) -> Footprint:
    """The pixels that a camera sees of a panorama with the given size."""
    columns, remainder = columns_of_yaw(camera.yaw, width)
    still = replace(camera, yaw=remainder / width * 2 * math.pi)
    key = (replace(camera, yaw=0.0), round(remainder * 1e9), height, width)
    return replace(_footprints.get(key, lambda: _make_footprint(still, height, width)), col=columns)


def columns_of_yaw(yaw: float, width: int) -> tuple[int, float]:
    """Whole columns, and what remains, in columns from 0 to 1; a remainder of rounding counts as none."""
    columns = math.remainder(yaw, 2 * math.pi) / (2 * math.pi) * width
    whole = math.floor(columns + 1e-9)
    return whole, max(0.0, columns - whole)


def _make_view_map(camera: Camera, remainder: float, size: tuple[int, int], kind: Maps) -> ViewMap:
    height, width = size
    matrix = camera.world_from_camera
    x = (np.arange(camera.width) + 0.5 - camera.width / 2) / camera.focal_px
    y = (np.arange(camera.height) + 0.5 - camera.height / 2) / camera.focal_px
    along_column, along_row = np.outer(y, matrix[:, 1]) + matrix[:, 2], np.outer(x, matrix[:, 0])
    if kind is Maps.PICTURE:
        return _make_picture_view_map(along_column, along_row, remainder, size)
    turns, v = angles(np.ones(camera.height), along_column, along_row)
    u = turns * width
    u += width / 2 + remainder
    v *= height
    if kind is Maps.NEAREST:
        # Looking straight at a pole, the pixel is one of those around it.
        np.clip(v, 0.5, height - 0.5, out=v)
    row, col = math.floor(v.min() - 0.5), math.floor(u.min() - 0.5)
    rows, cols = math.floor(v.max() - 0.5) + 2 - row, math.floor(u.max() - 0.5) + 2 - col
    rows = min(rows, height + 1 - row)
    u -= col
    v -= row
    return ViewMap((row, col, rows, cols), exact_map(u, v, rows, cols))


def _make_picture_view_map(along_column: Float, along_row: Float, remainder: float, size: tuple[int, int]) -> ViewMap:
    height, width = size
    cells, shares, first, last = picture_cells(along_column, along_row, (width / 2 + remainder, width), height)
    (row, col), (last_row, last_col) = first, last
    # A picture ends one row beyond a pole; what would lie farther counts nothing.
    rows = min(last_row + 2 - row, height + 1 - row)
    return ViewMap((row, col, rows, last_col + 2 - col), PictureMap(cells, shares))


def _make_footprint(camera: Camera, height: int, width: int) -> Footprint:
    ratio = math.pi * camera.focal_px / height
    size = camera.size
    if ratio > math.sqrt(2):
        size = (max(1, round(camera.height / ratio)), max(1, round(camera.width / ratio)))
    first_col, cols = _columns_seen(camera, width)
    matrix = camera.world_from_camera
    lon = ((np.arange(first_col, first_col + cols) + 0.5) / width - 0.5) * 2 * np.pi
    lat = erp_angles(height, width)[1]
    scale, along_column, along_row = rays_of_grid(lon, lat, matrix)
    rays = (frozen(scale), frozen(along_column), frozen(along_row))
    half = (camera.width / 2 / camera.focal_px, camera.height / 2 / camera.focal_px)
    runs = _runs_seen(rays, half)
    count = int(runs[:, 2].sum())
    u, v, weights = np.empty(count), np.empty(count), np.empty(count, np.float32)
    _positions_seen(rays, half, frozen(runs), (u, v, weights))
    runs[:, 1] += first_col
    return Footprint(runs, exact_map(u[None] * size[1], v[None] * size[0], *size), weights, size)


def _columns_seen(camera: Camera, width: int) -> tuple[int, int]:
    """First column and number of columns within which a camera sees something.

    Along a great circle the longitude goes one way only: unless a pole is seen, the corners hold the extremes.
    """
    to_edge = np.array([camera.width / 2, camera.height / 2]) / camera.focal_px
    x, y, z = camera.world_from_camera[1]
    pole_seen = abs(x) <= to_edge[0] * abs(z) * (1 + 1e-9) and abs(y) <= to_edge[1] * abs(z) * (1 + 1e-9)
    if pole_seen:
        return 0, width
    # Beyond a quarter turn of pitch the camera looks back over its shoulder.
    ahead = camera.yaw if math.cos(camera.pitch) >= 0 else camera.yaw + math.pi
    corners = np.array([[i, j, 1.0] for i in (-to_edge[0], to_edge[0]) for j in (-to_edge[1], to_edge[1])])
    corners = corners @ replace(camera, yaw=camera.yaw - ahead).world_from_camera.T
    columns = (np.arctan2(corners[:, 0], corners[:, 2]) + ahead) / (2 * np.pi) * width + width / 2
    first = math.floor(columns.min()) - 1
    return first, min(width, math.ceil(columns.max()) + 1 - first)


Rays = tuple[Float, Float, Float]


@compiled
def _runs_seen(rays: Rays, half: tuple[float, float]) -> NDArray[np.int32]:
    """(n, 3) row, first column and length of the runs of rays within a picture that reaches `half` to its sides."""
    scale, along_column, along_row = rays
    half_x, half_y = half[0] * (1 + 1e-12), half[1] * (1 + 1e-12)
    runs = np.empty((0, 3), np.int32)
    for writing in range(2):
        count = 0
        for i in range(scale.size):
            inside = False
            for j in range(along_row.shape[0]):
                x = scale[i] * along_row[j, 0] + along_column[i, 0]
                y = scale[i] * along_row[j, 1] + along_column[i, 1]
                z = scale[i] * along_row[j, 2] + along_column[i, 2]
                if z > 0 and abs(x) <= half_x * z and abs(y) <= half_y * z:
                    if not inside:
                        if writing:
                            runs[count, 0] = i
                            runs[count, 1] = j
                            runs[count, 2] = 0
                        count += 1
                        inside = True
                    if writing:
                        runs[count - 1, 2] += 1
                else:
                    inside = False
        if not writing:
            runs = np.empty((count, 3), np.int32)
    return runs


@compiled
def _positions_seen(
    rays: Rays, half: tuple[float, float], runs: NDArray[np.int32], out: tuple[Float, Float, NDArray[np.float32]]
) -> None:
    """Positions in the picture from 0 to 1, and weights, of the rays in `runs`."""
    scale, along_column, along_row = rays
    u, v, weights = out
    at = 0
    for n in range(runs.shape[0]):
        i = runs[n, 0]
        for j in range(runs[n, 1], runs[n, 1] + runs[n, 2]):
            x = scale[i] * along_row[j, 0] + along_column[i, 0]
            y = scale[i] * along_row[j, 1] + along_column[i, 1]
            z = scale[i] * along_row[j, 2] + along_column[i, 2]
            right = x / (z * half[0])
            down = y / (z * half[1])
            u[at] = (right + 1) / 2
            v[at] = (down + 1) / 2
            to_side = max(0.0, 1 - abs(right))
            to_end = max(0.0, 1 - abs(down))
            weight = to_side * to_side * (3 - 2 * to_side) * to_end * to_end * (3 - 2 * to_end)
            weights[at] = max(weight, FAINTEST)
            at += 1


@compiled
def _spread(runs: NDArray[np.int32], shift: int, values: Image, erp: Image) -> None:
    """The loop behind `Footprint.spread`."""
    width = erp.shape[1]
    at = 0
    for n in range(runs.shape[0]):
        row = runs[n, 0]
        col = (runs[n, 1] + shift) % width
        for _ in range(runs[n, 2]):
            for c in range(values.shape[1]):
                erp[row, col, c] = values[at, c]
            at += 1
            col += 1
            if col == width:
                col = 0


@compiled
def _accumulate(
    where: tuple[NDArray[np.int32], int],
    values: Image,
    weights: NDArray[np.float32],
    sums: NDArray[np.float32],
    total: NDArray[np.float32],
) -> None:
    """The loop behind `Footprint.accumulate`."""
    runs, shift = where
    width, channels = sums.shape[1:]
    at = 0
    for n in range(runs.shape[0]):
        row = runs[n, 0]
        col = (runs[n, 1] + shift) % width
        left = runs[n, 2]
        while left > 0:
            # Up to the seam at once: without a test for it the loop runs on vectors.
            length = min(left, width - col)
            for k in range(length):
                known = True
                for c in range(channels):
                    known = known and values[at + k, c] - values[at + k, c] == 0
                weight = weights[at + k] if known else np.float32(0)
                total[row, col + k] += weight
                for c in range(channels):
                    sums[row, col + k, c] += weight * values[at + k, c] if known else np.float32(0)
            at += length
            left -= length
            col = 0


@compiled
def _add_known(
    picture: Image,
    where: tuple[NDArray[np.int32], NDArray[np.int32], int],
    runs_of: tuple[NDArray[np.int32], int],
    weights: NDArray[np.float32],
    out: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """`sample` and `_accumulate` in one pass, row by row in the processor's cache, for a picture known everywhere."""
    u, v, bits = where
    runs, shift = runs_of
    sums, total = out
    height, width, channels = picture.shape
    around = sums.shape[1]
    values = picture.reshape(-1)
    found = np.empty(around, np.float32)
    zero, one, places, mask = np.int32(0), np.int32(1), np.int32(bits), np.int32((1 << bits) - 1)
    last_col, last_row = np.int32(width - 1), np.int32(height - 1)
    unit = 1.0 / (1 << bits)
    at = 0
    for n in range(runs.shape[0]):
        row = runs[n, 0]
        col = (runs[n, 1] + shift) % around
        left = runs[n, 2]
        while left > 0:
            length = min(left, around - col)
            us, vs, shares = u[at : at + length], v[at : at + length], weights[at : at + length]
            row_total = total[row, col : col + length]
            for k in range(length):
                row_total[k] += shares[k]
            for c in range(channels):
                for k in range(length):
                    right, down = (us[k] & mask) * unit, (vs[k] & mask) * unit
                    first_col, first_row = us[k] >> places, vs[k] >> places
                    next_col = min(max(np.int32(first_col + one), zero), last_col) * channels
                    next_row = min(max(np.int32(first_row + one), zero), last_row) * width * channels + c
                    first_col = min(max(first_col, zero), last_col) * channels
                    first_row = min(max(first_row, zero), last_row) * width * channels + c
                    a, b = np.float64(values[first_row + first_col]), np.float64(values[first_row + next_col])
                    d, e = np.float64(values[next_row + first_col]), np.float64(values[next_row + next_col])
                    upper = a + right * (b - a)
                    found[k] = upper + down * (d + right * (e - d) - upper)
                row_sums = sums[row, col : col + length, c]
                for k in range(length):
                    row_sums[k] += shares[k] * found[k]
            at += length
            left -= length
            col = 0
