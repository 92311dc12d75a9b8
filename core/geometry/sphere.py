"""Longitude, latitude, directions and ERP pixels: the home of the coordinate convention.

Frame: right-handed, x right, y down, z forward. ``lon = atan2(x, z)`` grows to the right,
``lat = atan2(-y, hypot(x, z))`` grows upwards. ERP: ``u = (lon / 2 pi + 1/2) W`` and ``v = (1/2 - lat / pi) H``;
pixel [row, col] has its centre at (col + 1/2, row + 1/2); u wraps and a pole reflects v and shifts u by W / 2.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.cache import BoundedCache

Float = NDArray[np.float64]

_rays: BoundedCache[NDArray[np.float32]] = BoundedCache(384 << 20, lambda rays: rays.nbytes)


def lonlat_to_directions(lon: ArrayLike, lat: ArrayLike) -> Float:
    """Unit vectors of directions given by their angles.

    Args:
        lon: Longitudes in radians, right positive.
        lat: Latitudes in radians, up positive; broadcast against `lon`.

    Returns:
        (..., 3) unit vectors.
    """
    lon, lat = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
    across = np.cos(lat)
    return np.stack([across * np.sin(lon), -np.sin(lat), across * np.cos(lon)], axis=-1)


def directions_to_lonlat(directions: ArrayLike) -> tuple[Float, Float]:
    """Angles of directions, which need not be of unit length.

    Args:
        directions: (..., 3).

    Returns:
        Longitudes in (-pi, pi] and latitudes in [-pi/2, pi/2], radians.
    """
    x, y, z = np.moveaxis(np.asarray(directions, np.float64), -1, 0)
    return np.arctan2(x, z), np.arctan2(-y, np.hypot(x, z))


def lonlat_to_erp(lon: ArrayLike, lat: ArrayLike, height: int, width: int) -> tuple[Float, Float]:
    """Continuous ERP pixels (u, v) of angles in radians; u lies in [0, width)."""
    u = np.mod(np.asarray(lon, np.float64) / (2 * np.pi) + 0.5, 1.0) * width
    v = (0.5 - np.asarray(lat, np.float64) / np.pi) * height
    return np.where(u >= width, 0.0, u), v


def lonlat_to_pixels(
    lon: ArrayLike, lat: ArrayLike, height: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of the pixels that directions fall into; a pole falls into its row."""
    u, v = lonlat_to_erp(lon, lat, height, width)
    rows: NDArray[np.int64] = np.clip(np.floor(v), 0, height - 1).astype(np.int64)
    return rows, np.floor(u).astype(np.int64)


def erp_to_lonlat(u: ArrayLike, v: ArrayLike, height: int, width: int) -> tuple[Float, Float]:
    """Angles in radians of continuous ERP pixels; a v beyond a pole comes back on the other side of the sphere.

    Returns:
        Longitudes in [-pi, pi) and latitudes in [-pi/2, pi/2].
    """
    lat = (0.5 - np.asarray(v, np.float64) / height) * np.pi
    beyond = np.cos(lat) < 0
    lon = np.asarray(u, np.float64) / width * (2 * np.pi) - np.pi + np.where(beyond, np.pi, 0.0)
    return np.mod(lon + np.pi, 2 * np.pi) - np.pi, np.arcsin(np.clip(np.sin(lat), -1.0, 1.0))


def directions_to_erp(directions: ArrayLike, height: int, width: int) -> tuple[Float, Float]:
    """Continuous ERP pixels (u, v) of (..., 3) directions."""
    return lonlat_to_erp(*directions_to_lonlat(directions), height, width)


def erp_to_directions(u: ArrayLike, v: ArrayLike, height: int, width: int) -> Float:
    """(..., 3) unit vectors of continuous ERP pixels."""
    return lonlat_to_directions(*erp_to_lonlat(u, v, height, width))


def erp_angles(height: int, width: int) -> tuple[Float, Float]:
    """Longitudes (width,) of the columns' centres and latitudes (height,) of the rows' centres, radians."""
    lon = ((np.arange(width) + 0.5) / width - 0.5) * 2 * np.pi
    lat = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    return lon, lat


def erp_rays(height: int, width: int) -> NDArray[np.float32]:
    """(height, width, 3) unit rays through the pixel centres, float32, read-only and shared between callers."""
    return _rays.get((height, width), lambda: _make_rays(height, width))


def _make_rays(height: int, width: int) -> NDArray[np.float32]:
    lon, lat = erp_angles(height, width)
    rays = np.empty((height, width, 3), np.float32)
    rays[..., 0] = np.outer(np.cos(lat), np.sin(lon))
    rays[..., 1] = -np.sin(lat)[:, None]
    rays[..., 2] = np.outer(np.cos(lat), np.cos(lon))
    rays.flags.writeable = False
    return rays


def solid_angle(height: int, width: int) -> Float:
    """Solid angle of one pixel in each row, exactly: (height, 1) steradians that sum to 4 pi over the whole grid."""
    edges = np.sin((0.5 - np.arange(height + 1) / height) * np.pi)
    return ((edges[:-1] - edges[1:]) * (2 * np.pi / width))[:, None]


def angle_between(a: ArrayLike, b: ArrayLike) -> Float:
    """Angle in radians between (..., 3) vectors of any length, exact for tiny and for nearly opposite angles.

    Source: W. Kahan, How Futile are Mindless Assessments of Roundoff, 2006, section 12.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    first = first / np.linalg.norm(first, axis=-1, keepdims=True)
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    angle: Float = 2 * np.arctan2(np.linalg.norm(first - second, axis=-1), np.linalg.norm(first + second, axis=-1))
    return angle


@lru_cache(maxsize=4)
def erp_local_frames(height: int, width: int) -> NDArray[np.float32]:
    """The frame of each pixel's ray: (height, width, 3, 3) float32 with rows east, down, outward; read-only.

    ``local = frame @ world``. A vector that turns with the longitude keeps its local components, so maps of local
    vectors roll with the panorama as they are.
    """
    lon, lat = erp_angles(height, width)
    frames = np.empty((height, width, 3, 3), np.float32)
    frames[..., 0, 0] = np.cos(lon)
    frames[..., 0, 1] = 0.0
    frames[..., 0, 2] = -np.sin(lon)
    frames[..., 1, 0] = np.outer(np.sin(lat), np.sin(lon))
    frames[..., 1, 1] = np.cos(lat)[:, None]
    frames[..., 1, 2] = np.outer(np.sin(lat), np.cos(lon))
    frames[..., 2, :] = erp_rays(height, width)
    frames.flags.writeable = False
    return frames
