"""A mask told in other words: polygons on the sphere and in the picture, boxes, its middle."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import rotation_from_angles
from core.geometry.regions import farthest_point_inside, runs_by_row
from core.geometry.rings import Ring, ring_directions, simplified, trace, trace_flat
from core.geometry.sphere import directions_to_lonlat
from core.mask import SphereMask
from core.scene import Box

Float = NDArray[np.float64]

_FINE = 1e-6
"""Radians; below a tenth of a pixel of a 100K panorama."""


@dataclass(frozen=True, eq=False)
class SpherePolygon:
    """A connected part of a mask as closed lines along great circles, with what is inside on their left.

    Attributes:
        outer: (n, 3) unit vectors around the part, counter-clockwise as seen in the picture.
        holes: (m, 3) each, around its holes, clockwise.
    """

    outer: Float
    holes: tuple[Float, ...] = ()


@dataclass(frozen=True)
class BFoV:
    """A bounding field of view: a pinhole picture, upright and centred on an object, that just holds it.

    Its sides are arcs of four great circles. Source: the spherical rectangle of F. Dai, B. Chen, H. Xu, Y. Ma, X. Li,
    B. Feng, P. Yuan, C. Yan, Q. Zhao, Unbiased IoU for Spherical Image Object Detection, AAAI 2022.

    Attributes:
        lon, lat: Of its centre, radians.
        fov_w, fov_h: Angles between its left and right sides and between its upper and lower ones, below pi.
    """

    lon: float
    lat: float
    fov_w: float
    fov_h: float

    @property
    def solid_angle(self) -> float:
        """Steradian."""
        return 4 * math.asin(math.sin(self.fov_w / 2) * math.sin(self.fov_h / 2))


def mask_rings(mask: SphereMask) -> list[Ring]:
    """The exact rings of a mask on the sphere; see `core.geometry.rings`. None for the whole sphere and for nothing."""
    return trace(mask.height, mask.width, mask.row, mask.col, mask.box())


def flat_polygons(mask: SphereMask) -> list[Ring]:
    """The exact polygons of a mask in the picture as other programs see it, cut at its border.

    Filling the rings that are not holes and emptying the holes gives every pixel back. Corners are whole pixels from
    the picture's top left.
    """
    if mask.col + mask.cols <= mask.width:
        row, col, bits = mask.row, mask.col, mask.box()
    else:
        row, col, bits = mask.row, 0, mask.window(mask.row, 0, mask.rows, mask.width)
    offset = np.array([col, row], np.int32)
    return [replace(ring, corners=ring.corners + offset) for ring in trace_flat(bits)]


def crosses_seam(mask: SphereMask) -> bool:
    """Whether pixels inside touch each other across the picture's left and right border."""
    if mask.is_empty or mask.width < 2:
        return False
    sides = np.pad(mask.window(mask.row, mask.width - 1, mask.rows, 2), ((1, 1), (0, 0)))
    near = sides[:-2, 1] | sides[1:-1, 1] | sides[2:, 1]
    return bool((sides[1:-1, 0] & near).any())


def sphere_polygons(mask: SphereMask, tolerance: float) -> list[SpherePolygon]:
    """A mask as polygons on the sphere, one for each connected part.

    Parts and holes that are nowhere wider than the tolerance are left out. A mask of more than half of the sphere, too,
    has its largest outside around it; the whole sphere has no border and no polygon.

    Args:
        mask: Any.
        tolerance: How far, in radians, a corner of a pixel may lie from the polygon.
    """
    parts: dict[int, SpherePolygon] = {}
    for ring in mask_rings(mask):
        line = ring_directions(ring, mask.height, mask.width, max(tolerance / 4, _FINE))
        line = simplified(line, tolerance)
        if len(line) < 3:
            continue
        if not ring.is_hole:
            parts[ring.part] = SpherePolygon(line)
        elif ring.part in parts:
            parts[ring.part] = replace(parts[ring.part], holes=(*parts[ring.part].holes, line))
    return list(parts.values())


