"""The pose of a photograph from lines in it: two points on the horizon, or two above each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.camera import angles_from_rotation, rotation_from_angles
from core.geometry.sphere import angle_between

LEAST_ANGLE = np.radians(1.0)
"""Between the two points (or one and the opposite of the other); nearer ones say nothing about a line."""

LEAST_CROSSING = np.radians(3.0)
"""Between the planes of two verticals; nearer ones say the same thing twice."""

MOST_TILT = np.radians(60.0)
"""Of a camera against the pose so far; points that ask for more of it lie on no horizon, and are no vertical."""


class Kind(StrEnum):
    """What a line follows."""

    HORIZON = "horizon"
    VERTICAL = "vertical"


@dataclass(frozen=True, eq=False)
class Line:
    """Two points of a photograph that lie on the horizon, or above each other.

    Attributes:
        kind: Which of both.
        first, second: (3,) directions in the photograph's frame.
    """

    kind: Kind
    first: NDArray[np.float64]
    second: NDArray[np.float64]


def likely_kind(first: ArrayLike, second: ArrayLike, level_from_world: ArrayLike) -> Kind:
    """What a line between two directions is meant to follow: what it is nearer to in the pose so far.

    Raises:
        ValueError: The directions are nearly the same or opposite.
    """
    down = np.asarray(level_from_world, np.float64)[1]
    is_level = abs(_across(first, second) @ down) > np.sqrt(0.5)
    return Kind.HORIZON if is_level else Kind.VERTICAL


def level_by_lines(lines: Sequence[Line], level_from_world: ArrayLike) -> NDArray[np.float64]:
    """The pose by all lines: the last one on the horizon decides; of verticals, two fix what one leaves open.

    Several verticals are met in the sense of least squares.

    Args:
        lines: At least one.
        level_from_world: (3, 3) the pose so far, which tells up from down.

    Returns:
        (3, 3) `level_from_world` with the heading of the photograph's middle kept.

    Raises:
        ValueError: The points of a line are nearly the same or opposite, a single vertical was level so far, or the
            camera would be tilted by more than `MOST_TILT`.
    """
    before = np.asarray(level_from_world, np.float64)
    after = _level_by_lines(lines, before)
    tilt = float(angle_between(after[1], before[1]))
    if tilt > MOST_TILT:
        raise ValueError(
            f"the camera would be tilted by {np.degrees(tilt):.0f} degrees, more than {np.degrees(MOST_TILT):.0f}"
        )
    return after


def _level_by_lines(lines: Sequence[Line], before: NDArray[np.float64]) -> NDArray[np.float64]:
    horizons = [line for line in lines if line.kind is Kind.HORIZON]
    if horizons:
        return level_by_horizon(horizons[-1].first, horizons[-1].second, before)
    normals = np.stack([_across(line.first, line.second) for line in lines])
    _, spread, axes = np.linalg.svd(normals, full_matrices=True)
    # Down is at a right angle to the normals of all planes; where those are all alike, the newest line decides.
    if len(lines) < 2 or spread[1] < np.sin(LEAST_CROSSING / 2) * np.sqrt(len(lines)):
        return level_by_vertical(lines[-1].first, lines[-1].second, before)
    down = axes[2]
    return _level(down if down @ before[1] > 0 else -down)


def level_by_horizon(first: ArrayLike, second: ArrayLike, level_from_world: ArrayLike) -> NDArray[np.float64]:
    """The pose that makes both directions lie on the horizon.

    Args:
        first: (3,) a direction in the photograph's frame.
        second: (3,) the other one.
        level_from_world: (3, 3) the pose so far, which tells up from down.

    Returns:
        (3, 3) `level_from_world` with the heading of the photograph's middle kept.

    Raises:
        ValueError: The directions are nearly the same or opposite.
    """
    down = _across(first, second)
    before = np.asarray(level_from_world, np.float64)[1]
    return _level(down if down @ before > 0 else -down)


def level_by_vertical(first: ArrayLike, second: ArrayLike, level_from_world: ArrayLike) -> NDArray[np.float64]:
    """The pose nearest to the one so far that makes both directions lie above each other.

    Args:
        first: (3,) a direction in the photograph's frame.
        second: (3,) the other one.
        level_from_world: (3, 3) the pose so far.

    Returns:
        (3, 3) `level_from_world` with the heading of the photograph's middle kept.

    Raises:
        ValueError: The directions are nearly the same or opposite, or the line through them was level so far.
    """
    across = _across(first, second)
    before = np.asarray(level_from_world, np.float64)[1]
    # Down lies in the plane of the line; of all directions there the one nearest to the pose so far is taken.
    down = before - (before @ across) * across
    length = np.linalg.norm(down)
    if length < np.sin(LEAST_ANGLE):
        raise ValueError("the line through the points is level")
    return _level(down / length)


def _across(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    a, b = (np.asarray(direction, np.float64) / np.linalg.norm(direction) for direction in (first, second))
    across = np.cross(a, b)
    sine = np.linalg.norm(across)
    if sine < np.sin(LEAST_ANGLE):
        raise ValueError("the points lie too near to each other or opposite")
    unit: NDArray[np.float64] = across / sine
    return unit


def _level(down: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3) rotation without a yaw that turns a direction to +y."""
    axis = np.array([0.0, 0.0, 1.0]) if abs(down[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    right = np.cross(down, axis)
    right /= np.linalg.norm(right)
    _, pitch, roll = angles_from_rotation(np.stack([right, down, np.cross(right, down)]))
    return rotation_from_angles(0.0, pitch, roll)
