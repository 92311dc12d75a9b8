"""The photograph: colours on the full sphere."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import UnsupportedImage
from core.geometry.camera import Camera, rotation_from_angles
from core.tone import DEVELOPED, ToneMap

MIN_HEIGHT = 2

Level = tuple[float, float]
"""Pitch and roll in radians of a rotation ``level_from_world`` without a yaw."""


@dataclass(frozen=True)
class Part:
    """A part of a sphere, in pixels of the sphere's grid.

    Attributes:
        left, top: Where it begins; it may run over the right edge and go on at the left.
        width, height: Its size.
        full_width, full_height: The grid.
    """

    left: int
    top: int
    width: int
    height: int
    full_width: int
    full_height: int


DEFAULT_VIEW = Camera(yaw=0.0, pitch=0.0, roll=0.0, fov_x=math.pi / 2, height=512, width=512)


@dataclass(frozen=True, eq=False)
class Panorama:
    """Colours on the full sphere, in the photograph's own grid; *world* is the photograph's frame.

    Attributes:
        rgb: (H, W, 3) sRGB uint8, W = 2 H up to rounding, see `is_full_sphere`; read-only.
        valid: (H, W) bool, False where a partial panorama saw nothing; None when everything was seen.
        level_from_world: (3, 3) rotation that makes gravity point along +y; the identity for a level photograph.
        level: Pitch and roll of `level_from_world` in radians where a person has set them, see `with_level`; None where
            the pose is the photograph's own.
        own_level_from_world: The photograph's own pose, to go back to; None where that is the present one.
        heading: Compass bearing of the picture's centre in radians, clockwise from north; None when unknown.
        initial_view: The first view, in the world frame.
        radiance: (H, W, 3) linear float32 when the file held more than 8 bits per channel; None otherwise.
        tone: How `radiance` became `rgb`, which is what models see.
        path: Where it came from; None for a picture that was made in memory.
        notes: Sentences about what was assumed of the picture and what its metadata says that was ignored.

    Raises:
        UnsupportedImage: `rgb` is not a full sphere.
        ValueError: An array has another shape or type.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_] | None = None
    level_from_world: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    level: Level | None = None
    own_level_from_world: NDArray[np.float64] | None = None
    heading: float | None = None
    initial_view: Camera = DEFAULT_VIEW
    radiance: NDArray[np.float32] | None = None
    tone: ToneMap = DEVELOPED
    path: Path | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.rgb.dtype != np.uint8 or self.rgb.ndim != 3 or self.rgb.shape[2] != 3:
            raise ValueError(f"rgb must be uint8 (H, W, 3), got {self.rgb.dtype} {self.rgb.shape}")
        height, width = self.rgb.shape[:2]
        if not is_full_sphere(height, width):
            raise UnsupportedImage(
                f"A panorama must be twice as wide as high and at least {2 * MIN_HEIGHT} x {MIN_HEIGHT}, "
                f"got {width} x {height} (width x height)."
            )
        if self.valid is not None and (self.valid.shape != (height, width) or self.valid.dtype != np.bool_):
            raise ValueError(f"valid must be bool {(height, width)}, got {self.valid.dtype} {self.valid.shape}")
        radiance, pose = self.radiance, self.level_from_world
        if radiance is not None and (radiance.shape != (height, width, 3) or radiance.dtype != np.float32):
            raise ValueError(f"radiance must be float32 {(height, width, 3)}, got {radiance.dtype} {radiance.shape}")
        if pose.shape != (3, 3):
            raise ValueError(f"level_from_world must be (3, 3), got {pose.shape}")
        for array in (self.rgb, self.valid, self.radiance, self.level_from_world):
            if array is not None:
                array.flags.writeable = False

    @property
    def height(self) -> int:
        """Rows of the photograph."""
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        """Columns of the photograph."""
        return int(self.rgb.shape[1])

    @property
    def part(self) -> Part | None:
        """The part of the sphere that the photograph shows; None when it shows everything."""
        if self.valid is None:
            return None
        rows = np.flatnonzero(self.valid.any(axis=1))
        cols = self.valid.any(axis=0)
        begins = np.flatnonzero(cols & ~np.roll(cols, 1))
        return Part(
            left=int(begins[0]) if begins.size else 0,
            top=int(rows[0]) if rows.size else 0,
            width=int(cols.sum()),
            height=int(rows[-1] - rows[0] + 1) if rows.size else 0,
            full_width=self.width,
            full_height=self.height,
        )

    def with_level(self, level: Level | None) -> Panorama:
        """The same photograph in the pose that a person has given it, or with None again in its own.

        Pixels, heading and first view stay as they are: only what is up in them changes.
        """
        if level == self.level:
            return self
        own = self.level_from_world if self.own_level_from_world is None else self.own_level_from_world
        if level is None:
            return replace(self, level_from_world=own, level=None, own_level_from_world=None)
        return replace(self, level_from_world=rotation_from_angles(0.0, *level), level=level, own_level_from_world=own)

    @property
    def is_level(self) -> bool:
        """True when the pose leaves gravity where it is, along +y."""
        return bool(np.allclose(self.level_from_world, np.eye(3), atol=1e-9))


def is_full_sphere(height: int, width: int) -> bool:
    """True for a 2:1 picture, allowing a pixel, or one per cent, that rounding may cost: stitchers round to blocks.

    Rows and columns each cover the sphere, so that nothing is cut off or stretched over anything else.
    """
    return height >= MIN_HEIGHT and abs(width - 2 * height) <= max(1, height // 50)


def check_full_sphere(rgb: NDArray[np.uint8]) -> None:
    """Refuse what is no picture of a full sphere, (H, W, 3) uint8.

    Raises:
        ValueError: `rgb` is something else.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not is_full_sphere(*rgb.shape[:2]):
        raise ValueError(f"rgb must be a full sphere, uint8 (H, 2 H, 3), got {rgb.dtype} {rgb.shape}")
