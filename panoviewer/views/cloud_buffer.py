"""A point cloud packed for the graphics card: 24 bytes per point, thinned to what can be drawn. No Qt, no OpenGL."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.cloud import PointCloud
from core.colors import MISSING, class_colors

VERTEX = np.dtype([("position", np.float32, 3), ("rgb", np.float32), ("normal", np.float32), ("label", np.float32)])
"""Colours and normals are three bytes packed into the 24 exact bits of a float, which is all that vispy can upload."""


@dataclass(frozen=True, eq=False)
class CloudBuffer:
    """What is drawn of a cloud.

    Attributes:
        vertices: (n,) of `VERTEX`.
        total: Points in the cloud; more than n when not all are drawn.
        angle: Radians between neighbouring points as seen from the origin; 0 when they were averaged.
        spacing: Metres between neighbouring points that were averaged; 0 otherwise.
        has_normals: Whether the normals are those of the surface; otherwise they point at the origin.
        has_classes: Whether the labels mean anything.
    """

    vertices: NDArray[np.void]
    total: int
    angle: float
    spacing: float
    has_normals: bool
    has_classes: bool

    @property
    def positions(self) -> NDArray[np.float32]:
        """(n, 3) the points."""
        return self.vertices["position"]


def pack_cloud(cloud: PointCloud, width: int, max_points: int) -> CloudBuffer:
    """Pack a cloud for drawing. Takes a second for 8 million points: not for the UI thread.

    Args:
        cloud: The points.
        width: Columns of the grid that `cloud.pixels` counts in.
        max_points: How many may be drawn; beyond that the cloud is thinned evenly over the sphere.
    """
    chosen, step = _thinned(cloud, width, max_points)
    points = cloud.points[chosen]
    vertices = np.empty(len(points), VERTEX)
    vertices["position"] = points
    vertices["rgb"] = _packed(cloud.colors[chosen])
    toward_origin = -points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    normals = toward_origin
    if cloud.normals is not None:
        normals = cloud.normals[chosen]
        normals = np.where(np.isfinite(normals), normals, toward_origin)
    vertices["normal"] = _packed(np.rint((normals + 1) * 127.5).astype(np.uint8))
    vertices["label"] = _packed(
        np.broadcast_to(np.array(MISSING, np.uint8), points.shape)
        if cloud.class_ids is None
        else class_colors(cloud.class_ids[chosen], cloud.class_names)
    )
    averaged = cloud.pixels is None
    return CloudBuffer(
        vertices=vertices,
        total=len(cloud),
        angle=0.0 if averaged else 2 * math.pi / width * step,
        spacing=(cloud.options.voxel or 0.0) if averaged else 0.0,
        has_normals=cloud.normals is not None,
        has_classes=cloud.class_ids is not None,
    )


def _thinned(cloud: PointCloud, width: int, max_points: int) -> tuple[NDArray[np.intp] | slice, float]:
    """Which points are drawn, and how many columns of the grid lie between them at the equator.

    Rows near the poles hold more points per angle than the equator; they are thinned first, which nobody sees.
    """
    stride = cloud.options.stride
    if cloud.pixels is None:
        every = -(-len(cloud) // max_points)
        return (slice(None), 1.0) if every <= 1 else (np.arange(0, len(cloud), every), float(every))
    if len(cloud) <= max_points:
        return slice(None), float(stride)
    rows, columns = np.divmod(cloud.pixels, np.int32(width))
    rows //= stride
    columns //= stride
    across = np.cos(((np.arange(rows.max(initial=0) + 1) + 0.5) * 2 * stride / width - 0.5) * np.pi)
    # Steps that are no whole numbers: a pixel is taken where the count of steps so far goes up.
    step = max(1.0, math.sqrt(len(cloud) * 2 / math.pi / max_points))
    while True:
        column_step = np.maximum(step / np.maximum(across, 1e-6), 1.0).astype(np.float32)[rows]
        taken = (columns / column_step).astype(np.int32) != ((columns - 1) / column_step).astype(np.int32)
        taken |= columns == 0
        taken &= (rows / step).astype(np.int32) != ((rows - 1) / step).astype(np.int32)
        chosen = np.flatnonzero(taken)
        if len(chosen) <= max_points:
            return chosen, step * stride
        step *= 1.05


def _packed(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Three bytes as one whole number below 2^24."""
    wide = rgb.astype(np.float32)
    return wide[:, 0] * 65536 + wide[:, 1] * 256 + wide[:, 2]
