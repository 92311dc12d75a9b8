"""What several views say about an object -> one answer per direction: on the panorama's grid, or in another view.

Every direction asks the views that see it (inverse mapping, linear interpolation of their logits), so there are no
holes. On a panorama only blocks are worked on in which some view is positive: a small object costs little at any size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.angles import rays_of_grid
from core.geometry.camera import Camera, rotation_from_angles
from core.geometry.compiled import compiled, frozen
from core.geometry.maps import columns_of_yaw
from core.geometry.sampling import shrink
from core.geometry.sphere import erp_angles
from core.segment.options import Merge

Float = NDArray[np.float64]
Logits = NDArray[np.float32]
Bits = NDArray[np.bool_]
Arrays = tuple[NDArray[Any], ...]

LIMIT = 10.0
"""Logits are held within this in a mean: SAM 2 says -1024 where it finds nothing, and one voice must not drown all."""
RULE = 0.9
"""Share of a ruling view's half side within which no other view is asked."""
_BLOCKS = 128
"""Rows of blocks on a panorama."""
_FAINTEST = 1e-6


@dataclass(frozen=True, eq=False)
class SeenView:
    """What is known of an object in one view.

    Attributes:
        camera: That sees it; of any size, only its directions count.
        logits: (s, s) float32, > 0 inside, NaN where nothing is known.
        trust: Weight in a mean.
        rules: True for a view that others are not asked beside, within its middle (`RULE`).
    """

    camera: Camera
    logits: Logits
    trust: float = 1.0
    rules: bool = False

    @property
    def answer_camera(self) -> Camera:
        """The same camera with the logits' own pixels."""
        return replace(self.camera, height=self.logits.shape[0], width=self.logits.shape[1])


def merge_mask(views: Sequence[SeenView], height: int, width: int, how: Merge) -> Bits:
    """Where the merged logits are positive, (height, width) bool."""
    bits = np.zeros((height, width), np.bool_)
    for rows, values in _bands(views, height, width, how, signs_only=True):
        np.greater(values, 0, out=bits[rows])
    return bits


def merge_logits(views: Sequence[SeenView], height: int, width: int, how: Merge) -> Logits:
    """Merged logits, (height, width) float32; NaN far from anything positive and where no view looks."""
    logits = np.full((height, width), np.nan, np.float32)
    for rows, values in _bands(views, height, width, how, signs_only=False):
        logits[rows] = values
    return logits


def project_logits(views: Sequence[SeenView], camera: Camera, how: Merge) -> Logits:
    """What views say about the directions of another camera, (camera.height, camera.width); NaN where they do not look.

    Both modes take every view that sees a direction, also those that say no.
    """
    height, width = camera.size
    out = np.full((height, width), np.nan, np.float32)
    if not views:
        return out
    x = (np.arange(width) + 0.5 - width / 2) / camera.focal_px
    y = (np.arange(height) + 0.5 - height / 2) / camera.focal_px
    along_row = np.empty((len(views), width, 3))
    along_column = np.empty((len(views), height, 3))
    for n, view in enumerate(views):
        turn = _view_from_other(view.camera, camera)
        along_row[n] = np.outer(x, turn[:, 0])
        along_column[n] = np.outer(y, turn[:, 1]) + turn[:, 2]
    rays = (np.ones(height), along_column, along_row, np.arange(len(views)), np.zeros(len(views), np.int64))
    everything = (np.array([[0, width]]), np.array([0, len(views)]), np.arange(len(views)))
    _evaluate(_frozen(rays), _frozen(everything), _stacked(views, camera.focal_px), how is Merge.MAX, 0, out)
    return out


def _view_from_other(view: Camera, other: Camera) -> Float:
    """Rotation from one camera's frame into another's, the same to the last bit when both are turned by one yaw."""
    yaw = round(math.remainder(other.yaw - view.yaw, 2 * math.pi), 12)
    turn = rotation_from_angles(yaw, other.pitch, other.roll)
    tilt: Float = rotation_from_angles(0.0, view.pitch, view.roll).T @ turn
    return tilt


