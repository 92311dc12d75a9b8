"""What towns share: level ground, paving, people, and how things are put where the camera is not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.worlds.materials import Material
from training.worlds.outdoor_scene import Layer, OutdoorScene, ground, tinted
from training.worlds.palette import variant
from training.worlds.people import person
from training.worlds.terrain import Cover, Relief, build_ground

Rng = np.random.Generator

LEVEL = Relief(offset=(0.0, 0.0))


def town_ground(scene: OutdoorScene, name: str, *, label: str | None = None) -> None:
    """Level ground as far as the town goes, now and then hills behind it."""
    rng = scene.rng
    hills = (float(np.exp(rng.uniform(np.log(10), np.log(120)))), 200.0, 200.0) if rng.uniform() < 0.4 else (0, 0, 0)
    relief = Relief(offset=(float(rng.uniform()), float(rng.uniform())), mountains=hills)
    wood = Material(tinted(rng, (0.05, 0.08, 0.035), 0.3), "forest", scale=80.0)
    with scene.builder.placed(0, 0, bottom=-0.04):
        build_ground(scene.builder, relief, Cover(main=ground(rng, name, label=label), high=(wood, "mountain")))


def paving(rng: Rng, *, label: str = "sidewalk") -> tuple[Material, str]:
    """Slabs, setts, patterns or concrete for walking on."""
    name, scale = [
        ("paving", 2.4),
        ("stone_slabs", 3.0),
        ("setts", 2.0),
        ("fans", 6.0),
        ("paving", 1.6),
        ("concrete", 4.0),
        ("bricks", 1.4),
    ][int(rng.integers(7))]
    # Lighter than asphalt, which is kept for roads: the two must be told apart by their looks.
    grey = float(rng.uniform(0.24, 0.52))
    tint = tinted(rng, (grey, grey * 0.97, grey * 0.92), 0.06)
    if rng.uniform() < 0.15:
        tint = tinted(rng, (0.30, 0.14, 0.10), 0.2)
    name = name if name == "concrete" else variant(rng, name)
    return Material(tint, name, scale=scale * float(rng.uniform(0.7, 1.5)), contrast=0.8, wear=0.2), label


def is_clear(scene: OutdoorScene, x: float, z: float, distance: float) -> bool:
    """Whether a spot is so far from the camera."""
    return float(np.hypot(x - scene.camera_xz[0], z - scene.camera_xz[1])) > distance


def put(
    scene: OutdoorScene,
    thing: Callable[[OutdoorScene], None],
    x: float,
    z: float,
    *,
    yaw: float,
    clear: float,
    bottom: float = 0.0,
) -> None:
    """Some street furniture at a spot, unless the camera is too near."""
    if is_clear(scene, x, z, clear):
        with scene.builder.placed(x, z, yaw=yaw, bottom=bottom):
            thing(scene)


def people(
    scene: OutdoorScene,
    count: int,
    area: tuple[float, float, float, float],
    *,
    relief: Relief = LEVEL,
    bottom: float = 0.0,
) -> None:
    """People about (x0, x1, z0, z1), more of them near the camera."""
    rng = scene.rng
    for _ in range(count):
        x, z = float(rng.uniform(area[0], area[1])), float(rng.uniform(area[2], area[3]) * rng.uniform(0.2, 1))
        if is_clear(scene, x, z, 1.5):
            with scene.builder.placed(
                x, z, yaw=float(rng.uniform(0, 2 * np.pi)), bottom=bottom + float(relief.height(x, z))
            ):
                person(rng, scene.builder)


def flat(
    scene: OutdoorScene, x: tuple[float, float], z: tuple[float, float], layer: Layer, *, height: float = 0.0
) -> None:
    """A level rectangle."""
    material, label = layer
    corners = [[x[0], -height, z[1]], [x[1], -height, z[1]], [x[1], -height, z[0]], [x[0], -height, z[0]]]
    scene.builder.quad(corners, material, label=label)
