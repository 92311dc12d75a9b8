"""Meshes that outdoor objects are made of, each many at once: (vertices (n, 3), triangles (m, 3)), y down."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]
Mesh = tuple[Float, NDArray[np.int64]]

BLOB_KINDS = 8


def tubes(start: ArrayLike, end: ArrayLike, start_radius: ArrayLike, end_radius: ArrayLike, *, sides: int = 4) -> Mesh:
    """Open tapered tubes, for branches, rails, masts and wires.

    Args:
        start: (n, 3) points.
        end: (n, 3) points.
        start_radius: Metres, scalar or (n,).
        end_radius: Metres, scalar or (n,).
        sides: Of the cross-section.
    """
    start, end = np.atleast_2d(np.asarray(start, np.float64)), np.atleast_2d(np.asarray(end, np.float64))
    along = end - start
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(along[:, 1:2]) < 0.9, [[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])
    side = np.cross(along, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(along, side)
    angle = np.arange(sides) * (2 * np.pi / sides)
    ring = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    radii = [np.broadcast_to(np.asarray(r, np.float64), len(start))[:, None, None] for r in (start_radius, end_radius)]
    vertices = np.concatenate([start[:, None] + ring * radii[0], end[:, None] + ring * radii[1]], axis=1)
    a, b = np.arange(sides), np.roll(np.arange(sides), -1)
    template = np.concatenate([np.stack([a, b, b + sides], 1), np.stack([a, b + sides, a + sides], 1)])
    return _repeat(vertices, template)


def polyline_tubes(points: ArrayLike, radius: float, *, sides: int = 5) -> Mesh:
    """One tube along (n, 3) points."""
    points = np.asarray(points, np.float64)
    return tubes(points[:-1], points[1:], radius, radius, sides=sides)


def blobs(centers: ArrayLike, radii: ArrayLike, kinds: ArrayLike, *, fine: bool = True) -> Mesh:
    """Bumpy closed lumps, for foliage and boulders.

    Args:
        centers: (n, 3) points.
        radii: (n, 3) half axes.
        kinds: (n,) integers; which of `BLOB_KINDS` shapes.
        fine: 80 triangles each; otherwise 20.
    """
    shapes, triangles = _blob_shapes(fine)
    unit = shapes[np.asarray(kinds, np.int64) % BLOB_KINDS]
    vertices = np.asarray(centers, np.float64)[:, None] + unit * np.asarray(radii, np.float64)[:, None]
    return _repeat(vertices, triangles)


def cards(centers: Float, normals: Float, sizes: Float, spin: Float) -> Float:
    """Leaf-shaped quadrilaterals.

    Args:
        centers: (n, 3) points.
        normals: (n, 3) directions they face, of any length.
        sizes: (n,) length in metres; a leaf is .7 as wide.
        spin: (n,) radians about the normal.

    Returns:
        (n, 4, 3) corners.
    """
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(normals[:, 1:2]) < 0.9, [[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])
    a = np.cross(normals, helper)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b = np.cross(normals, a)
    spin, sizes = spin[:, None], sizes[:, None]
    long = (np.cos(spin) * a + np.sin(spin) * b) * sizes / 2
    wide = (np.cos(spin) * b - np.sin(spin) * a) * sizes * 0.35
    return np.stack([centers - long, centers + wide, centers + long, centers - wide], axis=1)


def extruded_profile(profile: ArrayLike, half_width: ArrayLike) -> Mesh:
    """A closed side view (n, 2) of (along z, height), swept across x; convex as seen from its mean point.

    Args:
        profile: Corners in turn.
        half_width: Half extent along x, scalar or (n,) per corner: a smaller one slants the flanks inwards.
    """
    profile = np.asarray(profile, np.float64)
    n = len(profile)
    half = np.broadcast_to(np.asarray(half_width, np.float64), n)
    left = np.stack([-half, -profile[:, 1], profile[:, 0]], 1)
    right = np.stack([half, -profile[:, 1], profile[:, 0]], 1)
    middle = np.stack([left.mean(0), right.mean(0)])
    a, b = np.arange(n), np.roll(np.arange(n), -1)
    triangles = np.concatenate(
        [
            np.stack([a, b, b + n], 1),
            np.stack([a, b + n, a + n], 1),
            np.stack([a, b, np.full(n, 2 * n)], 1),
            np.stack([a + n, b + n, np.full(n, 2 * n + 1)], 1),
        ]
    )
    return np.concatenate([left, right, middle]), triangles


def grid(points: ArrayLike, *, closed: bool = False) -> Mesh:
    """The surface over a (rows, columns, 3) lattice; `closed` joins the last column to the first."""
    points = np.asarray(points, np.float64)
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        index = np.concatenate([index, index[:, :1]], axis=1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return points.reshape(-1, 3), triangles


def parallels(line: Float, offsets: ArrayLike) -> Float:
    """Lines beside a line on the ground, for roads and markings.

    Args:
        line: (n, 2) points.
        offsets: (k,) metres to the right of it.

    Returns:
        (k, n, 2) points.
    """
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    right = np.stack([along[:, 1], -along[:, 0]], 1)
    beside: Float = line + right * np.asarray(offsets, np.float64)[:, None, None]
    return beside


def _repeat(vertices: Float, template: NDArray[np.int64]) -> Mesh:
    """One template of triangles for each of (n, k, 3) groups of vertices."""
    count, size = vertices.shape[:2]
    triangles = template[None] + size * np.arange(count)[:, None, None]
    return vertices.reshape(-1, 3), triangles.reshape(-1, 3)


@lru_cache(maxsize=2)
def _blob_shapes(fine: bool) -> tuple[Float, NDArray[np.int64]]:
    vertices, triangles = _icosphere(fine=fine)
    rng = np.random.default_rng(7)
    shapes = np.empty((BLOB_KINDS, *vertices.shape))
    for shape in shapes:
        waves = rng.normal(size=(6, 3)) * 2.2
        phase = rng.uniform(0, 2 * np.pi, 6)
        bump = 1 + 0.08 * np.sin(vertices @ waves.T + phase).sum(1) + rng.uniform(-0.1, 0.1, len(vertices))
        shape[:] = vertices * bump[:, None]
    return shapes, triangles


def _icosphere(*, fine: bool) -> Mesh:
    golden = (1 + 5**0.5) / 2
    corners = [(0, s, t * golden) for s in (-1, 1) for t in (-1, 1)]
    points = np.array(corners + [c[1:] + c[:1] for c in corners] + [c[2:] + c[:2] for c in corners], np.float64)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    near = np.isclose(distance, 2.0)
    faces = [
        (i, j, k) for i in range(12) for j in range(i + 1, 12) for k in range(j + 1, 12)
        if near[i, j] and near[j, k] and near[i, k]
    ]  # fmt: skip
    vertices = list(points)
    if fine:
        middle: dict[tuple[int, int], int] = {}
        for pair in [pair for i, j, k in faces for pair in ((i, j), (j, k), (i, k))]:
            if pair not in middle:
                middle[pair] = len(vertices)
                vertices.append((points[pair[0]] + points[pair[1]]) / 2)
        split = []
        for i, j, k in faces:
            a, b, c = middle[i, j], middle[j, k], middle[i, k]
            split += [(i, a, c), (j, b, a), (k, c, b), (a, b, c)]
        faces = split
    unit = np.array(vertices)
    return unit / np.linalg.norm(unit, axis=1, keepdims=True), np.array(faces, np.int64)
