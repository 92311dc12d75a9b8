"""What lights a world: lamps, the sun, the sky."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[float, float, float]
Vector = tuple[float, float, float]

Sky = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Linear radiance (n, 3) of (n, 3) unit directions in the ground frame (y down); 1 is a sunlit white wall."""


@dataclass(frozen=True)
class Lamp:
    """A lamp, or a window that lets daylight in: a parallelogram that shines.

    Attributes:
        center: (x, y, z) in the ground frame (y down).
        half_u, half_v: Half edges of the parallelogram; zero vectors make a point.
        power: Linear RGB intensity: irradiance at one metre in front.
        facing: Unit direction in which it shines; None shines to all sides.
        focus: Exponent of the cosine to `facing`: 1 a flat panel, 8 and more a spot.
    """

    center: Vector
    power: Rgb
    half_u: Vector = (0.0, 0.0, 0.0)
    half_v: Vector = (0.0, 0.0, 0.0)
    facing: Vector | None = None
    focus: float = 1.0


@dataclass(frozen=True)
class Sun:
    """Light from far away.

    Attributes:
        direction: Unit vector from the ground to the sun (y down, so its y is negative by day).
        irradiance: Linear RGB on a surface that faces it.
        radius: Apparent radius in radians; a larger one softens the shadows.
    """

    direction: Vector
    irradiance: Rgb
    radius: float = 0.005


@dataclass(frozen=True)
class Lighting:
    """All light of a world.

    Attributes:
        sky: What is seen where no surface is, and outdoors (or behind panes) what lights the surfaces.
        lamps: Lamps and windows.
        sun: None at night, under clouds or indoors without sunbeams.
        ambient: Linear RGB irradiance that reaches every surface, for light whose source is not modelled.
        fog: RGB colour and metres of range after which 63 % of the colour is the fog's; None without fog.
        pane_gain: How much of the outside's brightness the camera records through panes; merged exposures darken it.
        key: How bright the picture is exposed: 1 normal, .3 a dark place left dark.
    """

    sky: Sky
    lamps: tuple[Lamp, ...] = ()
    sun: Sun | None = None
    ambient: Rgb = (0.0, 0.0, 0.0)
    fog: tuple[Rgb, float] | None = None
    pane_gain: float = 1.0
    key: float = 1.0


@dataclass(frozen=True)
class GradientSky:
    """A plain sky: zenith and horizon colours, and the ground below."""

    zenith: Rgb
    horizon: Rgb
    ground: Rgb

    def __call__(self, directions: NDArray[np.float32]) -> NDArray[np.float32]:
        up = -directions[:, 1:2]
        rise = np.sqrt(np.clip(up, 0.0, 1.0))
        above = (1 - rise) * np.asarray(self.horizon, np.float32) + rise * np.asarray(self.zenith, np.float32)
        return np.where(up >= 0, above, np.asarray(self.ground, np.float32)).astype(np.float32)
