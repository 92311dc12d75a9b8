"""Looking around: a drag or a turn of the wheel becomes another camera. No Qt.

The cameras here live in the *level* frame, in which gravity points along +y, so that the horizon stays straight in a
photograph that was taken on a slope; `photo_camera` takes them to the photograph's own frame for drawing.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.geometry.camera import Camera

MIN_FOV_X = math.radians(2)
MAX_FOV_X = math.radians(140)
MAX_FOV_Y = math.radians(150)
OUTLINE_STEPS = 24
ROOM = 1.3
"""How much farther than what is framed a view reaches."""
WIDEST_FRAME = math.radians(100)
NEAR_POLE = 0.02
"""Sine of the angle to the vertical axis below which a drag no longer spins the view."""


def level_camera(camera: Camera, level_from_world: ArrayLike) -> Camera:
    """The same view as `camera`, which is given in the photograph's frame, in the level frame."""
    return Camera.from_rotation(
        np.asarray(level_from_world) @ camera.world_from_camera,
        fov_x=camera.fov_x,
        height=camera.height,
        width=camera.width,
    )


def photo_camera(camera: Camera, level_from_world: ArrayLike) -> Camera:
    """The same view as `camera`, which is given in the level frame, in the photograph's frame."""
    return level_camera(camera, np.asarray(level_from_world).T)


def resized(camera: Camera, height: int, width: int) -> Camera:
    """The camera with another picture size. The shorter side keeps its angle: a resize does not zoom."""
    if (height, width) == (camera.height, camera.width):
        return camera
    angle_px = min(camera.height, camera.width) / camera.focal_px
    return _with_fov(camera, 2 * math.atan(width * angle_px / min(height, width) / 2), height=height, width=width)


def framed(camera: Camera, height: int, width: int) -> Camera:
    """The camera with another picture size and the same horizontal angle."""
    return _with_fov(camera, camera.fov_x, height=height, width=width)


def dragged(camera: Camera, start: tuple[float, float], end: tuple[float, float]) -> Camera:
    """The camera after a drag: what was under the cursor at `start` is under it at `end`.

    Yaw and pitch change, roll does not. Where the pole stops the pitch, only the longitude follows the cursor.

    Args:
        camera: The camera when the drag began, in the level frame.
        start: Continuous pixel (u, v) where the button went down.
        end: Continuous pixel (u, v) where the cursor is now.
    """
    return _aimed(camera, camera.directions(*start), end)


def zoomed(camera: Camera, about: tuple[float, float], factor: float) -> Camera:
    """The camera with `factor` times the magnification; the direction under pixel `about` stays there."""
    tangent = math.tan(camera.fov_x / 2) / factor
    closer = _with_fov(camera, 2 * math.atan(tangent), height=camera.height, width=camera.width)
    return _aimed(closer, camera.directions(*about), about)


def turned(camera: Camera, yaw: float, pitch: float) -> Camera:
    """The camera turned by radians to the right and upwards; it stops at the poles."""
    return replace(camera, yaw=_wrapped(camera.yaw + yaw), pitch=_clamped(camera.pitch + pitch))


def aimed_at(camera: Camera, direction: ArrayLike) -> Camera:
    """The upright camera that has `direction`, (3,) in the level frame, in the middle of its picture."""
    x, y, z = np.asarray(direction, np.float64)
    return replace(camera, yaw=math.atan2(x, z), pitch=_clamped(math.atan2(-y, math.hypot(x, z))), roll=0.0)


def holding(camera: Camera, direction: ArrayLike, reach: float) -> Camera:
    """`aimed_at`, as near as what lies within an angle of the direction fits with some room.

    Args:
        camera: Before, in the level frame.
        direction: (3,) in the level frame.
        reach: Radians; what reaches far around the sphere is not held as a whole.
    """
    half = min(ROOM * reach, WIDEST_FRAME / 2)
    fov_x = 2 * math.atan(math.tan(half) * camera.width / min(camera.height, camera.width))
    return aimed_at(_with_fov(camera, fov_x, height=camera.height, width=camera.width), direction)


def outline(camera: Camera) -> NDArray[np.float64]:
    """(n, 3) directions along the border of the camera's picture, closed, in the camera's own world frame."""
    along = np.linspace(0.0, 1.0, OUTLINE_STEPS, endpoint=False)
    zero, one = np.zeros_like(along), np.ones_like(along)
    u = np.concatenate([along, one, 1 - along, zero, [0.0]]) * camera.width
    v = np.concatenate([zero, along, one, 1 - along, [0.0]]) * camera.height
    return camera.directions(u, v)


def _aimed(camera: Camera, direction: NDArray[np.float64], pixel: tuple[float, float]) -> Camera:
    """The camera turned until the ray through `pixel` points along `direction`.

    With r the ray in the camera turned by roll only, R_y(yaw) R_x(pitch) r = direction. The y component fixes the
    pitch, ``r_y cos p - r_z sin p = d_y``, that is ``A sin(phi - p) = d_y``; then the yaw follows.
    """
    upright = replace(camera, yaw=0.0, pitch=0.0)
    x, y, z = upright.directions(*pixel)
    amplitude, phase = math.hypot(y, z), math.atan2(y, z)
    sine = min(1.0, max(-1.0, direction[1] / amplitude))
    pitch = _clamped(phase - math.asin(sine))
    forward = y * math.sin(pitch) + z * math.cos(pitch)
    yaw = camera.yaw
    if min(math.hypot(x, forward), math.hypot(direction[0], direction[2])) > NEAR_POLE:
        yaw = math.atan2(direction[0], direction[2]) - math.atan2(x, forward)
    return replace(camera, yaw=_wrapped(yaw), pitch=pitch)


def _with_fov(camera: Camera, fov_x: float, *, height: int, width: int) -> Camera:
    highest = 2 * math.atan(math.tan(MAX_FOV_Y / 2) * width / height)
    return replace(camera, fov_x=min(max(fov_x, MIN_FOV_X), MAX_FOV_X, highest), height=height, width=width)


def _clamped(pitch: float) -> float:
    return min(max(pitch, -math.pi / 2), math.pi / 2)


def _wrapped(yaw: float) -> float:
    return math.remainder(yaw, 2 * math.pi)
