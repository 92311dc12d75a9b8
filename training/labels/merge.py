"""What a teacher says of many views, as one panorama, with how far the views agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera
from core.geometry.maps import footprint
from core.geometry.merge import merge_surfaces, merge_tiles, sized_like
from core.geometry.normals import unit
from core.geometry.sampling import sample, with_channels
from core.models.tiled import DepthKind, TileReading, inverse_ranges

F32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

DEPTH_OFF = 0.1
"""Relative difference of two views' ranges that takes confidence to exp(-1/2); our choice."""
NORMALS_OFF = math.radians(15)
"""The same for the angle between two views' normals; our choice."""
_UNKNOWN = np.float32(np.nan)


@dataclass(frozen=True, eq=False)
class MergedDepth:
    """Depth on the sphere.

    Attributes:
        depth: (h, w) along the ray, NaN where unknown or far; metres, or right up to one factor.
        confidence: (h, w) from 0 to 1; 0 where unknown, and where a single view looks, with which none agrees.
        far: (h, w) bool.
        views: The views' own ranges on that scale, one for each reading, of its size; NaN where unknown or far.
        scales: (n,) by which the views' own ranges were divided.
    """

    depth: F32
    confidence: F32
    far: Bool
    views: tuple[F32, ...]
    scales: F32


def merge_depth(
    readings: Sequence[TileReading], kind: DepthKind, height: int, width: int, *, is_metric: bool
) -> MergedDepth:
    """One depth map from the views, all of them brought to one scale.

    Args:
        readings: With depth.
        kind: What that depth is.
        height: Rows of the panorama.
        width: Its columns.
        is_metric: Whether its unit is the metre; otherwise the views have no scale of their own to tell of.
    """
    cameras = [reading.camera for reading in readings]
    tiles, tile_far = inverse_ranges(readings, kind)
    inverse, _ = merge_surfaces(tiles, cameras, height, width)
    far = _share_far(tiles, tile_far, cameras, (height, width)) >= 0.5
    with np.errstate(divide="ignore"):
        depth = np.where(far, _UNKNOWN, np.reciprocal(inverse))
        views = [np.reciprocal(tile) for tile in tiles]
        logs = [-np.log(tile)[..., None] for tile in tiles]
    scales = np.ones(len(views))
    if is_metric:
        scales = np.array([_own_scale(reading, view) for reading, view in zip(readings, views, strict=True)])
    mean, square, pairs = _moments(logs, cameras, height, width)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Twice the variance is the mean squared difference of two, of which a view's from itself are to be left out.
        apart = 2 * np.maximum(square - mean[..., 0] ** 2, 0) / pairs
        confidence = np.exp(-apart / (2 * DEPTH_OFF**2))
    confidence = np.where(np.isfinite(depth) & (pairs > 0), confidence, 0).astype(np.float32)
    return MergedDepth(depth, confidence, far, tuple(views), scales.astype(np.float32))


