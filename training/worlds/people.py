"""People, standing and walking, built from parts."""

from __future__ import annotations

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.materials import Material
from training.worlds.palette import any_colour
from training.worlds.shapes import tubes

SKIN = ((0.55, 0.33, 0.24), (0.42, 0.24, 0.16), (0.22, 0.12, 0.08), (0.62, 0.42, 0.33))
HAIR = ((0.02, 0.015, 0.012), (0.08, 0.045, 0.025), (0.25, 0.17, 0.09), (0.35, 0.34, 0.33))


def person(rng: np.random.Generator, builder: SceneBuilder) -> None:
    """Someone at the local origin, looking along local z."""
    instance = builder.new_instance()
    tall = float(rng.normal(1.7, 0.09)) if rng.uniform() < 0.9 else float(rng.uniform(1.1, 1.4))
    skin = Material(SKIN[int(rng.integers(4))])
    coat = Material(any_colour(rng, bright=(0.1, 0.9)), "fabric", scale=0.4, contrast=0.5)
    trousers = Material(any_colour(rng, bright=(0.08, 0.55)), "fabric", scale=0.4, contrast=0.5)
    stride, swing = float(rng.choice([0.03, 0.2, 0.32])), float(rng.uniform(0.02, 0.25))
    hip, shoulder = 0.5 * tall, 0.82 * tall

    def put(start: list[list[float]], end: list[list[float]], radii: tuple[float, float], material: Material) -> None:
        builder.mesh(*tubes(start, end, radii[0], radii[1], sides=7), material, label="person", instance=instance)

    legs = [[-0.09, -hip, 0], [0.09, -hip, 0]]
    knees = [[-0.09, -0.28 * tall, 0.6 * stride], [0.09, -0.28 * tall, -0.2 * stride]]
    feet = [[-0.09, -0.04, stride], [0.09, -0.04, -stride]]
    put(legs, knees, (0.095, 0.07), trousers)
    put(knees, feet, (0.07, 0.05), trousers)
    for x, z in ((-0.09, stride), (0.09, -stride)):
        builder.box((x, z + 0.05), (0.1, 0.08, 0.27), Material((0.03, 0.03, 0.03)), label="person", instance=instance)
    wide = float(rng.uniform(0.17, 0.22))
    builder.sphere((0, 0.66 * tall, 0), (wide, 0.19 * tall, 0.13), coat, label="person", instance=instance)
    builder.sphere((0, 0.54 * tall, 0), (wide * 0.95, 0.08 * tall, 0.14), coat, label="person", instance=instance)
    if rng.uniform() < 0.3:
        skirt = float(rng.uniform(0.3, 0.5)) * tall
        builder.cylinder(
            (0, 0),
            wide * 1.3,
            hip + 0.1 - skirt * 0.6,
            coat,
            bottom=skirt * 0.6,
            top_radius=wide * 0.8,
            sides=9,
            label="person",
            instance=instance,
        )
    shoulders = [[-wide, -shoulder, 0], [wide, -shoulder, 0]]
    elbows = [[-wide - 0.06, -0.63 * tall, -swing], [wide + 0.06, -0.63 * tall, swing]]
    hands = [[-wide - 0.03, -0.48 * tall, -0.5 * swing + 0.05], [wide + 0.03, -0.48 * tall, 1.6 * swing]]
    put(shoulders, elbows, (0.06, 0.05), coat)
    put(elbows, hands, (0.05, 0.04), coat)
    put([[0, -shoulder, 0]], [[0, -0.89 * tall, 0.01]], (0.05, 0.05), skin)
    builder.sphere((0, 0.93 * tall, 0.015), (0.075, 0.105, 0.09), skin, label="person", instance=instance)
    hair = Material(HAIR[int(rng.integers(4))])
    builder.sphere((0, 0.95 * tall, -0.015), (0.083, 0.095, 0.09), hair, label="person", instance=instance)
    if rng.uniform() < 0.3:
        bag = Material(any_colour(rng))
        builder.box((0, -0.19), (0.28, 0.42, 0.15), bag, bottom=0.6 * tall, label="person", instance=instance)
