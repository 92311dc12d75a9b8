"""The ground of open country: height fields, what covers them, water, rocks and roads that follow them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.worlds.builder import SceneBuilder
from training.worlds.materials import Material
from training.worlds.shapes import blobs, grid, parallels
from training.worlds.sky import sample_noise

Float = NDArray[np.float64]

REACH = 900.0
"""Metres from the camera to the end of the ground."""


@dataclass(frozen=True)
class Relief:
    """Heights of the ground; 0 below the camera, at the origin.

    Attributes:
        offset: Where in the noise the world lies.
        tilt: Slope towards x and z, metres per metre, fading out over a hundred metres.
        bumps: Amplitude in metres and wavelength of what one stumbles over.
        hills: Amplitude, wavelength and distance from which they grow.
        brow: Slope beyond a distance, down to a depth: the camera stands on a hill.
        mountains: Height, wavelength and distance of their foot.
        water: Height of the water's surface; None without water.
        shore: Direction in which the water lies and distance of its shore; the ground sinks beyond. None: no sea.
    """

    offset: tuple[float, float]
    tilt: tuple[float, float] = (0.0, 0.0)
    bumps: tuple[float, float] = (0.0, 8.0)
    hills: tuple[float, float, float] = (0.0, 120.0, 30.0)
    brow: tuple[float, float, float] = (0.0, 20.0, 0.0)
    mountains: tuple[float, float, float] = (0.0, 400.0, 250.0)
    water: float | None = None
    shore: tuple[float, float] | None = None

    def height(self, x: ArrayLike, z: ArrayLike) -> Float:
        """Heights in metres at ground points, any shape."""
        x, z = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(z, np.float64))
        result: Float = self._raw(x, z) - self._raw(np.zeros(1), np.zeros(1))[0]
        return result

    def on(self, xz: ArrayLike) -> Float:
        """(n, 3) points on the ground, y down, of (n, 2) points."""
        xz = np.asarray(xz, np.float64)
        return np.stack([xz[:, 0], -self.height(xz[:, 0], xz[:, 1]), xz[:, 1]], axis=1)

    def noise(self, x: Float, z: Float, wavelength: float, turn: int, *, falloff: float = 2.6) -> Float:
        """Noise in [0, 1] whose longest waves have a length in metres; `turn` tells several apart."""
        # The tile's longest waves fit three times into it.
        scale = 1 / (3 * wavelength)
        u, v = (x, z) if turn % 2 == 0 else (z, -x)
        shift = (turn + 1) * 0.37
        noise = sample_noise(u * scale + self.offset[0] + shift, v * scale + self.offset[1] - shift, falloff=falloff)
        return noise.astype(np.float64).reshape(x.shape)

    def _raw(self, x: Float, z: Float) -> Float:
        r = np.hypot(x, z)
        height = (x * self.tilt[0] + z * self.tilt[1]) / np.maximum(1.0, r / 60.0) ** 0.8
        amplitude, wavelength = self.bumps
        if amplitude:
            height = height + amplitude * (self.noise(x, z, wavelength, 0) - 0.5) / (1 + (r / 150) ** 2)
        amplitude, wavelength, start = self.hills
        if amplitude:
            height = height + amplitude * (self.noise(x, z, wavelength, 1) - 0.5) * _rise(r, start, start + wavelength)
        slope, start, depth = self.brow
        if slope:
            height = height - depth * (1 - np.exp(-slope * np.maximum(r - start, 0) / max(depth, 1e-6)))
        top, wavelength, start = self.mountains
        if top:
            ridge = 1 - np.abs(2 * self.noise(x, z, wavelength, 2, falloff=3.4) - 1)
            rough = self.noise(x, z, 120.0, 3)
            height = height + top * (0.94 * ridge**1.2 + 0.06 * rough) * _rise(r, start, start + 350.0)
        if self.shore is not None and self.water is not None:
            direction, distance = self.shore
            along = x * np.sin(direction) + z * np.cos(direction)
            wobble = distance * 0.5 * (self.noise(x, z, 60.0, 1) - 0.5)
            height = height - 0.12 * np.clip(along - 0.35 * distance + wobble, 0, 60)
        return height


def _rise(r: Float, start: float, end: float) -> Float:
    t = np.clip((r - start) / max(end - start, 1e-6), 0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True, eq=False)
class Cover:
    """What the ground is made of.

    Attributes:
        main: Material and label nearly everywhere.
        patches: Material, label, share of the area and wavelength of what lies in patches.
        steep: Material and label of slopes above 35 degrees; None keeps the others.
        high: Material and label of mountains; None keeps the others.
        snow_line: Height above which mountains are white.
        clear: Metres around the camera that patches mostly keep away from.
    """

    main: tuple[Material, str | None]
    patches: tuple[tuple[Material, str | None, float, float], ...] = ()
    steep: tuple[Material, str | None] | None = None
    high: tuple[Material, str | None] | None = None
    snow_line: float = np.inf
    clear: float = 5.0


def build_ground(
    builder: SceneBuilder, relief: Relief, cover: Cover, *, hole: float = 0.0, reach: float = REACH
) -> None:
    """The ground as rings around the camera, denser near it.

    Args:
        builder: Where it goes.
        relief: Its heights.
        cover: What it is made of.
        hole: Metres around the camera that something else covers.
        reach: Where it ends.
    """
    sectors = 160
    radii = np.concatenate([[max(hole, 0.0)], np.geomspace(max(hole * 1.1, 0.7), reach, 56)])
    angle = (np.arange(sectors) + 0.37) * (2 * np.pi / sectors)
    x, z = np.outer(radii, np.sin(angle)), np.outer(radii, np.cos(angle))
    points = np.stack([x, -relief.height(x, z), z], axis=-1)
    vertices, triangles = grid(points, closed=True)
    corner = vertices[triangles]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    level = np.abs(normal[:, 1]) / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    # Both halves of a mesh cell get one layer, or its border would be a saw.
    middle = np.tile(corner.mean(axis=1).reshape(2, -1, 3).mean(axis=0), (2, 1))
    level = np.tile(level.reshape(2, -1).mean(axis=0), 2)
    r = np.hypot(middle[:, 0], middle[:, 2])
    layer = np.zeros(len(triangles), np.int64)
    layers = [cover.main]
    for index, (material, label, share, wavelength) in enumerate(cover.patches):
        noise = relief.noise(middle[:, 0], middle[:, 2], wavelength, index + 4)
        layers.append((material, label))
        # Borders follow the mesh, which shows near the camera: patches keep away from there, without an edge.
        layer[noise > 1 - share + 0.8 * np.exp(-r / cover.clear)] = len(layers) - 1
    if cover.steep is not None:
        layers.append(cover.steep)
        layer[(level < 0.82) & (r > 1.5)] = len(layers) - 1
    if cover.high is not None and relief.mountains[0] > 0:
        start = relief.mountains[2]
        layers.append(cover.high)
        lift = -middle[:, 1]
        high = (r > start) & (lift > 0.12 * relief.mountains[0])
        layer[high] = len(layers) - 1
        layers.append((Material((0.78, 0.80, 0.84), "snow", scale=40.0), cover.high[1]))
        jagged = cover.snow_line * (0.8 + 0.4 * relief.noise(middle[:, 0], middle[:, 2], 50.0, 3))
        layer[high & (lift > jagged)] = len(layers) - 1
    for index, (material, label) in enumerate(layers):
        chosen = layer == index
        if chosen.any():
            builder.mesh(vertices, triangles[chosen], material, label=label)


def build_water(builder: SceneBuilder, height: float, material: Material, *, reach: float = REACH) -> None:
    """A level sheet of water around the camera."""
    angle = np.arange(24) * (2 * np.pi / 24)
    radii = np.array([0.0, 30.0, 200.0, reach])
    x, z = np.outer(radii, np.sin(angle)), np.outer(radii, np.cos(angle))
    builder.mesh(*grid(np.stack([x, np.full_like(x, -height), z], -1), closed=True), material, label="water")


def build_rocks(
    rng: np.random.Generator,
    builder: SceneBuilder,
    relief: Relief,
    material: Material,
    *,
    count: int,
    near: float,
    far: float,
    largest: float,
    label: str | None = "earth",
) -> None:
    """Boulders that lie about."""
    r = near * (far / near) ** rng.uniform(0, 1, count)
    angle = rng.uniform(0, 2 * np.pi, count)
    size = np.minimum(largest * rng.beta(1, 4, count) + 0.1, 0.45 * r)
    feet = relief.on(np.stack([r * np.sin(angle), r * np.cos(angle)], 1))
    radii = size[:, None] * rng.uniform(0.6, 1.2, (count, 3)) * [1, 0.6, 1]
    builder.mesh(*blobs(feet, radii, rng.integers(0, 99, count)), material, label=label)


def winding_line(rng: np.random.Generator, *, yaw: float, side: float, reach: float, bend: float) -> Float:
    """(n, 2) points of a line past the camera, from behind to ahead, denser near the camera.

    Args:
        rng: Source of chance.
        yaw: Its direction at the camera.
        side: Metres by which it passes to the right of the camera.
        reach: Metres to either end.
        bend: Metres it strays at its ends.
    """
    t = np.sinh(np.linspace(-1, 1, 81) * np.arcsinh(reach / 4)) * 4
    ahead, back = rng.normal(0, bend, 2)
    away = side + np.where(t > 0, ahead, back) * np.clip(np.abs(t) / reach - 0.02, 0, 1) ** 1.7
    return np.stack([away * np.cos(yaw) + t * np.sin(yaw), -away * np.sin(yaw) + t * np.cos(yaw)], 1)


def build_path(
    builder: SceneBuilder,
    relief: Relief,
    line: Float,
    half_width: float,
    material: Material,
    *,
    label: str | None,
    offset: float = 0.0,
    lift: float = 0.03,
) -> None:
    """A road, a path or a painted line over the ground, laid just above it so that it does not sink in."""
    columns = offset + half_width * np.linspace(-1, 1, 2 if half_width < 0.3 else 7)
    beside = parallels(line, columns)
    x, z = beside[..., 0], beside[..., 1]
    # The ground's mesh is coarser with distance, so the path keeps more and more above it.
    above = lift + 0.006 * np.hypot(x, z)
    points = np.stack([x, -(relief.height(x, z) + above), z], axis=-1)
    builder.mesh(*grid(points), material, label=label)
