"""Panoramas turned and resized, with all that they know about themselves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from core.geometry.camera import Camera, angles_from_rotation, rotation_from_angles
from core.geometry.sampling import Image
from core.geometry.warp import resize_erp, turn_erp
from core.panorama import Panorama


def turned_panorama(panorama: Panorama, turned_from_world: ArrayLike, *, width: int | None = None) -> Panorama:
    """The same scene in another frame: what lies in direction d comes to lie in ``turned_from_world @ d``.

    Gravity, north and the first view stay where they are in the scene; pose, heading and view change their numbers.

    Args:
        panorama: The photograph.
        turned_from_world: (3, 3) rotation.
        width: Columns of the result, twice as many as its rows; those of the photograph when None.
    """
    rotation = np.asarray(turned_from_world, np.float64)
    height = panorama.height if width is None else max(2, width // 2)
    size = height, panorama.width if width is None else 2 * height

    def moved(image: Image) -> Image:
        turned = image if np.allclose(rotation, np.eye(3), atol=1e-12) else turn_erp(image, rotation)
        return turned if turned.shape[:2] == size else resize_erp(turned, *size)

    radiance = None if panorama.radiance is None else moved(panorama.radiance)
    valid = None if panorama.valid is None else moved(panorama.valid)
    yaw, pitch, roll = angles_from_rotation(panorama.level_from_world @ rotation.T)
    view = panorama.initial_view
    return replace(
        panorama,
        rgb=moved(panorama.rgb) if radiance is None else panorama.tone.develop(radiance),
        radiance=radiance,
        valid=None if valid is None or valid.all() else valid,
        # A pose turns no compass: what it would turn about the vertical is the heading's.
        level_from_world=rotation_from_angles(0.0, pitch, roll),
        level=None,
        own_level_from_world=None,
        heading=None if panorama.heading is None else (panorama.heading + yaw) % (2 * math.pi),
        initial_view=Camera.from_rotation(
            rotation @ view.world_from_camera, fov_x=view.fov_x, height=view.height, width=view.width
        ),
    )