def _bands(
    views: Sequence[SeenView], height: int, width: int, how: Merge, *, signs_only: bool
) -> Iterator[tuple[slice, Logits]]:
    """Rows of the panorama, and what the views say there, (rows, width); NaN where nothing can be positive.

    A merged logit is positive only where one of the views' logits is, and surely where all of them are: both modes see
    to that. With `signs_only`, blocks of which all that see them say yes are not looked into.
    """
    if not views:
        return
    size = max(4, math.ceil(height / _BLOCKS))
    near, some, every = _blocks_seen(views, height, width, size)
    rays = _frozen(_erp_rays(views, height, width))
    stacked = _stacked(views, height / math.pi)
    is_max = how is Merge.MAX
    for band in np.flatnonzero(some.any(axis=1)):
        top = int(band) * size
        out = np.full((min(size, height - top), width), np.nan, np.float32)
        sure = every[band] if signs_only else np.zeros_like(every[band])
        if sure.any():
            out[:, np.repeat(sure, size)[:width]] = LIMIT
        chosen = np.flatnonzero(some[band] & ~sure)
        columns = np.stack([chosen * size, np.minimum((chosen + 1) * size, width)], axis=1)
        askable = near[:, band, chosen].T
        lists = np.concatenate([[0], np.cumsum(askable.sum(axis=1))])
        _evaluate(rays, _frozen((columns, lists, np.nonzero(askable)[1])), stacked, is_max, top, out)
        yield slice(top, top + len(out)), out


def _blocks_seen(views: Sequence[SeenView], height: int, width: int, size: int) -> tuple[Bits, Bits, Bits]:
    """Which blocks of pixels need to be looked into.

    Returns:
        (n, rows, columns) whether a view may see a block; (rows, columns) whether some view may say yes in it; whether
        all that may see it say nothing else, and one sees all of it.
    """
    import cv2

    rows, columns = math.ceil(height / size), math.ceil(width / size)
    lat = (0.5 - (np.arange(rows) + 0.5) * size / height) * np.pi
    lon = ((np.arange(columns) + 0.5) * size / width - 0.5) * 2 * np.pi
    reach = math.hypot(size / height * math.pi / 2, size / width * math.pi)
    near = np.zeros((len(views), rows, columns), np.bool_)
    some = np.zeros((rows, columns), np.bool_)
    refused, whole = some.copy(), some.copy()
    for n, view in enumerate(views):
        side = view.logits.shape[0]
        half = math.tan(view.camera.fov_x / 2)
        # How far, in pixels, anything in a block can lie from its middle; most at the corners, and there a bit more.
        far = math.ceil(1.3 * reach * (side / 2 / half) * (1 + 2 * half * half)) + 2
        kernel = np.ones((2 * far + 1, 2 * far + 1), np.uint8)
        scale, along_column, along_row = rays_of_grid(lon, lat, view.camera.world_from_camera)
        x, y, z = (np.outer(scale, along_row[:, k]) + along_column[:, k : k + 1] for k in range(3))
        with np.errstate(divide="ignore", invalid="ignore"):
            col = np.floor((x / (z * half) + 1) / 2 * side) + far
            row = np.floor((y / (z * half) + 1) / 2 * side) + far
        seen = (z > 0) & (col >= 0) & (row >= 0) & (col < side + 2 * far) & (row < side + 2 * far)
        near[n] = seen
        cells = row[seen].astype(np.int64), col[seen].astype(np.int64)
        inside = (cells[0] >= 2 * far) & (cells[0] < side) & (cells[1] >= 2 * far) & (cells[1] < side)
        for found, where in ((some, view.logits > 0), (refused, ~(view.logits > 0))):
            padded = np.pad(where.view(np.uint8), far)
            found[seen] |= np.asarray(cv2.dilate(padded, kernel))[cells] > 0
        whole[seen] |= inside
    return near, some, some & ~refused & whole


def _erp_rays(views: Sequence[SeenView], height: int, width: int) -> Arrays:
    """The panorama's rays in the views' frames, in the parts that `_evaluate` takes.

    A turn by whole columns is a shift of indices, so a panorama that is rolled by them gives the same numbers.
    """
    lon, lat = erp_angles(height, width)
    tables: dict[tuple[float, float, float], int] = {}
    which, shifts, along_rows, along_columns = [], [], [], []
    for view in views:
        whole, remainder = columns_of_yaw(view.camera.yaw, width)
        key = (view.camera.pitch, view.camera.roll, round(remainder, 9))
        if key not in tables:
            tables[key] = len(tables)
            rotation = rotation_from_angles(key[2] / width * 2 * math.pi, key[0], key[1])
            _, along_column, along_row = rays_of_grid(lon, lat, rotation)
            along_rows.append(along_row)
            along_columns.append(along_column)
        which.append(tables[key])
        shifts.append(whole % width)
    return np.cos(lat), np.stack(along_columns), np.stack(along_rows), np.array(which), np.array(shifts)


