"""Other ways to do what `core.geometry` does: the usual one, and the fastest bare call that there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.cloud import PointCloud
from core.geometry.camera import Camera
from core.geometry.sphere import directions_to_erp, erp_angles, erp_rays

Picture = NDArray[np.uint8]
Map = NDArray[np.float32]


def bare_remap(camera: Camera, height: int, width: int) -> Callable[[Picture], Picture]:
    """One call of `cv2.remap` with maps that are ready, for a view that does not reach the seam."""
    u, v = directions_to_erp(camera.rays(), height, width)
    maps = cv2.convertMaps((u - 0.5).astype(np.float32), (v - 0.5).astype(np.float32), cv2.CV_16SC2)
    return lambda rgb: np.asarray(cv2.remap(rgb, *maps, cv2.INTER_LINEAR), np.uint8)


def py360convert_view() -> Callable[[Picture, Camera], Picture] | None:
    """A view as py360convert makes it; None where it is not installed."""
    if find_spec("py360convert") is None:
        return None
    import py360convert

    def view(rgb: Picture, camera: Camera) -> Picture:
        yaw, pitch, fov = (float(np.degrees(angle)) for angle in (camera.yaw, camera.pitch, camera.fov_x))
        return np.asarray(py360convert.e2p(rgb, fov, yaw, pitch, camera.size), np.uint8)

    return view


@dataclass(frozen=True, eq=False)
class _Region:
    """What a view covers of a panorama: rows, columns (to be wrapped), maps into the view, and weights."""

    rows: slice
    first: int
    map_u: Map
    map_v: Map
    weights: Map


def cached_merge(cameras: Sequence[Camera], height: int, width: int) -> Callable[[Sequence[Map]], Map]:
    """A weighted mean of views by `cv2.remap` with maps of each view's region that are ready."""
    regions = [_region(camera, height, width) for camera in cameras]

    def merge(tiles: Sequence[Map]) -> Map:
        # Twice as wide, so that no region is cut at the seam.
        sums = np.zeros((height, 2 * width), np.float32)
        total = np.zeros((height, 2 * width), np.float32)
        for tile, region in zip(tiles, regions, strict=True):
            cols = slice(region.first, region.first + region.map_u.shape[1])
            seen = cv2.remap(tile, region.map_u, region.map_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            sums[region.rows, cols] += seen * region.weights
            total[region.rows, cols] += region.weights
        sums[:, :width] += sums[:, width:]
        total[:, :width] += total[:, width:]
        merged: Map = sums[:, :width] / total[:, :width]
        return merged

    return merge


def _region(camera: Camera, height: int, width: int) -> _Region:
    u, v, weights = _full_maps(camera, height, width)
    rows = np.flatnonzero(weights.any(axis=1))
    used = weights.any(axis=0)
    # The region begins after the longest gap.
    gaps = np.flatnonzero(np.concatenate([used, used]))
    widest = int(np.argmax(np.diff(gaps)))
    is_whole = bool(used.all())
    first = 0 if is_whole else int(gaps[widest + 1]) % width
    cols = width if is_whole else width - int(gaps[widest + 1] - gaps[widest]) + 1
    take = np.arange(first, first + cols) % width
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    maps = [np.ascontiguousarray(array[part][:, take]) for array in (u, v, weights)]
    return _Region(part, first, maps[0], maps[1], maps[2])


def naive_merge(tiles: Sequence[Map], cameras: Sequence[Camera], height: int, width: int) -> Map:
    """The same with maps of the whole panorama that are made for each view, each time."""
    sums = np.zeros((height, width), np.float32)
    total = np.zeros((height, width), np.float32)
    for tile, camera in zip(tiles, cameras, strict=True):
        u, v, weights = _full_maps(camera, height, width)
        sums += cv2.remap(tile, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) * weights
        total += weights
    merged: Map = sums / total
    return merged


def _full_maps(camera: Camera, height: int, width: int) -> tuple[Map, Map, Map]:
    """Where each pixel of a panorama lies in a view, and what it counts there: nothing outside. All in float32."""
    x, y, z = np.moveaxis(erp_rays(height, width) @ camera.world_from_camera.astype(np.float32), -1, 0)
    ahead = np.maximum(z, np.float32(1e-6))
    right, down = x / ahead * np.float32(camera.focal_px), y / ahead * np.float32(camera.focal_px)
    u, v = right + np.float32(camera.width / 2), down + np.float32(camera.height / 2)
    to_side = np.maximum(0, 1 - np.abs(right) * np.float32(2 / camera.width))
    to_end = np.maximum(0, 1 - np.abs(down) * np.float32(2 / camera.height))
    weights = to_side * to_side * (3 - 2 * to_side) * to_end * to_end * (3 - 2 * to_end) * (z > 0)
    return u - np.float32(0.5), v - np.float32(0.5), weights.astype(np.float32)


def points_by_pixel(depth: Map) -> NDArray[np.float64]:
    """Points with the sines and cosines of every pixel in float64."""
    height, width = depth.shape
    lon, lat = np.meshgrid(*erp_angles(height, width))
    across = np.cos(lat)
    return np.stack([depth * across * np.sin(lon), -depth * np.sin(lat), depth * across * np.cos(lon)], axis=-1)


def normals_in_numpy(depth: Map) -> Map:
    """Normals by whole arrays in float32: central differences, their cross product, its length."""
    lon, lat = (angles.astype(np.float32) for angles in erp_angles(*depth.shape))
    across, down = np.cos(lat)[:, None], -np.sin(lat)[:, None]
    flat = depth * across
    points = (flat * np.sin(lon), depth * down, flat * np.cos(lon))
    right = [np.roll(axis, -1, 1) - np.roll(axis, 1, 1) for axis in points]
    below = [np.gradient(axis, axis=0) for axis in points]
    normals = np.empty((*depth.shape, 3), np.float32)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        normals[..., k] = below[i] * right[j] - below[j] * right[i]
    length = np.sqrt(np.einsum("hwc,hwc->hw", normals, normals))
    normals /= np.maximum(length, np.float32(1e-20))[..., None]
    return normals


def open3d_writer(cloud: PointCloud, path: Path) -> Callable[[], object]:
    """Writes a cloud with open3d's newer interface, which takes the arrays as they are."""
    import open3d

    device = open3d.core.Device("CPU:0")

    def write() -> object:
        theirs = open3d.t.geometry.PointCloud(device)
        theirs.point.positions = open3d.core.Tensor.from_numpy(cloud.points.copy())
        theirs.point.colors = open3d.core.Tensor.from_numpy(cloud.colors.copy())
        if cloud.normals is not None:
            theirs.point.normals = open3d.core.Tensor.from_numpy(cloud.normals.copy())
        return open3d.t.io.write_point_cloud(path, theirs)

    return write


def read_ply(path: Path) -> NDArray[np.void]:
    """The rows of a binary PLY file, by what its header says, in one call of numpy."""
    kinds = {"float": "<f4", "uchar": "u1", "ushort": "<u2", "uint": "<u4"}
    fields = []
    with path.open("rb") as stream:
        while (line := stream.readline().decode("ascii").split()) != ["end_header"]:
            if line[:1] == ["property"]:
                fields.append((line[2], kinds[line[1]]))
        return np.fromfile(stream, np.dtype(fields))


def read_ply_with_open3d(path: Path) -> object:
    """The same as a cloud of open3d's newer interface."""
    import open3d

    return open3d.t.io.read_point_cloud(path)
