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
    depth = frozen(depth.astype(np.float32, copy=False))
    height, width = depth.shape
    lon, lat = erp_angles(height, width)
    rays = (frozen(np.cos(lat)), frozen(-np.sin(lat)), frozen(np.sin(lon)), frozen(np.cos(lon)))
    step = frozen(column_steps(height, width))
    normals = np.empty((height, width, 3), np.float32)
    is_smooth = np.zeros((height, width), np.bool_)
    _smooth_normals(depth, rays, step, normals, is_smooth)
    _rough_normals(depth, rays, step, frozen(is_smooth), normals)
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
def _smooth_normals(
    depth: NDArray[np.float32],
    rays: RayParts,
    step: NDArray[np.int64],
    normals: NDArray[np.float32],
    is_smooth: NDArray[np.bool_],
) -> None:
    """The first loop behind `normals_from_depth`: surfaces that go on across the pixel on both axes.

    In the frame of the pixel's ray (east, down, outward) both tangents are sums and differences of two depths times
    what is the same along the row, so that float32 loses nothing; their cross product never changes sides. Each inner
    loop reads and writes whole rows without branches, which lets it run on vectors.
    """
    across, down, sin_lon, cos_lon = rays
    height, width = depth.shape
    one, two = np.float32(1), np.float32(2)
    bend = np.float32(BEND * math.pi / height)
    row_sin, row_cos = np.float32(math.sin(math.pi / height)), np.float32(math.cos(math.pi / height))
    sines, cosines = sin_lon.astype(np.float32), cos_lon.astype(np.float32)
    inverse = np.empty((3, width), np.float32)
    found = np.empty((3, width), np.float32)
    for row in range(min(2, height)):
        for j in range(width):
            inverse[row, j] = one / depth[row, j]
    for i in range(1, height - 1):
        below = inverse[(i + 1) % 3]
        next_row = depth[i + 1]
        for j in range(width):
            below[j] = one / next_row[j]
        k = step[i]
        count = width - 2 * k
        angle = 2 * math.pi * k / width
        level, upright = np.float32(across[i]), np.float32(-down[i])
        east_of_sum = np.float32(across[i] * math.sin(angle))
        out_of_difference = np.float32(across[i] ** 2 * math.cos(angle) + down[i] ** 2)
        down_of_difference = np.float32(down[i] * across[i] * (1 - math.cos(angle)))
        left, right = depth[i, :count], depth[i, 2 * k :]
        up, low = depth[i - 1, k : k + count], next_row[k : k + count]
        here = inverse[i % 3, k : k + count]
        left_inverse, right_inverse = inverse[i % 3, :count], inverse[i % 3, 2 * k :]
        up_inverse, low_inverse = inverse[(i - 1) % 3, k : k + count], below[k : k + count]
        sine, cosine = sines[k : k + count], cosines[k : k + count]
        smooth = is_smooth[i, k : k + count]
        xs, ys, zs = found[0, :count], found[1, :count], found[2, :count]
        for j in range(count):
            inv = here[j]
            limit = bend * inv
            row_bend = abs(left_inverse[j] + right_inverse[j] - two * inv)
            col_bend = abs(up_inverse[j] + low_inverse[j] - two * inv)
            # Comparisons with NaN are false, which leaves the unknown to the second loop.
            smooth[j] = (row_bend <= limit) & (col_bend <= limit)
            # Times the inverse depth, so that no unit of depth overflows.
            row_sum, row_difference = (right[j] + left[j]) * inv, (right[j] - left[j]) * inv
            col_down, col_out = (low[j] + up[j]) * inv * row_sin, (low[j] - up[j]) * inv * row_cos
            row_east, row_down = row_sum * east_of_sum, row_difference * down_of_difference
            east = row_difference * out_of_difference * col_down - row_down * col_out
            south = row_east * col_out
            outward = -row_east * col_down
            scale = one / np.sqrt(east * east + south * south + outward * outward)
            east *= scale
            flat = (outward * level + south * upright) * scale
            xs[j] = east * cosine[j] + flat * sine[j]
            ys[j] = (south * level - outward * upright) * scale
            zs[j] = flat * cosine[j] - east * sine[j]
        row_normals = normals[i, k : k + count]
        for j in range(count):
            row_normals[j, 0] = xs[j]
            row_normals[j, 1] = ys[j]
            row_normals[j, 2] = zs[j]


@compiled
def _rough_normals(
    depth: NDArray[np.float32],
    rays: RayParts,
    step: NDArray[np.int64],
    is_smooth: NDArray[np.bool_],
    normals: NDArray[np.float32],
) -> None:
    """The second loop: the pixels that the first one left, with the side of each axis that bends less."""

    def inverse(row: int, col: int) -> float:
        value: float = np.float32(1) / depth[row, col]
        return value

    across, down, sin_lon, cos_lon = rays
    height, width = depth.shape
    bend = np.float32(BEND * math.pi / height)
    rows = np.empty(5, np.int64)
    cols = np.empty(5, np.int64)
    tangents = np.empty((2, 3), np.float64)
    for i in range(height):
        for j in range(width):
            if is_smooth[i, j]:
                continue
            normals[i, j, 0] = normals[i, j, 1] = normals[i, j, 2] = np.nan
            here = inverse(i, j)
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
                before = inverse(rows[1], cols[1])
                after = inverse(rows[3], cols[3])
                centre = abs(before + after - 2 * here)
                first, last = 1, 3
                if not centre <= bend * here:
                    left_bend = abs(inverse(rows[0], cols[0]) + here - 2 * before)
                    right_bend = abs(inverse(rows[4], cols[4]) + here - 2 * after)
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
