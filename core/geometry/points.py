"""Points from depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.sphere import directions_to_erp, erp_angles, erp_to_directions

SAME_SURFACE = 0.1
"""Neighbouring pixels whose depth differs by a smaller share are taken for one surface."""
LEAST_COSINE = 0.1

RayParts = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def points_from_depth(depth: NDArray[np.float32], rotation: ArrayLike | None = None) -> NDArray[np.float32]:
    """The point that each pixel of a depth map saw.

    Args:
        depth: (h, w) distance along the ray, NaN where unknown.
        rotation: (3, 3) applied to the rays, from the world into another frame; None for the world itself.

    Returns:
        (h, w, 3) float32 in the unit of the depth: exactly the float32 product of depth and ray, where the ray is that
        of `erp_rays`, turned and rounded once; NaN where the depth is.
    """
    height, width = depth.shape
    lon, lat = erp_angles(height, width)
    matrix = np.eye(3) if rotation is None else np.asarray(rotation, np.float64)
    points = np.empty((height, width, 3), np.float32)
    rays = (frozen(np.cos(lat)), frozen(-np.sin(lat)), frozen(np.sin(lon)), frozen(np.cos(lon)))
    if rotation is None:
        _points(frozen(depth.astype(np.float32, copy=False)), rays, points)
    else:
        _turned_points(frozen(depth.astype(np.float32, copy=False)), rays, frozen(matrix), points)
    return points


def depth_at(depth: NDArray[np.float32], direction: ArrayLike) -> float:
    """How far the surface is along a ray that need not be that of a pixel.

    It is that of the pixel which the ray falls into, continued along the surface that the neighbours show: for the
    points ``p = depth * ray`` of a plane, 1 / (p . direction) is linear in the gnomonic coordinates about the
    direction, so that a plane is met exactly, also at the seam and the poles.

    Args:
        depth: (h, w) distance along the ray, NaN where unknown.
        direction: (3,) of any length.

    Returns:
        In the unit of the depth; NaN where that pixel knows none.
    """
    height, width = depth.shape
    ahead = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    u, v = directions_to_erp(ahead, height, width)
    down, right = (offsets.ravel() for offsets in np.mgrid[-1:2, -1:2])
    rows, cols = min(int(v), height - 1) + down, int(u) + right
    beyond = (rows < 0) | (rows >= height)
    rows, cols = np.clip(rows, 0, height - 1), (cols + np.where(beyond, width // 2, 0)) % width
    depths = depth[rows, cols].astype(np.float64)
    here = float(depths[4])
    if not here > 0:
        return float("nan")
    rays = erp_to_directions(cols + 0.5, rows + 0.5, height, width)
    cosines = rays @ ahead
    with np.errstate(invalid="ignore"):
        used = (np.abs(depths - here) < SAME_SURFACE * here) & (cosines > LEAST_COSINE)
    if not used[4]:
        return here
    # The two axes across the ray.
    axes = np.linalg.svd(ahead[None])[2][1:]
    places = (rays @ axes.T) / cosines[:, None]
    inverse = 1 / (depths * cosines)
    slope = np.linalg.lstsq(places[used] - places[4], inverse[used] - inverse[4], rcond=1e-9)[0]
    found = float(inverse[4] - places[4] @ slope)
    return 1 / found if found > 0 else here


@compiled
def _points(depth: NDArray[np.float32], rays: RayParts, points: NDArray[np.float32]) -> None:
    """Rays are made on the way, one product each, and rounded to float32 as `erp_rays` does."""
    across, down, sin_lon, cos_lon = rays
    for i in range(depth.shape[0]):
        y = np.float32(down[i])
        for j in range(depth.shape[1]):
            d = depth[i, j]
            points[i, j, 0] = d * np.float32(across[i] * sin_lon[j])
            points[i, j, 1] = d * y
            points[i, j, 2] = d * np.float32(across[i] * cos_lon[j])


@compiled
def _turned_points(
    depth: NDArray[np.float32], rays: RayParts, rotation: NDArray[np.float64], points: NDArray[np.float32]
) -> None:
    """The same with each ray turned before it is rounded."""
    across, down, sin_lon, cos_lon = rays
    for i in range(depth.shape[0]):
        y = down[i]
        for j in range(depth.shape[1]):
            d = depth[i, j]
            x = across[i] * sin_lon[j]
            z = across[i] * cos_lon[j]
            for c in range(3):
                points[i, j, c] = d * np.float32(rotation[c, 0] * x + rotation[c, 1] * y + rotation[c, 2] * z)
