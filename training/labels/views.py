"""Random views that together see everything."""

from __future__ import annotations

import hashlib
import math

import numpy as np

from core.geometry.alignment import even_directions
from core.geometry.camera import Camera
from core.geometry.sphere import directions_to_lonlat

NARROWEST = math.radians(80)
WIDEST = math.radians(120)
"""Fields of view between which one is drawn. Source: MTPano, arXiv:2602.05330."""
FEWEST = 16
COVERING = math.radians(156.5)
"""Times 1 / sqrt(n): no direction is farther than that from the nearest of n even ones; measured from 16 to 128."""


def random_views(count: int, size: int, rng: np.random.Generator) -> tuple[Camera, ...]:
    """Upright square cameras that look in random directions and leave nothing out.

    The directions are those of an even set, turned as a whole by any rotation and then each by as much as leaves no gap
    between the narrowest views. MTPano draws yaw and pitch evenly instead, which crowds the poles and may leave gaps.

    Args:
        count: How many, at least `FEWEST`.
        size: Pixels along each side.
        rng: Decides all that is random.

    Raises:
        ValueError: So few leave gaps.
    """
    if count < FEWEST:
        raise ValueError(f"at least {FEWEST} random views see everything, got {count}")
    axes = even_directions(count) @ _any_rotation(rng).T
    reach = NARROWEST / 2 - COVERING / math.sqrt(count)
    # Even over a disc of that radius.
    tilt = reach * np.sqrt(rng.random(count))[:, None]
    aside = np.cross(axes, rng.normal(size=(count, 3)))
    aside /= np.linalg.norm(aside, axis=-1, keepdims=True)
    yaws, pitches = directions_to_lonlat(np.cos(tilt) * axes + np.sin(tilt) * aside)
    fovs = rng.uniform(NARROWEST, WIDEST, count)
    return tuple(
        Camera(yaw=yaw, pitch=pitch, roll=0.0, fov_x=fov_x, height=size, width=size)
        for yaw, pitch, fov_x in np.stack([yaws, pitches, fovs], axis=-1).tolist()
    )


def views_generator(seed: int, digest: str) -> np.random.Generator:
    """What decides a picture's views: the seed and the picture's content, wherever it lies and whoever labels it.

    Args:
        seed: Of the whole folder.
        digest: SHA-256 of the picture's file.
    """
    mixed = hashlib.sha256(f"{seed} {digest}".encode()).digest()
    return np.random.default_rng(int.from_bytes(mixed[:16], "big"))


def _any_rotation(rng: np.random.Generator) -> np.ndarray:
    """(3, 3) a rotation, all alike likely: K. Shoemake, Uniform Random Rotations, 1992, by a unit quaternion."""
    w, x, y, z = (quaternion := rng.normal(size=4)) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
