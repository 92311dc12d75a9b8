"""Points and lines to lay over the photograph, given as directions. No Qt."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.camera import Camera
from core.geometry.sphere import angle_between, directions_to_lonlat, lonlat_to_directions

ARC_STEP = math.radians(1.5)
"""Longest piece of a great circle that is drawn as a straight line."""
CIRCLE_POINTS = 72

Rgb = tuple[int, int, int]

LINE_COLOR: Rgb = (255, 180, 84)


class Sign(StrEnum):
    """What a point says."""

    POSITIVE = "+"
    NEGATIVE = "−"
    CORNER = ""


@dataclass(frozen=True, eq=False)
class PointMark:
    """A click or a corner: (3,) direction of the photograph's frame, and what it says. Of one size on the screen."""

    direction: NDArray[np.float64]
    sign: Sign


@dataclass(frozen=True, eq=False)
class PathMark:
    """A line from direction to direction along great circles.

    Attributes:
        directions: (n, 3) its corners, in the photograph's frame.
        closed: Whether it ends where it began.
        color: 0 to 255.
        dashed: Whether it is drawn in dashes.
    """

    directions: NDArray[np.float64]
    closed: bool = False
    color: Rgb = LINE_COLOR
    dashed: bool = False


@dataclass(frozen=True, eq=False)
class TextMark:
    """A short text beside a direction, (3,) of the photograph's frame; of one size on the screen."""

    direction: NDArray[np.float64]
    text: str


Mark = PointMark | PathMark | TextMark
Marks = Sequence[Mark]


def circle(direction: ArrayLike, radius: float) -> NDArray[np.float64]:
    """(n, 3) directions at `radius` radians from a direction, (3,): the rim of a round brush."""
    middle = np.asarray(direction, np.float64)
    across = _perpendicular(middle)
    turn = np.linspace(0.0, 2 * math.pi, CIRCLE_POINTS, endpoint=False)[:, None]
    rim: NDArray[np.float64] = math.cos(radius) * middle + math.sin(radius) * (
        np.cos(turn) * across + np.sin(turn) * np.cross(middle, across)
    )
    return rim


def box(start: ArrayLike, end: ArrayLike) -> NDArray[np.float64]:
    """(n, 3) border of the box of longitudes and latitudes between two directions, the shorter way around."""
    lons, lats = directions_to_lonlat(np.stack([np.asarray(start, np.float64), np.asarray(end, np.float64)]))
    west, south, north = float(lons[0]), float(lats[0]), float(lats[1])
    width = math.remainder(float(lons[1]) - west, 2 * math.pi)
    along = np.linspace(0.0, 1.0, max(2, math.ceil(abs(width) / ARC_STEP)), endpoint=False)
    lon = np.concatenate([west + width * along, west + width * (1 - along)])
    lat = np.concatenate([np.full_like(along, south), np.full_like(along, north)])
    return lonlat_to_directions(lon, lat)


def smooth_path(mark: PathMark) -> NDArray[np.float64]:
    """(m, 3) the mark's line with so many directions that straight lines between them look right in every view."""
    corners = np.asarray(mark.directions, np.float64)
    if mark.closed:
        corners = np.concatenate([corners, corners[:1]])
    arcs = [_arc(start, end) for start, end in itertools.pairwise(corners)]
    return np.concatenate([*arcs, corners[-1:]])


def unrolled(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) longitude and latitude in degrees of a line; longitude runs on beyond +-180 where the line does."""
    lon, lat = directions_to_lonlat(directions)
    return np.stack([np.degrees(np.unwrap(lon)), np.degrees(lat)], axis=-1)


def visible_runs(directions: NDArray[np.float64], camera: Camera) -> list[NDArray[np.float64]]:
    """The pieces of a line in front of a camera: each (n, 2) continuous pixels (u, v) with n > 1."""
    in_front = directions @ camera.world_from_camera[:, 2] > 0.02
    u, v = camera.project(directions)
    pixels = np.stack([u, v], axis=-1)
    borders = np.flatnonzero(np.diff(in_front)) + 1
    runs = np.split(np.arange(len(directions)), borders)
    return [pixels[run] for run in runs if in_front[run[0]] and len(run) > 1]


def _perpendicular(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """A unit vector at a right angle to a direction."""
    across = np.cross(direction, np.eye(3)[np.argmin(np.abs(direction))])
    return np.asarray(across / np.linalg.norm(across))


def _arc(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) the great circle from `start` to before `end`; any one of them between opposite directions."""
    tangent = end - (start @ end) * start
    length = np.linalg.norm(tangent)
    tangent = tangent / length if length > 1e-9 else _perpendicular(start)
    angle = float(angle_between(start, end))
    way = np.linspace(0.0, angle, max(1, math.ceil(angle / ARC_STEP)), endpoint=False)[:, None]
    return np.asarray(np.cos(way) * start + np.sin(way) * tangent)