def merge_normals(readings: Sequence[TileReading], height: int, width: int) -> tuple[F32, F32]:
    """(height, width, 3) the mean of the views' normals, NaN where unknown, and (height, width) its confidence."""
    tiles = [reading.normals for reading in readings if reading.normals is not None]
    cameras = [reading.camera for reading in readings if reading.normals is not None]
    mean, square, pairs = _moments(tiles, cameras, height, width)
    length = np.einsum("hwi,hwi->hw", mean, mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The squared difference of two normals is the squared angle between them, for small ones.
        apart = 2 * np.maximum(square - length, 0) / pairs
        confidence = np.exp(-apart / (2 * NORMALS_OFF**2))
    known = np.isfinite(length) & (length > 0)
    normals = np.where(known[..., None], unit(np.nan_to_num(mean)), _UNKNOWN).astype(np.float32)
    return normals, np.where(known & (pairs > 0), confidence, 0).astype(np.float32)


class ClassVotes:
    """The views' chances of classes, added up on the sphere as they come: all views' together would fill the memory.

    Args:
        count: Of classes.
        height: Rows of the panorama.
        width: Its columns.
    """

    def __init__(self, count: int, height: int, width: int) -> None:
        self._sums = np.zeros((height, width, count), np.float32)
        self._weights = np.zeros((height, width), np.float32)

    def add(self, reading: TileReading) -> None:
        """Add what was said of one view."""
        if reading.chances is not None:
            _accumulate(reading.chances, reading.camera, self._sums, self._weights)

    def classes(self) -> tuple[NDArray[np.int16], F32]:
        """(height, width) the likeliest class, -1 where unknown, and its chance in the mean of the views."""
        known = self._weights > 0
        best = self._sums.argmax(axis=-1)
        chance = np.take_along_axis(self._sums, best[..., None], -1)[..., 0]
        confidence = np.divide(chance, self._weights, out=np.zeros_like(chance), where=known)
        return np.where(known, best, -1).astype(np.int16), np.minimum(confidence, 1).astype(np.float32)


def classes_of(reading: TileReading) -> NDArray[np.int16] | None:
    """(h, w) the likeliest class in one view, -1 where unknown."""
    if reading.chances is None:
        return None
    best = np.argmax(np.nan_to_num(reading.chances), axis=-1)
    return np.where(np.isfinite(reading.chances[..., 0]), best, -1).astype(np.int16)


def _share_far(tiles: Sequence[F32], tile_far: Sequence[Bool], cameras: Sequence[Camera], size: tuple[int, int]) -> F32:
    """(h, w) share of the views that call a direction far, of those that know; NaN where none does."""
    views = [
        np.where(is_far, np.float32(1), np.where(np.isfinite(tile), np.float32(0), _UNKNOWN))
        for tile, is_far in zip(tiles, tile_far, strict=True)
    ]
    share = merge_tiles(views, [sized_like(one, view) for one, view in zip(cameras, views, strict=True)], *size)
    return share.astype(np.float32)


def _own_scale(reading: TileReading, view: F32) -> float:
    """What a view's own ranges were divided by."""
    if reading.depth is None:
        raise ValueError("expected readings with depth")
    camera = sized_like(reading.camera, reading.depth)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = reading.depth / (camera.rays() @ camera.world_from_camera[:, 2]) / view
    return float(np.median(ratio[np.isfinite(ratio)])) if np.isfinite(ratio).any() else 1.0


def _moments(tiles: Iterable[F32], cameras: Sequence[Camera], height: int, width: int) -> tuple[F32, F32, F32]:
    """Weighted means over the views of their values (h, w, channels), of the squares of the values' length (h, w), and
    which part of all pairs of views (h, w) is of two different ones: 0 where a single view looks.
    """
    sums: F32 | None = None
    weights = np.zeros((height, width), np.float32)
    for tile, camera in zip(tiles, cameras, strict=True):
        if sums is None:
            sums = np.zeros((height, width, tile.shape[2] + 2), np.float32)
        _accumulate(tile, camera, sums, weights, with_squares=True)
    if sums is None:
        raise ValueError("expected at least one view")
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums / weights[..., None]
        # The last sum is of the weights' squares; of its mean another weight is divided out.
        same = means[..., -1] / weights
    pairs = np.where(weights > 0, 1 - same, 0)
    # What is left by rounding is no second view.
    return means[..., :-2], means[..., -2], np.where(pairs > 1e-5, pairs, 0).astype(np.float32)


def _accumulate(tile: F32, camera: Camera, sums: F32, weights: F32, *, with_squares: bool = False) -> None:
    """Add a view's values (h, w, channels) to sums and weights where they are known; also their squared length and
    their own weight.
    """
    spot = footprint(sized_like(camera, tile), *weights.shape)
    values = sample(spot.shrunk(with_channels(tile)), spot.where)[0]
    if with_squares:
        length = np.einsum("nc,nc->n", values, values)
        values = np.concatenate([values, length[:, None], spot.weights[:, None]], axis=1)
    spot.accumulate(np.ascontiguousarray(values, np.float32), sums, weights)


def without_chances(reading: TileReading) -> TileReading:
    """The same without the chances of classes, which take the most memory."""
    return replace(reading, chances=None)
