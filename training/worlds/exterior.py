"""What is seen through the windows of an interior: ground, trees, houses, sky."""

from __future__ import annotations

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.lighting import GradientSky, Sun
from training.worlds.materials import Material
from training.worlds.palette import any_colour, hsv

Rng = np.random.Generator


def build_exterior(builder: SceneBuilder, rng: Rng, radius: float) -> None:
    """Surroundings from `radius` metres on; the house may stand on any storey."""
    drop = float(rng.choice([0.15, 0.15, 3.2, 6.5, 12.0]))
    ground = Material(hsv(rng.uniform(0.15, 0.33), rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.6)), "grass/0", 2.0)
    if rng.random() < 0.4:
        ground = Material(hsv(0.1, 0.05, rng.uniform(0.4, 0.7)), "paving/0", 2.0)
    far = 150.0
    builder.horizontal_polygon([(-far, -far), (far, -far), (far, far), (-far, far)], -drop, ground, label="grass")
    trees, houses = int(rng.integers(0, 14)), int(rng.integers(0, 9))
    for _ in range(houses):
        angle, distance = rng.uniform(0, 2 * np.pi), radius + rng.uniform(8, 45)
        size = (rng.uniform(8, 20), rng.uniform(5, 20) + drop * 0.5, rng.uniform(6, 12))
        wall = Material(any_colour(rng, bright=(0.4, 0.9)), f"facade/{rng.integers(5)}", rng.uniform(8, 13))
        at = (distance * np.sin(angle), distance * np.cos(angle))
        builder.box(at, size, wall, bottom=-drop, yaw=angle + rng.normal(0, 0.3), label="building")
    for _ in range(trees):
        angle, distance = rng.uniform(0, 2 * np.pi), radius + rng.uniform(2, 30)
        x, z = distance * np.sin(angle), distance * np.cos(angle)
        crown, trunk = rng.uniform(1.0, 3.0), rng.uniform(1.0, 3.0)
        green = Material(
            hsv(rng.uniform(0.18, 0.36), rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.55)),
            f"foliage/{rng.integers(2)}",
            2.0,
        )
        builder.cylinder(
            (x, z), 0.18, trunk + 0.5, Material((0.1, 0.07, 0.05), "bark/0"), bottom=-drop, sides=7, label="tree"
        )
        for _ in range(3):
            shift = rng.normal(0, crown * 0.35, 3)
            builder.sphere(
                (x + shift[0], -drop + trunk + crown + 0.5 * shift[1], z + shift[2]),
                crown * rng.uniform(0.5, 0.9),
                green,
                label="tree",
            )


def day_sky(rng: Rng) -> tuple[GradientSky, Sun | None]:
    """Blue, hazy or grey, with the sun or without."""
    kind = rng.choice(["blue", "haze", "grey", "evening"], p=[0.4, 0.25, 0.25, 0.1])
    if kind == "grey":
        level = rng.uniform(0.35, 0.9)
        sky = GradientSky((level, level, level * 1.05), (level * 0.8, level * 0.8, level * 0.82), (0.15, 0.15, 0.13))
        return sky, None
    if kind == "evening":
        sky = GradientSky((0.1, 0.14, 0.28), (0.7, 0.4, 0.2), (0.06, 0.06, 0.06))
        colour, height = (2.2, 1.2, 0.5), rng.uniform(0.05, 0.25)
    elif kind == "haze":
        sky = GradientSky((0.35, 0.45, 0.6), (0.7, 0.72, 0.75), (0.2, 0.2, 0.18))
        colour, height = (2.2, 2.0, 1.7), rng.uniform(0.3, 1.1)
    else:
        sky = GradientSky((0.1, 0.2, 0.5), (0.4, 0.5, 0.65), (0.2, 0.2, 0.18))
        colour, height = (3.0, 2.75, 2.4), rng.uniform(0.25, 1.1)
    angle = rng.uniform(0, 2 * np.pi)
    across = np.cos(height)
    direction = (float(across * np.sin(angle)), -float(np.sin(height)), float(across * np.cos(angle)))
    return sky, Sun(direction, colour, radius=0.006)
