"""The pose of a photograph from two of its points: on the horizon, or above each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.camera import angles_from_rotation, rotation_from_angles

LEAST_ANGLE = np.radians(1.0)
"""Between the two points (or one and the opposite of the other); nearer ones say nothing about a line."""


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
