"""A pinhole at the sphere's centre."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]


def rotation_from_angles(yaw: float, pitch: float, roll: float) -> Float:
    """``R_y(yaw) R_x(pitch) R_z(roll)``: right, up and clockwise are positive; radians.

    Returns:
        (3, 3) rotation from the camera's frame into the world's.
    """
    cy, sy = math.cos(yaw), math.sin(yaw)
    cp, sp = math.cos(pitch), math.sin(pitch)
    cr, sr = math.cos(roll), math.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    rotation: Float = about_y @ about_x @ about_z
    return rotation


def angles_from_rotation(rotation: ArrayLike) -> tuple[float, float, float]:
    """Yaw, pitch and roll in radians of a rotation; roll is 0 where the camera looks straight up or down."""
    matrix = np.asarray(rotation, np.float64)
    pitch = math.atan2(-matrix[1, 2], math.hypot(matrix[0, 2], matrix[2, 2]))
    if math.hypot(matrix[0, 2], matrix[2, 2]) < 1e-9:
        # Yaw and roll turn about the same axis here; all of it is given to yaw.
        return math.atan2(-matrix[2, 0], matrix[0, 0]), pitch, 0.0
    return math.atan2(matrix[0, 2], matrix[2, 2]), pitch, math.atan2(matrix[1, 0], matrix[1, 1])


@dataclass(frozen=True)
class Camera:
    """A pinhole camera at the panorama's centre.

    Attributes:
        yaw, pitch, roll: Radians; right, up and clockwise are positive.
        fov_x: Horizontal field of view in radians, in (0, pi).
        height, width: Size of its picture in pixels.
    """

    yaw: float
    pitch: float
    roll: float
    fov_x: float
    height: int
    width: int

    def __post_init__(self) -> None:
        if not 0 < self.fov_x < math.pi:
            raise ValueError(f"fov_x must lie between 0 and pi, got {self.fov_x}")
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a camera needs at least one pixel, got {self.height} x {self.width} (height x width)")

    @classmethod
    def from_rotation(cls, world_from_camera: ArrayLike, *, fov_x: float, height: int, width: int) -> Camera:
        """The camera with a given rotation, (3, 3)."""
        yaw, pitch, roll = angles_from_rotation(world_from_camera)
        return cls(yaw=yaw, pitch=pitch, roll=roll, fov_x=fov_x, height=height, width=width)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its picture."""
        return self.height, self.width

    @property
    def focal_px(self) -> float:
        """Focal length in pixels, the same in both directions."""
        return self.width / 2 / math.tan(self.fov_x / 2)

    @cached_property
    def world_from_camera(self) -> Float:
        """(3, 3) rotation from the camera's frame (x right, y down, z forward) into the world's; read-only."""
        rotation = rotation_from_angles(self.yaw, self.pitch, self.roll)
        rotation.flags.writeable = False
        return rotation

    def rays(self) -> Float:
        """(height, width, 3) unit rays through the pixel centres, in the world frame."""
        u, v = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        return self.directions(u, v)

    def directions(self, u: ArrayLike, v: ArrayLike) -> Float:
        """(..., 3) unit vectors in the world frame through continuous pixels (u, v)."""
        x = (np.asarray(u, np.float64) - self.width / 2) / self.focal_px
        y = (np.asarray(v, np.float64) - self.height / 2) / self.focal_px
        x, y = np.broadcast_arrays(x, y)
        vectors = np.stack([x, y, np.ones_like(x)], axis=-1)
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        directions: Float = vectors @ self.world_from_camera.T
        return directions

    def project(self, directions: ArrayLike) -> tuple[Float, Float]:
        """Continuous pixels (u, v) of (..., 3) world directions; NaN for those that are not in front of the camera."""
        x, y, z = np.moveaxis(np.asarray(directions, np.float64) @ self.world_from_camera, -1, 0)
        depth = np.where(z > 0, z, np.nan)
        return x / depth * self.focal_px + self.width / 2, y / depth * self.focal_px + self.height / 2


def pixel_solid_angles(size: int, fov: float) -> NDArray[np.float32]:
    """(size, size) steradians of the pixels of a square view `fov` radians wide, to first order."""
    focal = size / 2 / math.tan(fov / 2)
    across = (np.arange(size, dtype=np.float32) + np.float32(0.5 - size / 2)) / np.float32(focal)
    square = 1 + across[:, None] ** 2 + across[None] ** 2
    areas: NDArray[np.float32] = (square**-1.5 / np.float32(focal**2)).astype(np.float32)
    return areas