def bounding_box(mask: SphereMask) -> Box:
    """The smallest box of meridians and parallels around the pixels; a full turn runs from -pi to pi.

    Raises:
        ValueError: Nothing is inside.
    """
    if mask.is_empty:
        raise ValueError("a mask without pixels has no box")
    north, south = (math.pi * (0.5 - v / mask.height) for v in (mask.row, mask.row + mask.rows))
    if mask.cols == mask.width:
        return Box(-math.pi, south, math.pi, north)
    west = 2 * math.pi * (mask.col / mask.width - 0.5)
    east = 2 * math.pi * ((mask.col + mask.cols) / mask.width - 0.5)
    return Box(west, south, east if east <= math.pi else east - 2 * math.pi, north)


def centroid(mask: SphereMask) -> tuple[float, float]:
    """Longitude and latitude of the mean direction of what is inside, exactly, by area on the sphere.

    The deepest point where there is no mean, as for a band all around.

    Raises:
        ValueError: Nothing is inside.
    """
    if mask.is_empty:
        raise ValueError("a mask without pixels has no centroid")
    first, start, stop = runs_by_row(mask.box())
    row = np.repeat(np.arange(mask.rows), np.diff(first)) + mask.row
    north, south = ((0.5 - v / mask.height) * np.pi for v in (row, row + 1))
    west, east = (((mask.col + u) / mask.width - 0.5) * 2 * np.pi for u in (start, stop))
    # Integrals of (cos lat sin lon, -sin lat, cos lat cos lon) cos lat.
    across = (north - south) / 2 + (np.sin(2 * north) - np.sin(2 * south)) / 4
    down = -(np.sin(north) ** 2 - np.sin(south) ** 2) / 2
    mean = np.array(
        [
            (across * (np.cos(west) - np.cos(east))).sum(),
            (down * (east - west)).sum(),
            (across * (np.sin(east) - np.sin(west))).sum(),
        ]
    )
    if np.linalg.norm(mean) < 1e-9 * mask.solid_angle():
        return farthest_point_inside(mask.unpack())
    lon, lat = directions_to_lonlat(mean)
    return float(lon), float(lat)


def bfov(mask: SphereMask) -> BFoV | None:
    """The bounding field of view of a mask; None when nothing is inside or no hemisphere holds it.

    All corners of its pixels lie within. It is centred: the object touches opposite sides.
    """
    lines = [ring_directions(ring, mask.height, mask.width, _FINE) for ring in mask_rings(mask)]
    if not lines:
        return None
    points = np.concatenate(lines)
    aim = _middle_of_cap(points)
    best: BFoV | None = None
    for _ in range(50):
        lon, lat = (float(angle) for angle in directions_to_lonlat(aim))
        rotation = rotation_from_angles(lon, lat, 0.0)
        x, y, z = (points @ rotation).T
        # Beyond a hemisphere without any border, all is inside or all is outside.
        if z.min() <= 1e-9 or mask.contains(*(float(angle) for angle in directions_to_lonlat(-aim))):
            break
        right, down = np.arctan2(x, z), np.arctan2(y, z)
        found = BFoV(lon, lat, 2 * float(np.abs(right).max()), 2 * float(np.abs(down).max()))
        if best is None or found.solid_angle < best.solid_angle:
            best = found
        off = (right.max() + right.min()) / 2, (down.max() + down.min()) / 2
        if max(map(abs, off)) < 1e-9:
            break
        aim = rotation @ np.array([math.tan(off[0]), math.tan(off[1]), 1.0])
    return best


def _middle_of_cap(points: Float) -> Float:
    """Roughly the centre of the smallest cap around directions.

    Source: M. Bădoiu and K. Clarkson, Smaller core-sets for balls, 2003: step after step towards the farthest one.
    """
    middle: Float = points.mean(axis=0)
    for n in range(200):
        farthest = points[np.argmin(points @ middle)]
        middle = middle + (farthest - middle) / (n + 2)
    return middle
