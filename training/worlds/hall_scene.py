"""What all large interiors share: materials, daylight, lamps, and the parts that are repeated bay by bay."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.furniture import PIECES
from training.worlds.lighting import GradientSky, Lamp, Lighting, Rgb, Sun
from training.worlds.materials import Material, triple
from training.worlds.palette import Palette
from training.worlds.placement import Floorplan
from training.worlds.rooms import Float, Room
from training.worlds.shapes import tubes

Rng = np.random.Generator
Span = tuple[float, float]


@dataclass(eq=False)
class HallScene:
    """A large interior while it is being built; the ground floor is at height 0.

    Attributes:
        rng: Source of chance.
        builder: Collects the parts.
        palette: Its materials.
        sky: What is behind panes.
        sun: With a clear sky by day.
        tint: Colour of the lamps, 1 on average.
        lamps: What lights it.
        camera: (x, height, z).
        glow: Radiance of the bodies of lamps.
    """

    rng: Rng
    builder: SceneBuilder
    palette: Palette
    sky: GradientSky
    sun: Sun | None
    tint: Rgb
    lamps: list[Lamp] = field(default_factory=list)
    camera: tuple[float, float, float] = (0.0, 1.6, 0.0)
    glow: Material = field(init=False)

    def __post_init__(self) -> None:
        self.glow = Material((1, 1, 1), emission=triple(3.0 * channel for channel in self.tint))

    @property
    def day(self) -> bool:
        """Whether light comes through the panes."""
        return max(self.sky.zenith) > 0.05

    def lighting(self) -> Lighting:
        """The finished light; few lamps, long ones, so that little noise is left."""
        rng = self.rng
        return Lighting(
            sky=self.sky,
            lamps=tuple(self.lamps),
            sun=self.sun if self.day and rng.random() < 0.5 else None,
            ambient=(0.003, 0.003, 0.003),
            pane_gain=1.0 if rng.random() < 0.6 else float(rng.uniform(0.3, 1.0)),
            key=float(rng.uniform(0.5, 1.4)),
        )

    def eye(self) -> float:
        """Height of the camera above what it stands on."""
        rng = self.rng
        return float(np.clip(rng.normal(1.6, 0.15), 1.1, 2.1) if rng.random() < 0.75 else rng.uniform(0.8, 2.2))

    def line_lamp(self, x: Span, z: Span, height: float, power: float, *, down: bool = True) -> None:
        """A row of lamps as one long source between two places below a ceiling."""
        ends = np.array([[x[0], -height, z[0]], [x[1], -height, z[1]]])
        half = (ends[1] - ends[0]) / 2
        facing = (0.0, 1.0, 0.0) if down else None
        colour = triple(power * channel for channel in self.tint)
        self.lamps.append(Lamp(triple(ends.mean(0)), colour, triple(half), (0.0, 0.0, 0.0), facing, 0.7))

    def sky_lamp(self, x: Span, z: Span, height: float, share: float = 1.0) -> None:
        """The daylight that comes down through glass over a rectangle."""
        area = (x[1] - x[0]) * (z[1] - z[0]) * share
        power = triple(
            area * (0.7 * zenith + 0.3 * low) for zenith, low in zip(self.sky.zenith, self.sky.horizon, strict=True)
        )
        center = ((x[0] + x[1]) / 2, -height, (z[0] + z[1]) / 2)
        half_u, half_v = ((x[1] - x[0]) / 2, 0.0, 0.0), (0.0, 0.0, (z[1] - z[0]) / 2)
        self.lamps.append(Lamp(center, power, half_u, half_v, (0.0, 1.0, 0.0)))

    def window_light(
        self, start: Span, end: Span, bottom: float, top: float, *, inward: tuple[float, float, float]
    ) -> None:
        """The daylight through a band of glass between two ground points."""
        low, high = np.array([start[0], -bottom, start[1]]), np.array([end[0], -top, end[1]])
        half_u, half_v = (high - low) / 2 * [1, 0, 1], (high - low) / 2 * [0, 1, 0]
        area = 4 * float(np.linalg.norm(half_u) * np.linalg.norm(half_v))
        colour = triple(
            area * (0.6 * low + 0.2 * up) for low, up in zip(self.sky.horizon, self.sky.zenith, strict=True)
        )
        self.lamps.append(Lamp(triple((low + high) / 2), colour, triple(half_u), triple(half_v), inward))

    def panel_light(self, corners: Float, level: float) -> None:
        """The light of a bright panel of (4, 3) corners in turn, that shines to the side of its normal that is down."""
        half_u, half_v = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
        normal = np.cross(half_u, half_v)
        area = 4 * float(np.linalg.norm(normal))
        normal *= 4 / area * (1 if normal[1] > 0 else -1)
        center = corners.mean(0) + 0.03 * normal
        self.lamps.append(Lamp(triple(center), (level * area,) * 3, triple(half_u), triple(half_v), triple(normal)))

    def furnish(self, x: Span, z: Span, pieces: dict[str, int], *, filling: float, bottom: float = 0.0) -> None:
        """Free-standing pieces within a rectangle, off the camera, at most so many of each."""
        rng = self.rng
        outline = np.array([[x[0], z[0]], [x[1], z[0]], [x[1], z[1]], [x[0], z[1]]])
        room = Room(outline, 3.0, self.palette)
        floor = Floorplan(room, np.array([self.camera[0], self.camera[2]]), clear=0.6)
        for name, most in pieces.items():
            same, size = int(rng.integers(1 << 30)), PIECES[name].size(rng)
            for _ in range(int(rng.binomial(most, filling))):
                place = floor.find(rng, size, at_wall=False, flat=name == "rug")
                if place is not None:
                    with self.builder.placed(place[0], place[1], yaw=place[2], bottom=bottom):
                        PIECES[name].build(self.builder, np.random.default_rng(same), size, self.palette)


def slab(scene: HallScene, x: Span, z: Span, height: float, thick: float) -> None:
    """A floor that is a ceiling below."""
    outline = [[x[0], z[0]], [x[1], z[0]], [x[1], z[1]], [x[0], z[1]]]
    scene.builder.horizontal_polygon(outline, height, scene.palette.floor, label="floor")
    scene.builder.horizontal_polygon(outline, height - thick, scene.palette.ceiling, label="ceiling")


def column(scene: HallScene, x: float, z: float, bottom: float, height: float, wide: float, *, round_: bool) -> None:
    """A column or pier with base and capital."""
    builder, material = scene.builder, scene.palette.trim
    tag = builder.tag("column")
    with builder.placed(x, z, bottom=bottom):
        if round_:
            builder.cylinder((0, 0), wide / 2, height, material, top_radius=wide * 0.43, sides=12, **tag)
        else:
            builder.box((0, 0), (wide, height, wide), material, **tag)
        if wide > 0.2:
            for low, high, more in ((0.0, 0.22, 0.14), (height - 0.2, 0.2, 0.18), (height - 0.36, 0.1, 0.08)):
                builder.box((0, 0), (wide + more, high, wide + more), material, bottom=low, **tag)


def arch(scene: HallScene, width: float, top: float, rise: float, thick: float, material: Material) -> None:
    """The wall above an arch: along local x about the origin, from its curve up to a height."""
    t = np.linspace(-1.0, 1.0, 13)
    x, y = t * width / 2, -(top - rise * (1 - np.sqrt(np.maximum(1 - t**2, 0.0)))) + 0.04
    upper = np.full_like(x, -top - 0.04)
    faces = []
    for z in (-thick / 2, thick / 2):
        line, cap = np.stack([x, y, 0 * x + z], 1), np.stack([x, upper, 0 * x + z], 1)
        faces.append(np.stack([cap[:-1], cap[1:], line[1:], line[:-1]], 1))
    front, back = (np.stack([x, y, 0 * x + z], 1) for z in (-thick / 2, thick / 2))
    faces.append(np.stack([front[:-1], front[1:], back[1:], back[:-1]], 1))
    scene.builder.quads(np.concatenate(faces), material, label="wall")


def balustrade(scene: HallScene, length: float, kind: str, *, near: bool) -> None:
    """A railing along local x about the origin: bars, balusters, a lattice, glass or a parapet."""
    builder, palette = scene.builder, scene.palette
    tall, half = 1.05, length / 2
    if kind == "parapet":
        builder.box((0, 0), (length, tall, 0.16), palette.accent, label="wall")
        builder.box((0, 0), (length, 0.06, 0.26), palette.wood, bottom=tall, label="wall")
        return
    tag = builder.tag("fence")
    rail = palette.wood if kind in {"balusters", "lattice"} else palette.metal
    builder.box((0, 0), (length, 0.06, 0.09), rail, bottom=tall - 0.06, **tag)
    if kind == "glass":
        pane = Material((0.9, 0.95, 0.93), gloss=0.06, roughness=0.0, glass=True)
        builder.quad([[-half, -tall, 0], [half, -tall, 0], [half, -0.05, 0], [-half, -0.05, 0]], pane, **tag)
        for x in np.arange(-half + 0.05, half, 1.4):
            builder.box((float(x), 0), (0.05, tall, 0.06), palette.metal, **tag)
        return
    builder.box((0, 0), (length, 0.06, 0.08), rail, bottom=0.06, **tag)
    step, wide = {"bars": (0.13, 0.012), "balusters": (0.24, 0.05), "lattice": (0.16, 0.016)}[kind]
    step, wide = (step, wide) if near else (step * 1.6, wide * 1.5)
    x = np.arange(-half + step / 2, half, step)
    foot, top = np.stack([x, 0 * x - 0.06, 0 * x], 1), np.stack([x, 0 * x - tall, 0 * x], 1)
    builder.mesh(
        *tubes(foot, top, wide, wide, sides=4 if near else 3), palette.trim if kind == "balusters" else rail, **tag
    )
    if kind == "lattice":
        ends = foot + np.array([2 * step, -tall * 0.7, 0.0])
        back = np.stack([ends[:, 0], foot[:, 1], foot[:, 2]], 1)
        builder.mesh(*tubes(foot[:-2], ends[:-2], wide, wide, sides=3), rail, **tag)
        builder.mesh(*tubes(back[:-2], foot[:-2] + np.array([0, -tall * 0.7, 0]), wide, wide, sides=3), rail, **tag)
