"""Flying pixels: depths that a blurred edge puts into the air between two surfaces.

A network sees less than the photograph: its depth runs smoothly over several of its own pixels from one surface to the
next, and at the photograph's size each step of that slope is tiny. Slopes are therefore measured between pixels that
lie as far apart as the network's own. A slope alone is no proof, because floors and walls are seen at small angles,
too; the network's normals tell them apart: they are those of what the picture shows, which the veil is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.compiled import compiled, frozen
from core.geometry.points import RayParts
from core.geometry.sphere import erp_angles

FLAT = 6e-4
"""Without normals, a surface is taken for a plane when its inverse depth strays from a line by less than this over the
change that the line makes, both as shares of the inverse depth: the steeper it is, the straighter it has to be."""


@dataclass(frozen=True)
class EdgeFilter:
    """When a depth counts as flying.

    Attributes:
        min_angle_deg: Surfaces that meet their ray at a smaller angle than this are suspected.
        min_jump: A suspected depth must also differ from both neighbours by more than this share of the nearer one.
        min_tilt_deg: Where normals are known, a suspected surface must also lie askew to them by more than this.
    """

    min_angle_deg: float = 20.0
    min_jump: float = 0.02
    min_tilt_deg: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.min_angle_deg < 90:
            raise ValueError(f"min_angle_deg must lie between 0 and 90, got {self.min_angle_deg}")
        if not 0 <= self.min_jump < math.inf:
            raise ValueError(f"min_jump must be a finite number from 0, got {self.min_jump}")
        if not 0 <= self.min_tilt_deg < 180:
            raise ValueError(f"min_tilt_deg must lie between 0 and 180, got {self.min_tilt_deg}")


def flying_pixels(
    depth: NDArray[np.float32],
    edges: EdgeFilter,
    *,
    native_height: int | None = None,
    normals: NDArray[np.float32] | None = None,
) -> NDArray[np.bool_]:
    """Where a depth lies in the air between two surfaces.

    A pixel flies when, along its row or its column, one neighbour is nearer and the other farther (unknown counts as
    infinitely far), each by more than `min_jump`, and the slope between them is so steep that the surface would meet
    the ray at less than `min_angle_deg`. A clean step from one surface to another therefore loses nothing, nor does a
    thin pole. A surface that is really seen at such an angle is kept: its normal is the one that was predicted, or,
    where none is known, its inverse depth is linear, which a blurred edge's is not. Rows wrap at the seam and columns
    go on beyond the poles.

    Args:
        depth: (h, w) along the ray, NaN where unknown or far.
        edges: The thresholds.
        native_height: Rows of the grid on which the depth was estimated, when it was brought to a finer one: neighbours
            are compared at its distance. None for the depth's own grid.
        normals: (h, w, 3) unit, in the world frame, as they were predicted and not derived from the depth; NaN where
            unknown.

    Returns:
        (h, w) bool; False where the depth is unknown.
    """
    height, width = depth.shape
    reach = max(1, round(height / native_height)) if native_height else 1
    lon, lat = erp_angles(height, width)
    # Angles between the pixels that are compared, in a row and in a column.
    across = 2 * np.arcsin(np.cos(lat) * np.sin(min(reach, width // 4) * np.pi / width))
    down = reach * np.pi / height
    steepest = 1 / math.tan(math.radians(edges.min_angle_deg)) ** 2
    limits = (steepest, edges.min_jump, math.cos(math.radians(edges.min_tilt_deg)))
    rays = (frozen(np.cos(lat)), frozen(np.sin(lat)), frozen(np.sin(lon)), frozen(np.cos(lon)))
    if normals is None:
        normals = np.empty((0, 0, 3), np.float32)
    flying: NDArray[np.bool_] = _flying(frozen(depth), frozen(normals), rays, (reach, frozen(across), down), limits)
    return flying


Steps = tuple[int, NDArray[np.float64], float]


@compiled
def _flying(
    depth: NDArray[np.float32],
    normals: NDArray[np.float32],
    rays: RayParts,
    steps: Steps,
    limits: tuple[float, float, float],
) -> NDArray[np.bool_]:
    """The loop behind `flying_pixels`, on inverse depths (0: unknown)."""
    cos_lat, sin_lat, sin_lon, cos_lon = rays
    reach, across, down_angle = steps
    steepest, min_jump, most_alike = limits
    height, width = depth.shape
    flying = np.zeros((height, width), np.bool_)
    slopes = np.zeros(2, np.float64)
    for row in range(height):
        for col in range(width):
            if not depth[row, col] > 0:
                continue
            here = 1 / np.float64(depth[row, col])
            is_plane = True
            for axis in range(2):
                if axis == 0:
                    angle = across[row]
                    before_depth = depth[row, (col - reach) % width]
                    after_depth = depth[row, (col + reach) % width]
                else:
                    angle = down_angle
                    above, below = row - reach, row + reach
                    beyond_pole = (col + width // 2) % width
                    before_depth = depth[above, col] if above >= 0 else depth[-1 - above, beyond_pole]
                    after_depth = depth[below, col] if below < height else depth[2 * height - 1 - below, beyond_pole]
                before = 1 / np.float64(before_depth) if before_depth > 0 else 0.0
                after = 1 / np.float64(after_depth) if after_depth > 0 else 0.0
                falls = before - here
                goes_on = here - after
                slopes[axis] = 0.0
                if falls * goes_on <= 0:
                    continue
                if abs(falls) <= min_jump * min(before, here) or abs(goes_on) <= min_jump * min(after, here):
                    continue
                # Beside the unknown the slope of the known side counts.
                change = (before - after) / 2 if before > 0 and after > 0 else (falls if before > 0 else goes_on)
                slopes[axis] = change / (here * angle)
                # Along a great circle the inverse depth of a plane is a sine, whose mean of two is this much too low.
                mean = (before + after) / (2 * math.cos(angle))
                if not (before > 0 and after > 0 and abs((mean - here) * change) < FLAT * here * here):
                    is_plane = False
            steepness = slopes[0] * slopes[0] + slopes[1] * slopes[1]
            if steepness <= steepest:
                continue
            if normals.size > 0 and normals[row, col, 0] == normals[row, col, 0]:
                # The depth's own normal is (slope to the east, slope downwards, -1) in the frame of its ray.
                x, y, z = normals[row, col]
                around = sin_lon[col] * x + cos_lon[col] * z
                east = cos_lon[col] * x - sin_lon[col] * z
                down = sin_lat[row] * around + cos_lat[row] * y
                outward = cos_lat[row] * around - sin_lat[row] * y
                alike = slopes[0] * east + slopes[1] * down - outward
                if alike > most_alike * math.sqrt(1 + steepness):
                    continue
            elif is_plane:
                continue
            flying[row, col] = True
    return flying