def _stacked(views: Sequence[SeenView], px_per_rad: float) -> Arrays:
    """Logits one after the other, where each begins, their sizes, half widths, weights, and who rules."""
    pictures = []
    for view in views:
        picture = np.clip(view.logits, -LIMIT, LIMIT)
        ratio = view.answer_camera.focal_px / px_per_rad
        if ratio > math.sqrt(2):
            side = max(1, round(len(picture) / ratio))
            picture = shrink(picture[..., None].astype(np.float32), side, side)[..., 0]
        pictures.append(picture.astype(np.float32, copy=False))
    sizes = np.array([len(picture) for picture in pictures])
    return _frozen(
        (
            np.concatenate([picture.ravel() for picture in pictures]),
            np.concatenate([[0], np.cumsum(sizes * sizes)[:-1]]),
            sizes,
            np.array([math.tan(view.camera.fov_x / 2) for view in views]),
            np.array([view.trust for view in views], np.float64),
            np.array([view.rules for view in views], np.bool_),
        )
    )


def _frozen(arrays: Arrays) -> Arrays:
    return tuple(frozen(array) for array in arrays)


@compiled
def _evaluate(rays: Arrays, blocks: Arrays, views: Arrays, is_max: bool, top: int, out: Logits) -> None:
    """Merged logits of the blocks of one band of rows; NaN elsewhere.

    Args:
        rays: scale (rows,), along_column (tables, rows, 3), along_row (tables, columns, 3), the table of each view, and
            the columns by which each view is turned to the right. See `core.geometry.angles.angles`.
        blocks: First and last column (b, 2), where each block's list of views begins (b + 1,), and the lists.
        views: Of `_stacked`.
        is_max: The largest logit, else the weighted mean.
        top: Row of the first row of `out`.
        out: (rows of the band, columns).
    """
    scale, along_column, along_row, table_of, shift_of = rays
    columns, lists, asked = blocks
    logits, starts, sizes, halves, trusts, ruling = views
    rows, width = out.shape
    widest = 0
    for b in range(columns.shape[0]):
        widest = max(widest, columns[b, 1] - columns[b, 0])
    sums = np.empty((rows, widest))
    weights = np.empty((rows, widest))
    ruled = np.empty((rows, widest), np.bool_)
    for b in range(columns.shape[0]):
        first, last = columns[b, 0], columns[b, 1]
        sums[:] = 0.0
        weights[:] = 0.0
        ruled[:] = False
        for turn in range(2):
            for k in range(lists[b], lists[b + 1]):
                n = asked[k]
                if ruling[n] != (turn == 0):
                    continue
                table, size, half, start = table_of[n], sizes[n], halves[n], starts[n]
                for i in range(rows):
                    row = top + i
                    col = first - shift_of[n]
                    if col < 0:
                        col += width
                    for j in range(last - first):
                        at = col
                        col += 1
                        if col == width:
                            col = 0
                        z = scale[row] * along_row[table, at, 2] + along_column[table, row, 2]
                        if z <= 1e-9 or ruled[i, j]:
                            continue
                        to_side = 1 / (z * half)
                        x = (scale[row] * along_row[table, at, 0] + along_column[table, row, 0]) * to_side
                        y = (scale[row] * along_row[table, at, 1] + along_column[table, row, 1]) * to_side
                        if abs(x) > 1 + 1e-12 or abs(y) > 1 + 1e-12:
                            continue
                        u = min(max((x + 1) * 0.5 * size - 0.5, 0.0), size - 1.0)
                        v = min(max((y + 1) * 0.5 * size - 0.5, 0.0), size - 1.0)
                        left, upper = int(u), int(v)
                        right, lower = min(left + 1, size - 1), min(upper + 1, size - 1)
                        across, down = u - left, v - upper
                        a = np.float64(logits[start + upper * size + left])
                        c = np.float64(logits[start + upper * size + right])
                        d = np.float64(logits[start + lower * size + left])
                        e = np.float64(logits[start + lower * size + right])
                        above = a + across * (c - a)
                        value = above + down * (d + across * (e - d) - above)
                        if value - value != 0:
                            continue
                        if turn == 0 and abs(x) < RULE and abs(y) < RULE:
                            ruled[i, j] = True
                            # Ruling views among themselves: the first one decides.
                            weights[i, j] = 0.0
                        if is_max:
                            sums[i, j] = value if weights[i, j] == 0 else max(sums[i, j], value)
                            weights[i, j] = 1.0
                        else:
                            to_x, to_y = max(1 - abs(x), 0.0), max(1 - abs(y), 0.0)
                            weight = to_x * to_x * (3 - 2 * to_x) * to_y * to_y * (3 - 2 * to_y)
                            weight = max(weight, _FAINTEST) * trusts[n]
                            sums[i, j] = weight * value + (sums[i, j] if weights[i, j] > 0 else 0.0)
                            weights[i, j] += weight
        for i in range(rows):
            for j in range(last - first):
                if weights[i, j] > 0:
                    out[i, first + j] = sums[i, j] if is_max else sums[i, j] / weights[i, j]
