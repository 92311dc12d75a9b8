"""Where one surface ends in front of another: exact edges of a world, from its ranges and normals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.sphere import erp_rays

STEP = 0.02
"""By how much more than this share of their range one surface lies before the other at an edge."""


def edge_mask(depth: NDArray[np.float32], normals: NDArray[np.float32], far: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels on either side of an occluding edge.

    The planes through two neighbours, by their normals, are compared along both rays. On one surface they agree; where
    two surfaces meet, each is behind the other beyond the corner, or each before it; at an edge the same one is in
    front along both rays. So neither floors that run to the horizon nor corners of rooms have edges, at any size.
    Columns wrap, and a pixel beside a pole has the one across it as its neighbour.

    Args:
        depth: (h, w) along the ray, NaN where far.
        normals: (h, w, 3) unit, NaN where far.
        far: (h, w) where the ray meets nothing.

    Returns:
        (h, w) bool.
    """
    height, width = depth.shape
    rays = erp_rays(height, width)
    reach = np.where(far, np.float32(np.inf), depth)
    # How far the plane of a pixel lies from the camera.
    offset = np.where(far, np.float32(0), np.nan_to_num(depth) * np.einsum("hwi,hwi->hw", np.nan_to_num(normals), rays))
    edges = np.zeros((height, width), np.bool_)

    def compare(one: tuple[slice | NDArray[np.int64], ...], other: tuple[slice | NDArray[np.int64], ...]) -> None:
        broken = _apart(reach, normals, offset, rays, far, one, other)
        edges[one] |= broken
        edges[other] |= broken

    every, columns = slice(None), np.arange(width)
    compare((slice(0, -1), every), (slice(1, None), every))
    compare((every, columns), (every, (columns + 1) % width))
    half = np.arange(width // 2)
    for row in (slice(0, 1), slice(height - 1, height)):
        compare((row, half), (row, half + width // 2))
    return edges


def _apart(
    reach: NDArray[np.float32],
    normals: NDArray[np.float32],
    offset: NDArray[np.float32],
    rays: NDArray[np.float32],
    far: NDArray[np.bool_],
    one: tuple[slice | NDArray[np.int64], ...],
    other: tuple[slice | NDArray[np.int64], ...],
) -> NDArray[np.bool_]:
    """Whether one pixel of each pair shows a surface that hides the other's."""
    behind = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for here, there in ((one, other), (other, one)):
            met = offset[here] / np.einsum("...i,...i->...", normals[here], rays[there])
            # A plane that a ray never meets is behind everything.
            behind.append(np.where(met > 0, met, np.float32(np.inf)) / reach[there] - 1)
    # The plane of one at the other's ray, and the other way round.
    first, second = behind
    hides = ((first > STEP) & (second < -STEP)) | ((first < -STEP) & (second > STEP))
    apart: NDArray[np.bool_] = np.where(far[one] | far[other], far[one] != far[other], hides)
    return apart
