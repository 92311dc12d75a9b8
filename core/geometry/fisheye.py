"""Two equidistant fisheye pictures, back to back, side by side in one picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import rotation_from_angles
from core.geometry.sampling import Image, as_kind_of, exact_map, sample, with_channels
from core.geometry.sphere import erp_angles, lonlat_to_directions

BLOCK = 1 << 18
"""Pixels whose directions are held in memory at once."""


@dataclass(frozen=True)
class DualFisheye:
    """The lenses: ``r = radius * angle / (fov / 2)``, the equidistant model.

    The first looks forward and is shown by the left half of the picture, the second looks back.

    Attributes:
        fov_deg: Angle that a circle of `radius` shows, in degrees; beyond 180 the two overlap and are blended.
        centers: (x, y) of the two circles in pixels of the picture, corner origin; None for the middles of its halves.
        radius: Of the circles in pixels; None for half the height of the picture.
        rolls_deg: Clockwise turn of each circle in the picture, degrees.
    """

    fov_deg: float
    centers: tuple[tuple[float, float], tuple[float, float]] | None = None
    radius: float | None = None
    rolls_deg: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not 0 < self.fov_deg <= 360:
            raise ValueError(f"a fisheye shows more than 0 and up to 360 degrees, got {self.fov_deg}")

    def sphere_size(self, height: int, width: int) -> tuple[int, int]:  # noqa: ARG002
        """(height, width) of the sphere with as many pixels per angle as the circles of a picture of this size."""
        per_radian = self._radius(height) / math.radians(self.fov_deg / 2)
        rows = max(2, round(math.pi * per_radian))
        return rows, 2 * rows

    def to_erp(self, picture: Image, height: int, width: int) -> tuple[Image, NDArray[np.bool_] | None]:
        """The picture on the ERP grid, interpolated linearly, blended where both lenses see.

        Args:
            picture: (h, w, channels).
            height: Rows of the result.
            width: Columns of the result.

        Returns:
            (height, width, channels) of the same type, 0 where neither lens sees, and (height, width) where one does;
            None when everywhere.
        """
        pixels = with_channels(picture)
        erp = np.zeros((height, width, pixels.shape[2]), pixels.dtype)
        seen = np.zeros((height, width), np.bool_)
        lon, lat = erp_angles(height, width)
        count = max(1, BLOCK // width)
        for top in range(0, height, count):
            rows = slice(top, min(top + count, height))
            directions = lonlat_to_directions(lon[None, :], lat[rows, None])
            total = np.zeros(directions.shape[:2], np.float32)
            mean = np.zeros((*total.shape, pixels.shape[2]), np.float32)
            for lens in (0, 1):
                u, v, weight = self._project(directions, lens, picture.shape[:2])
                # Far outside of the circle the places have no meaning, nor room in a map.
                u, v = np.clip(u, 0, picture.shape[1]), np.clip(v, 0, picture.shape[0])
                values = sample(pixels, exact_map(u, v, *picture.shape[:2]))
                mean += np.where(weight[..., None] > 0, values * weight[..., None], 0)
                total += weight
            seen[rows] = total > 0
            mean /= np.maximum(total, np.float32(1e-30))[..., None]
            erp[rows] = mean if erp.dtype.kind == "f" else as_kind_of(mean, erp)
        return erp, None if seen.all() else seen

    def _radius(self, height: int) -> float:
        return height / 2 if self.radius is None else self.radius

    def _project(
        self, directions: NDArray[np.float64], lens: int, size: tuple[int, int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        """Continuous pixels and weights, 0 outside of the circle, of (..., 3) directions."""
        height, width = size
        x_mid, y_mid = ((1 + 2 * lens) * width / 4, height / 2) if self.centers is None else self.centers[lens]
        world_from_lens = rotation_from_angles(math.pi * lens, 0.0, -math.radians(self.rolls_deg[lens]))
        x, y, z = np.moveaxis(directions @ world_from_lens, -1, 0)
        across = np.hypot(x, y)
        angle = np.arctan2(across, z)
        half = math.radians(self.fov_deg / 2)
        reach = self._radius(height) * angle / half / np.maximum(across, 1e-300)
        u, v = x_mid + x * reach, y_mid + y * reach
        inside = (angle <= half) & (u >= 0) & (u <= width) & (v >= 0) & (v <= height)
        # Within the overlap of both lenses the weight falls evenly to the border of each.
        overlap = max(2 * half - math.pi, 0.0)
        weight = np.clip((half - angle) / overlap, 1e-6, 1) if overlap > 0 else np.ones_like(angle)
        return u, v, np.where(inside, weight, 0).astype(np.float32)
