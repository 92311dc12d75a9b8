"""Overlapping tiles -> one panorama."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.compiled import compiled, frozen
from core.geometry.maps import Footprint, footprint
from core.geometry.sampling import Image, as_kind_of, is_label, pick, sample, with_channels

JUMP = 0.08
"""Relative difference from which on two values belong to two surfaces."""

F32 = NDArray[np.float32]
Where = tuple[NDArray[np.int32], int]
Told = tuple[F32, NDArray[np.bool_]]


def merge_tiles(tiles: Sequence[Image], cameras: Sequence[Camera], height: int, width: int) -> Image:
    """One panorama from pictures or maps that overlap.

    Each direction is the mean over the tiles that know it, with weights that fall smoothly to zero at a tile's border,
    so that no tile leaves an edge.

    Args:
        tiles: One (h, w) or (h, w, channels) per camera, of its camera's size and all of one type: a picture, a mask or
            a measurement; NaN where unknown, in which case the other tiles decide. A pixel with one unknown channel is
            unknown.
        cameras: That took them.
        height: Rows of the panorama.
        width: Columns of the panorama.

    Returns:
        (height, width) or (height, width, channels) of the same type. Where no tile knows anything, floats are NaN,
        other values 0.

    Raises:
        ValueError: Tiles and cameras do not fit each other.
        TypeError: The tiles are labels, of which there is no mean; merge scores instead.
    """
    if len(tiles) != len(cameras) or not tiles:
        raise ValueError(f"expected one tile per camera and at least one, got {len(tiles)} and {len(cameras)}")
    kind = tiles[0]
    if is_label(kind):
        raise TypeError(f"labels have no mean, got tiles of {kind.dtype}; merge the scores of each class")
    channels = 1 if kind.ndim == 2 else kind.shape[2]
    sums = np.zeros((height, width, channels), np.float32)
    weights = np.zeros((height, width), np.float32)
    for tile, camera in zip(tiles, cameras, strict=True):
        if tile.shape != camera.size + kind.shape[2:] or tile.dtype != kind.dtype:
            raise ValueError(
                f"expected {kind.dtype} of {camera.size + kind.shape[2:]} like its camera and the first tile, "
                f"got {tile.dtype} of {tile.shape}"
            )
        footprint(camera, height, width).add(with_channels(tile), sums, weights)
    known = weights > 0
    np.divide(sums, weights[..., None], out=sums, where=known[..., None])
    if kind.dtype.kind == "f":
        sums[~known] = np.nan
        return as_kind_of(sums.astype(kind.dtype, copy=False), kind)
    return as_kind_of(sums, kind)


def merge_surfaces(
    tiles: Sequence[NDArray[np.float32]], cameras: Sequence[Camera], height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One panorama from overlapping maps of something positive that jumps where one surface hides another.

    Each direction is the mean over the tiles that know it, as in `merge_tiles`. Beside a jump, though, it belongs to
    the surface on which the tile sees it that looks there most directly, and the others count by how near their value
    is to that one: no value arises between two surfaces. Within a tile, values are interpolated along a surface and
    taken from the nearest pixel across a jump. Linear interpolation is exact for the inverse of planar depth, which is
    linear in the picture of any plane, and nearly so for the inverse of the range.

    Args:
        tiles: One (h, w) float32 per camera, positive, NaN where unknown; may have more or fewer pixels than the
            camera's picture.
        cameras: That took them.
        height: Rows of the panorama.
        width: Columns of the panorama.

    Returns:
        (height, width) float32 values, NaN where no tile knows anything; and the tiles' summed weights, which fall
        smoothly to 0 at the border of what they know.

    Raises:
        ValueError: Tiles and cameras do not fit each other.
    """
    if len(tiles) != len(cameras) or not tiles:
        raise ValueError(f"expected one tile per camera and at least one, got {len(tiles)} and {len(cameras)}")
    size = height, width
    heaviest, leading, beside = np.zeros(size, np.float32), np.full(size, np.nan, np.float32), np.zeros(size, np.bool_)
    seen = []
    for tile, camera in zip(tiles, cameras, strict=True):
        spot = footprint(sized_like(camera, tile), height, width)
        values, at_jump = _on_surfaces(tile, spot)
        where = frozen(spot.runs), spot.col
        _lead(where, (frozen(values), frozen(at_jump)), frozen(spot.weights), (heaviest, leading, beside))
        seen.append((where, (frozen(values), frozen(at_jump)), frozen(spot.weights)))
    sums, trusted, weights = (np.zeros(size, np.float32) for _ in range(3))
    for where, told, weight in seen:
        _follow(where, told, weight, (frozen(leading), frozen(beside)), (sums, trusted, weights))
    merged = np.full(size, np.nan, np.float32)
    np.divide(sums, trusted, out=merged, where=trusted > 0)
    return merged, weights


