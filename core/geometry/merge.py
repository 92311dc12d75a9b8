"""Overlapping tiles -> one panorama."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.geometry.camera import Camera
from core.geometry.maps import footprint
from core.geometry.sampling import Image, as_kind_of, is_label, sample, with_channels


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
        spot = footprint(camera, height, width)
        spot.accumulate(sample(spot.shrunk(with_channels(tile)), spot.where)[0], sums, weights)
    known = weights > 0
    np.divide(sums, weights[..., None], out=sums, where=known[..., None])
    if kind.dtype.kind == "f":
        sums[~known] = np.nan
        return as_kind_of(sums.astype(kind.dtype, copy=False), kind)
    return as_kind_of(sums, kind)
