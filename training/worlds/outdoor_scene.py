"""What every outdoor world shares: sky, plants, lamps, where things may stand, and ground materials."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import training.worlds.outdoor_patterns  # noqa: F401  (adds its drawings to the bank)
from training.worlds.builder import SceneBuilder
from training.worlds.lighting import Lamp, Lighting, Sun
from training.worlds.materials import Material
from training.worlds.sky import SkyParams, sky_colors
from training.worlds.terrain import Relief
from training.worlds.vegetation import Plants, tree

Float = NDArray[np.float64]
Rgb = tuple[float, float, float]
Layer = tuple[Material, str | None]

MAX_LAMPS = 24


@dataclass(eq=False)
class OutdoorScene:
    """A world while it is being built; the ground below the camera is the origin.

    Attributes:
        rng: Source of chance.
        builder: Collects the parts.
        sky: What is above.
        plants: What grows.
        camera_height: Metres above the ground.
        camera_xz: Where the camera stands.
        ground_level: Height of the ground there.
        lamps: Lights that burn.
        snow: True when snow lies.
    """

    rng: np.random.Generator
    builder: SceneBuilder
    sky: SkyParams
    plants: Plants
    camera_height: float
    camera_xz: tuple[float, float] = (0.0, 0.0)
    ground_level: float = 0.0
    lamps: list[Lamp] = field(default_factory=list)
    snow: bool = False

    def camera_position(self) -> Float:
        """(3,) in the ground frame, y down."""
        return np.array([self.camera_xz[0], -(self.ground_level + self.camera_height), self.camera_xz[1]])

    def lighting(self) -> Lighting:
        """The sky's light, the sun's and that of the lamps nearest to the camera."""
        camera = self.camera_position()
        lamps = sorted(self.lamps, key=lambda lamp: float(np.sum((np.asarray(lamp.center) - camera) ** 2)))
        sky = self.sky
        sun = None
        if max(sky.sun_color) > 0.01:
            r, g, b = (float(np.pi * channel) for channel in sky.sun_color)
            sun = Sun(sky.sun_direction, (r, g, b), radius=float(self.rng.uniform(0.004, 0.02)))
        dark = max(sky.zenith) < 0.25 and max(sky.sun_color) < 0.1
        return Lighting(
            sky=lambda directions: sky_colors(directions, sky),
            lamps=tuple(lamps[:MAX_LAMPS]),
            sun=sun,
            fog=(sky.haze_color, sky.haze_distance),
            key=float(self.rng.uniform(0.35, 1.0)) if dark else float(self.rng.uniform(0.85, 1.25)),
        )

    def spots(self, count: int, near: float, far: float) -> Float:
        """(n, 2) points around the camera, as many near as far by the logarithm of their distance."""
        r = near * (far / near) ** self.rng.uniform(0, 1, count)
        angle = self.rng.uniform(0, 2 * np.pi, count)
        return np.stack([self.camera_xz[0] + r * np.sin(angle), self.camera_xz[1] + r * np.cos(angle)], axis=1)

    def plant_trees(
        self, relief: Relief, spots: Float, kinds: list[str], heights: tuple[float, float], *, quality: float = 1.0
    ) -> None:
        """A tree at each of (n, 2) spots, of some of the kinds."""
        feet = relief.on(spots)
        for foot in feet:
            tree(
                self.rng,
                self.builder,
                self.plants,
                (foot[0], -foot[1], foot[2]),
                distance=float(np.hypot(foot[0] - self.camera_xz[0], foot[2] - self.camera_xz[1])),
                kind=str(self.rng.choice(kinds)),
                height=float(self.rng.uniform(*heights)),
                quality=quality,
            )


def tinted(rng: np.random.Generator, colour: Rgb, amount: float = 0.12) -> Rgb:
    """A colour near another, within what surfaces can reflect."""
    common = rng.normal(0, amount)
    r, g, b = np.clip(np.asarray(colour) * np.exp(common + rng.normal(0, amount * 0.4, 3)), 0.01, 0.9)
    return float(r), float(g), float(b)


def mixed(a: Rgb, b: Rgb, share: float) -> Rgb:
    """Between two colours."""
    red, green, blue = np.asarray(a) * (1 - share) + np.asarray(b) * share
    return float(red), float(green), float(blue)


GROUNDS: dict[str, tuple[Rgb, str, float, str]] = {
    "lawn": ((0.07, 0.13, 0.025), "turf", 3.0, "grass"),
    "grass": ((0.10, 0.15, 0.04), "turf", 5.0, "grass"),
    "dry_grass": ((0.26, 0.20, 0.09), "turf", 5.0, "grass"),
    "meadow": ((0.09, 0.13, 0.03), "meadow", 6.0, "grass"),
    "dark_grass": ((0.035, 0.06, 0.018), "meadow", 6.0, "grass"),
    "crops": ((0.12, 0.16, 0.04), "crops", 8.0, "grass"),
    "soil": ((0.16, 0.11, 0.07), "soil", 5.0, "earth"),
    "red_soil": ((0.28, 0.13, 0.07), "soil", 6.0, "earth"),
    "sand": ((0.48, 0.38, 0.26), "sand", 4.0, "earth"),
    "pale_sand": ((0.55, 0.50, 0.42), "tracks", 9.0, "earth"),
    "mud": ((0.24, 0.18, 0.12), "tracks", 8.0, "earth"),
    "cracked": ((0.38, 0.27, 0.16), "cracked", 4.0, "earth"),
    "gravel": ((0.34, 0.31, 0.27), "pebbles", 2.0, "earth"),
    "litter": ((0.17, 0.11, 0.06), "litter", 4.0, "earth"),
    "rock": ((0.30, 0.27, 0.24), "rock", 7.0, "earth"),
    "red_rock": ((0.36, 0.20, 0.13), "rock", 8.0, "earth"),
    "asphalt": ((0.10, 0.10, 0.105), "asphalt", 6.0, "road"),
    "pale_asphalt": ((0.18, 0.178, 0.175), "asphalt", 6.0, "road"),
    "concrete": ((0.38, 0.37, 0.35), "concrete", 4.0, "sidewalk"),
    "snow": ((0.78, 0.80, 0.85), "snow", 6.0, "earth"),
}
"""Colour, pattern, metres per repeat and label of what one walks on."""


def ground(rng: np.random.Generator, name: str, *, label: str | None = None) -> Layer:
    """A layer of `GROUNDS` with a colour of its own."""
    colour, pattern, scale, usual = GROUNDS[name]
    scale = scale * float(rng.uniform(0.7, 1.4))
    gloss = 0.04 if name in ("asphalt", "snow") else 0.0
    contrast = float(rng.uniform(0.6, 1.1))
    material = Material(tinted(rng, colour, 0.22), pattern, scale=scale, contrast=contrast, gloss=gloss, roughness=0.5)
    return material, label or usual


def water_material(rng: np.random.Generator) -> Material:
    """Of a lake, a river or the sea."""
    colour = mixed((0.02, 0.06, 0.08), (0.10, 0.12, 0.06), float(rng.uniform()))
    roughness = float(rng.choice([0.02, 0.08, 0.2, 0.35]))
    return Material(tinted(rng, colour, 0.3), "water", scale=6.0, contrast=0.5, gloss=0.06, roughness=roughness)
