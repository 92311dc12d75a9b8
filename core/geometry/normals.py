"""Normals of the surface that a depth map describes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.points import RayParts
from core.geometry.sphere import erp_angles

BLOCK = 1 << 20
"""Vectors turned at once: little memory beside the result, and work that can be stopped soon."""
BEND = 0.25
"""Change of the surface's slope between two neighbours, as a tangent, above which it counts as an edge."""


def normals_from_depth(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit normals from differences between neighbouring points.

    Along each axis the difference is taken across the pixel, but from one side where the surface bends or breaks there:
    of the two sides, the one on which the inverse depth, which is linear on any plane, bends less (the choice of
    stencils by smoothness of A. Harten et al., Uniformly High Order Accurate Essentially Non-oscillatory Schemes III,
    1987). A plane's normal is therefore exact up to its edges. Rows wrap, columns continue across the poles, and near
    the poles the columns that are compared lie as far apart as the rows.

    Args:
        depth: (h, w) distance along the ray in any unit, NaN where unknown.

    Returns:
        (h, w, 3) float32 in the world frame, facing the camera; NaN where the depth is unknown or has no known
        neighbour along one of the axes.
    """
    depth = depth.astype(np.float32, copy=False)
    height, width = depth.shape
    lon, lat = erp_angles(height, width)
    step = column_steps(height, width)
    normals = np.empty((height, width, 3), np.float32)
    with np.errstate(divide="ignore"):
        inverse = np.reciprocal(depth, dtype=np.float32)
    rays = (frozen(np.cos(lat)), frozen(-np.sin(lat)), frozen(np.sin(lon)), frozen(np.cos(lon)))
    _normals(frozen(depth), frozen(inverse), rays, frozen(step), normals)
    return normals


def column_steps(height: int, width: int) -> NDArray[np.int64]:
    """(height,) columns to either side that lie about as far away as the rows above and below."""
    lat = erp_angles(height, width)[1]
    return np.clip(np.rint(width / (2 * height) / np.cos(lat)), 1, max(1, width // 4)).astype(np.int64)


def turn_normals(normals: NDArray[np.float32], rotation: ArrayLike) -> NDArray[np.float32]:
    """Normals in another frame; where they stand on the grid is left alone (that is `turn_erp`).

    Args:
        normals: (..., 3), NaN where unknown.
        rotation: (3, 3) from the frame of `normals` into the new one.

    Returns:
        (..., 3) float32, of unit length again where they had been shortened by averaging; NaN stays NaN.
    """
    matrix = np.asarray(rotation, np.float32).T
    turned = np.empty(normals.shape, np.float32)
    rows, turned_rows = normals.reshape(-1, 3), turned.reshape(-1, 3)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK] @ matrix
        length = np.sqrt(np.einsum("ni,ni->n", block, block))
        with np.errstate(divide="ignore", invalid="ignore"):
            turned_rows[start : start + BLOCK] = block / length[:, None]
    return turned


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (..., 3) of unit length; zero stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    of_unit: NDArray[np.float32] = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return of_unit


def facing_camera(normals: NDArray[np.float32], rays: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit normals bent to where the camera can just see their surface, where they pointed away from it.

    Args:
        normals: (h, w, 3) unit vectors.
        rays: (h, w, 3) of the same pixels.
    """
    away = np.einsum("hwi,hwi->hw", normals, rays)[..., None]
    return unit(normals - np.maximum(away + np.float32(0.01), 0) * rays)


@compiled
def _normals(
    depth: NDArray[np.float32],
    inverse: NDArray[np.float32],
    rays: RayParts,
    step: NDArray[np.int64],
    normals: NDArray[np.float32],
) -> None:
    """The loop behind `normals_from_depth`: a fast pass over smooth surfaces, then the pixels that it left."""
    across, down, sin_lon, cos_lon = rays
    height, width = depth.shape
    bend = np.float32(BEND * math.pi / height)
    smooth = np.zeros(width, np.uint8)
    rows = np.empty(5, np.int64)
    cols = np.empty(5, np.int64)
    tangents = np.empty((2, 3), np.float64)
    for i in range(height):
        smooth[:] = 0
        if 0 < i < height - 1:
            k = step[i]
            for j in range(k, width - k):
                here = inverse[i, j] * 2
                row_bend = abs(inverse[i, j - k] + inverse[i, j + k] - here)
                col_bend = abs(inverse[i - 1, j] + inverse[i + 1, j] - here)
                limit = bend * inverse[i, j]
                # Comparisons with NaN are false, which leaves the unknown to the second pass.
                smooth[j] = (row_bend <= limit) & (col_bend <= limit)
                left = np.float64(depth[i, j - k]) * across[i]
                right = np.float64(depth[i, j + k]) * across[i]
                up = np.float64(depth[i - 1, j])
                low = np.float64(depth[i + 1, j])
                a = right * sin_lon[j + k] - left * sin_lon[j - k]
                b = (np.float64(depth[i, j + k]) - np.float64(depth[i, j - k])) * down[i]
                c = right * cos_lon[j + k] - left * cos_lon[j - k]
                aside = low * across[i + 1] - up * across[i - 1]
                d = aside * sin_lon[j]
                e = low * down[i + 1] - up * down[i - 1]
                f = aside * cos_lon[j]
                x = b * f - c * e
                y = c * d - a * f
                z = a * e - b * d
                scale = 1 / math.sqrt(x * x + y * y + z * z)
                outward = (x * sin_lon[j] + z * cos_lon[j]) * across[i] + y * down[i]
                scale = -scale if outward > 0 else scale
                normals[i, j, 0] = x * scale
                normals[i, j, 1] = y * scale
                normals[i, j, 2] = z * scale
        for j in range(width):
            if smooth[j]:
                continue
            normals[i, j, 0] = normals[i, j, 1] = normals[i, j, 2] = np.nan
            here = inverse[i, j]
            if not (here > 0 and here - here == 0):
                continue
            found = 0
            for axis in range(2):
                for k in range(5):
                    row = i
                    col = j
                    if axis == 0:
                        col = (j + (k - 2) * step[i]) % width
                    else:
                        row = i + k - 2
                        if row < 0 or row >= height:
                            row = min(max(-1 - row if row < 0 else 2 * height - 1 - row, 0), height - 1)
                            col = (j + width // 2) % width
                    rows[k] = row
                    cols[k] = col
                before = inverse[rows[1], cols[1]]
                after = inverse[rows[3], cols[3]]
                centre = abs(before + after - 2 * here)
                first, last = 1, 3
                if not centre <= bend * here:
                    left_bend = abs(inverse[rows[0], cols[0]] + here - 2 * before)
                    right_bend = abs(inverse[rows[4], cols[4]] + here - 2 * after)
                    centre = centre if centre - centre == 0 else np.inf
                    left_bend = left_bend if left_bend - left_bend == 0 else np.inf
                    right_bend = right_bend if right_bend - right_bend == 0 else np.inf
                    if left_bend < centre and left_bend < right_bend:
                        last = 2
                    elif right_bend < centre and right_bend < left_bend:
                        first = 2
                    elif centre == np.inf:
                        if before - before == 0:
                            last = 2
                        elif after - after == 0:
                            first = 2
                        else:
                            continue
                tangents[axis] = 0
                for end in (first, last):
                    row = rows[end]
                    col = cols[end]
                    reach = np.float64(depth[row, col]) * (1.0 if end == last else -1.0)
                    tangents[axis, 0] += reach * across[row] * sin_lon[col]
                    tangents[axis, 1] += reach * down[row]
                    tangents[axis, 2] += reach * across[row] * cos_lon[col]
                found += 1
            if found < 2:
                continue
            x = tangents[0, 1] * tangents[1, 2] - tangents[0, 2] * tangents[1, 1]
            y = tangents[0, 2] * tangents[1, 0] - tangents[0, 0] * tangents[1, 2]
            z = tangents[0, 0] * tangents[1, 1] - tangents[0, 1] * tangents[1, 0]
            length = math.sqrt(x * x + y * y + z * z)
            if length == 0:
                continue
            outward = (x * sin_lon[j] + z * cos_lon[j]) * across[i] + y * down[i]
            scale = -1 / length if outward > 0 else 1 / length
            normals[i, j, 0] = x * scale
            normals[i, j, 1] = y * scale
            normals[i, j, 2] = z * scale