def sized_like(camera: Camera, tile: Image) -> Camera:
    """The same view with as many pixels as a picture of it has."""
    return replace(camera, height=tile.shape[0], width=tile.shape[1])


def _on_surfaces(tile: F32, spot: Footprint) -> tuple[F32, NDArray[np.bool_]]:
    """(count,) values of a footprint, and whether there is a jump within two pixels of the tile."""
    import cv2

    picture = spot.shrunk(with_channels(np.where(tile > 0, tile, np.float32(np.nan))))
    linear, nearest = sample(picture, spot.where)[0, :, 0], pick(picture, spot.where)[0, :, 0]
    around = np.ones((5, 5), np.uint8)
    known = np.nan_to_num(picture[..., 0])
    jumps = cv2.dilate(known, around) > np.float32(1 + 2 * JUMP) * cv2.erode(known, around)
    at_jump = pick(jumps[..., None], spot.where)[0, :, 0]
    with np.errstate(invalid="ignore"):
        across = ~(np.abs(linear - nearest) <= JUMP / 2 * np.abs(nearest))
    values: F32 = np.where(across, nearest, linear).astype(np.float32)
    return values, at_jump


@compiled
def _lead(where: Where, told: Told, weights: F32, best: tuple[F32, F32, NDArray[np.bool_]]) -> None:
    """Keep what the tile with the greatest weight says."""
    runs, shift = where
    values, at_jump = told
    heaviest, leading, beside = best
    width = leading.shape[1]
    at = 0
    for n in range(runs.shape[0]):
        row = runs[n, 0]
        col = (runs[n, 1] + shift) % width
        for _ in range(runs[n, 2]):
            if weights[at] > heaviest[row, col] and values[at] > 0:
                heaviest[row, col] = weights[at]
                leading[row, col] = values[at]
                beside[row, col] = at_jump[at]
            at += 1
            col += 1
            if col == width:
                col = 0


@compiled
def _follow(
    where: Where, told: Told, weights: F32, best: tuple[F32, NDArray[np.bool_]], out: tuple[F32, F32, F32]
) -> None:
    """Add up the values; beside a jump, those that agree with the leading ones."""
    runs, shift = where
    values, at_jump = told
    leading, beside = best
    sums, trusted, total = out
    width = leading.shape[1]
    at = 0
    for n in range(runs.shape[0]):
        row = runs[n, 0]
        col = (runs[n, 1] + shift) % width
        for _ in range(runs[n, 2]):
            if values[at] > 0:
                weight = weights[at]
                total[row, col] += weight
                if at_jump[at] or beside[row, col]:
                    off = (values[at] - leading[row, col]) / (np.float32(JUMP) * leading[row, col])
                    trust = 1 / (1 + off * off)
                    weight *= trust * trust
                sums[row, col] += weight * values[at]
                trusted[row, col] += weight
            at += 1
            col += 1
            if col == width:
                col = 0
