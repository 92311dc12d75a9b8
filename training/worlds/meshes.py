"""Meshes of plain solids, triangles of polygons, and the texture frames of triangles; y points down."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]
Indices = NDArray[np.int64]


def triangulate(outline: ArrayLike) -> NDArray[np.int64]:
    """Triangles (n - 2, 3) of a simple polygon of (n, 2) corners, by ear clipping; either orientation."""
    points = [(float(x), float(y)) for x, y in np.asarray(outline, np.float64)]
    n = len(points)
    area = sum(points[i - 1][0] * points[i][1] - points[i][0] * points[i - 1][1] for i in range(n))
    left = list(range(n)) if area > 0 else list(range(n))[::-1]
    triangles: list[tuple[int, int, int]] = []
    while len(left) > 3:
        for position, corner in enumerate(left):
            before, after = left[position - 1], left[(position + 1) % len(left)]
            a, b, c = points[before], points[corner], points[after]
            if _turn(a, b, c) <= 1e-12:
                continue
            others = (points[i] for i in left if i not in {before, corner, after})
            if any(_turn(a, b, p) >= 0 and _turn(b, c, p) >= 0 and _turn(c, a, p) >= 0 for p in others):
                continue
            triangles.append((before, corner, after))
            del left[position]
            break
        else:
            # Only degenerate corners are left: any of them may go without changing the shape.
            triangles.append((left[-1], left[0], left[1]))
            del left[0]
    triangles.append((left[0], left[1], left[2]))
    return np.array(triangles, np.int64)


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


@lru_cache(maxsize=32)
def cylinder_template(sides: int) -> tuple[Float, Indices]:
    """Vertices and triangles of a unit cylinder on the ground: two rings, then the middles of both ends."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    ring = np.stack([np.sin(angle), np.zeros(sides), np.cos(angle)], 1)
    vertices = np.concatenate([ring, np.add(ring, (0, -1, 0)), [[0, 0, 0], [0, -1, 0]]])
    a, b = np.arange(sides), np.roll(np.arange(sides), -1)
    bottom, top = np.full(sides, 2 * sides), np.full(sides, 2 * sides + 1)
    triangles = np.concatenate(
        [
            np.stack([a, b, b + sides], 1),
            np.stack([a, b + sides, a + sides], 1),
            np.stack([a, b, bottom], 1),
            np.stack([a + sides, b + sides, top], 1),
        ]
    )
    return vertices, triangles


@lru_cache(maxsize=8)
def sphere_template(sides: int) -> tuple[Float, Indices]:
    """Vertices and triangles of a unit sphere with `sides` meridians."""
    rings = sides // 2
    lat = (np.arange(rings + 1) / rings - 0.5) * np.pi
    lon = np.arange(sides) * (2 * np.pi / sides)
    vertices = np.stack(
        [
            np.outer(np.cos(lat), np.sin(lon)).ravel(),
            np.repeat(-np.sin(lat), sides),
            np.outer(np.cos(lat), np.cos(lon)).ravel(),
        ],
        1,
    )
    row, column = np.divmod(np.arange(rings * sides), sides)
    a, b = row * sides + column, row * sides + (column + 1) % sides
    return vertices, np.concatenate([np.stack([a, b, b + sides], 1), np.stack([a, b + sides, a + sides], 1)])


def triangle_normals(vertices: Float, triangles: NDArray[np.int64]) -> Float:
    """Unit normals (m, 3) of triangles; NaN where one has no area."""
    corner = vertices[triangles]
    normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: Float = np.divide(normals, length, out=np.full_like(normals, np.nan), where=length > 1e-12)
    return unit


def texture_frames(
    vertices: Float, triangles: NDArray[np.int64], yaw: Float, scale: Float, offsets: Float
) -> tuple[Float, Float]:
    """Normals (m, 3) and texture frames (m, 2, 4): along the wall and up, or turned by the yaw on the horizontal."""
    normals = triangle_normals(vertices, triangles)
    flat = np.abs(normals[:, 1]) > 0.75
    across = np.where(flat[:, None], np.stack([np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)], 1), 0.0)
    steep = np.stack([normals[:, 2], np.zeros_like(yaw), -normals[:, 0]], 1)
    # One direction for both sides of a thin wall, so that a pattern does not run backwards on one of them.
    across = np.where(flat[:, None], across, steep)
    with np.errstate(invalid="ignore"):
        across -= normals * np.sum(across * normals, 1, keepdims=True)
        across /= np.linalg.norm(across, axis=1, keepdims=True)
    down = np.cross(across, normals)
    down *= np.where((down[:, 1] < 0) & ~flat, -1.0, 1.0)[:, None]
    frames = np.empty((len(normals), 2, 4))
    frames[:, 0, :3] = across / scale[:, None]
    frames[:, 1, :3] = down / scale[:, None]
    frames[:, :, 3] = offsets
    return normals, frames
