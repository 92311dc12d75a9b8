"""Points from depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.sphere import erp_angles

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
