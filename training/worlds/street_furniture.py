"""What stands about outdoors: lamps, signs, benches, fences, bollards, fountains. Each at the local origin."""

from __future__ import annotations

import numpy as np

from training.worlds.lighting import Lamp
from training.worlds.materials import Material
from training.worlds.outdoor_scene import OutdoorScene, tinted
from training.worlds.palette import any_colour, variant
from training.worlds.shapes import polyline_tubes, tubes
from training.worlds.vegetation import bush

IRON = Material((0.04, 0.045, 0.05), gloss=0.03, roughness=0.4)
STEEL = Material((0.42, 0.43, 0.44), gloss=0.15, roughness=0.3)


def street_lamp(scene: OutdoorScene, *, tall: float, arm: float, lantern: bool = False) -> None:
    """A lamp on a mast; its arm reaches along local z. It burns at night."""
    builder, rng = scene.builder, scene.rng
    instance = builder.new_instance()
    metal = IRON if lantern else STEEL
    builder.cylinder((0, 0), 0.09, tall, metal, top_radius=0.05, sides=8, label="pole", instance=instance)
    builder.cylinder((0, 0), 0.14, 0.8, metal, sides=8, label="pole", instance=instance)
    glow = np.array([(1.0, 0.68, 0.35), (1.0, 0.88, 0.7), (0.85, 0.93, 1.0)][int(rng.integers(3))])
    shine = glow * (8.0 if scene.sky.is_night else 0.0)
    glass = Material((0.8, 0.78, 0.74), emission=(float(shine[0]), float(shine[1]), float(shine[2])))
    reach = max(arm, 0.0)
    if lantern:
        for x in (-0.45, 0.45) if rng.uniform() < 0.4 else (0.0,):
            builder.cylinder(
                (x, 0), 0.13, 0.45, glass, bottom=tall, top_radius=0.2, sides=6, label="pole", instance=instance
            )
            builder.cylinder(
                (x, 0), 0.24, 0.2, metal, bottom=tall + 0.45, top_radius=0.03, sides=6, label="pole", instance=instance
            )
        builder.box((0, 0), (1.0, 0.06, 0.06), metal, bottom=tall - 0.06, label="pole", instance=instance)
    else:
        bow = np.array([[0, -tall, 0], [0, -tall - 0.35, 0.3 * reach], [0, -tall - 0.45, reach]])
        builder.mesh(*polyline_tubes(bow, 0.04), metal, label="pole", instance=instance)
        builder.box((0, reach), (0.28, 0.1, 0.7), metal, bottom=tall + 0.37, label="pole", instance=instance)
        builder.box((0, reach), (0.22, 0.04, 0.55), glass, bottom=tall + 0.33, label="pole", instance=instance)
    if scene.sky.is_night:
        center = builder.to_ground([0.0, -(tall - 0.15), reach])
        power = glow * float(rng.uniform(4, 16)) * (tall / 5) ** 2
        scene.lamps.append(
            Lamp(
                (float(center[0]), float(center[1]), float(center[2])),
                (float(power[0]), float(power[1]), float(power[2])),
            )
        )


def sign(scene: OutdoorScene) -> None:
    """A traffic sign, facing negative local z."""
    builder, rng = scene.builder, scene.rng
    instance = builder.new_instance()
    builder.cylinder((0, 0), 0.03, 2.9, STEEL, sides=6, label="pole", instance=instance)
    colours = ((0.5, 0.02, 0.02), (0.02, 0.08, 0.4), (0.6, 0.45, 0.02), (0.8, 0.8, 0.8))
    colour = Material(colours[int(rng.integers(4))])
    inner = Material((0.8, 0.8, 0.8))
    sides = int(rng.choice([3, 4, 12]))
    angle = np.arange(sides) * (2 * np.pi / sides) + (np.pi / 4 if sides == 4 else np.pi / 2)
    for radius, z, material in ((0.36, -0.05, colour), (0.25, -0.06, inner)):
        rim = np.stack([radius * np.cos(angle), -2.5 - radius * np.sin(angle), np.full(sides, z)], 1)
        fan = [[0, i, i + 1] for i in range(1, sides - 1)]
        builder.mesh(rim, fan, material, label="pole", instance=instance)


def traffic_light(scene: OutdoorScene) -> None:
    """Three lights on a mast, facing negative local z."""
    builder, rng = scene.builder, scene.rng
    instance = builder.new_instance()
    builder.cylinder((0, 0), 0.07, 3.4, STEEL, sides=8, label="pole", instance=instance)
    builder.box((0, -0.12), (0.3, 0.9, 0.22), IRON, bottom=2.5, label="pole", instance=instance)
    burning = int(rng.integers(3))
    for index, colour in enumerate(((0.05, 0.6, 0.2), (0.7, 0.4, 0.02), (0.8, 0.03, 0.02))):
        r, g, b = (c * (6.0 if index == burning else 0.0) for c in colour)
        lens = Material(colour, emission=(r, g, b))
        builder.box((0, -0.24), (0.2, 0.2, 0.02), lens, bottom=2.58 + 0.27 * index, label="pole", instance=instance)


def bench(scene: OutdoorScene) -> None:
    """A bench; one sits looking along negative local z."""
    builder, rng = scene.builder, scene.rng
    instance = builder.new_instance()
    wood = Material(tinted(rng, (0.2, 0.12, 0.06), 0.4), "wood", scale=0.8)
    wide = float(rng.uniform(1.4, 2.2))
    if rng.uniform() < 0.3:
        stone = Material(tinted(rng, (0.4, 0.39, 0.37), 0.2), "concrete", scale=2.0)
        builder.box((0, 0), (wide, 0.45, 0.5), stone, instance=instance)
        return
    for z in (-0.2, -0.05, 0.1):
        builder.box((0, z), (wide, 0.04, 0.12), wood, bottom=0.42, instance=instance)
    for height in (0.55, 0.72):
        builder.box((0, 0.24), (wide, 0.11, 0.03), wood, bottom=height, instance=instance)
    for x in (-0.42 * wide, 0.42 * wide):
        builder.box((x, 0), (0.06, 0.42, 0.45), IRON, instance=instance)
        builder.box((x, 0.26), (0.06, 0.9, 0.05), IRON, instance=instance)


def bin_(scene: OutdoorScene) -> None:
    """A litter bin."""
    colour = Material(any_colour(scene.rng, bright=(0.1, 0.5)))
    instance = scene.builder.new_instance()
    scene.builder.cylinder((0, 0), 0.22, 0.85, colour, top_radius=0.26, sides=10, instance=instance)


def bollard(scene: OutdoorScene) -> None:
    """A short post that keeps cars away."""
    instance = scene.builder.new_instance()
    material = IRON if scene.rng.uniform() < 0.7 else Material(tinted(scene.rng, (0.45, 0.44, 0.42)), "concrete")
    scene.builder.cylinder((0, 0), 0.08, 0.9, material, sides=8, label="pole", instance=instance)
    scene.builder.sphere((0, 0.92, 0), 0.09, material, label="pole", instance=instance)


def planter(scene: OutdoorScene) -> None:
    """A tub with a shrub."""
    rng = scene.rng
    tub = Material(tinted(rng, (0.35, 0.3, 0.26), 0.4), "concrete", scale=2.0)
    size = float(rng.uniform(0.5, 1.3))
    scene.builder.box((0, 0), (size, 0.5, size), tub, instance=scene.builder.new_instance())
    with scene.builder.placed(0, 0, bottom=0.45):
        bush(rng, scene.builder, scene.plants, size * 0.9, 0.35)


def advertising_column(scene: OutdoorScene) -> None:
    """A round column for posters."""
    builder, rng = scene.builder, scene.rng
    instance = builder.new_instance()
    paper = Material((0.8, 0.8, 0.8), variant(rng, "picture", 4), scale=1.6)
    builder.cylinder((0, 0), 0.6, 2.8, paper, sides=18, label="column", instance=instance)
    builder.cylinder((0, 0), 0.7, 0.3, IRON, bottom=2.8, top_radius=0.4, sides=18, label="column", instance=instance)


def parasol_tables(scene: OutdoorScene) -> None:
    """A table with chairs under a parasol, as cafés have outside."""
    builder, rng = scene.builder, scene.rng
    instance = builder.new_instance()
    cloth = Material(any_colour(rng, bright=(0.4, 0.98)))
    builder.cylinder((0, 0), 0.03, 2.5, IRON, sides=6, instance=instance)
    builder.cylinder((0, 0), 1.6, 0.5, cloth, bottom=2.1, top_radius=0.02, sides=8, instance=instance)
    table = Material(tinted(rng, (0.4, 0.3, 0.2), 0.4), "wood")
    builder.cylinder((0, 0), 0.4, 0.03, table, bottom=0.72, sides=12, label="table", instance=builder.new_instance())
    for angle in rng.uniform(0, 1) + np.arange(3) * 2.1:
        chair = builder.new_instance()
        with builder.placed(0.75 * np.sin(angle), 0.75 * np.cos(angle), yaw=float(angle)):
            builder.box((0, 0), (0.42, 0.04, 0.42), table, bottom=0.44, label="chair", instance=chair)
            builder.box((0, 0.2), (0.42, 0.42, 0.03), table, bottom=0.46, label="chair", instance=chair)
            for x in (-0.18, 0.18):
                for z in (-0.18, 0.18):
                    builder.box((x, z), (0.03, 0.44, 0.03), IRON, label="chair", instance=chair)


def fountain(scene: OutdoorScene, water: Material) -> None:
    """A basin with a bowl on a column."""
    builder, rng = scene.builder, scene.rng
    stone = Material(tinted(rng, (0.5, 0.46, 0.4), 0.2), variant(rng, "blocks"), scale=2.0, wear=0.4)
    radius = float(rng.uniform(1.5, 5.0))
    instance = builder.new_instance()
    for tall, wide, top in ((0.6, radius, radius), (2.2, 0.35, 0.25), (0.3, 0.3, radius * 0.4)):
        bottom = 0.0 if tall < 1 and wide == radius else (0.0 if tall > 1 else 2.1)
        builder.cylinder((0, 0), wide, tall, stone, bottom=bottom, top_radius=top, sides=20, instance=instance)
    builder.cylinder((0, 0), radius - 0.3, 0.02, water, bottom=0.6, sides=20, label="water")
    builder.sphere((0, 2.8, 0), (0.3, 0.6, 0.3), stone, instance=instance)


def monument(scene: OutdoorScene) -> None:
    """A figure on a plinth, an obelisk or a column, with steps."""
    builder, rng = scene.builder, scene.rng
    stone = Material(tinted(rng, (0.5, 0.47, 0.42), 0.25), variant(rng, "blocks"), scale=3.0, wear=0.4)
    bronze = Material(tinted(rng, (0.08, 0.12, 0.10), 0.3), gloss=0.03)
    size = float(rng.uniform(1.0, 2.5))
    for step in range(3):
        wide = size * 2 + 1.2 - 0.4 * step
        builder.box((0, 0), (wide, 0.17, wide), stone, bottom=0.17 * step, label="stairs")
    instance = builder.new_instance()
    kind = rng.integers(3)
    builder.box((0, 0), (size, size * 1.3, size), stone, bottom=0.5, instance=instance)
    builder.box((0, 0), (size * 1.2, 0.25, size * 1.2), stone, bottom=0.5 + size * 1.3, instance=instance)
    base = 0.75 + size * 1.3
    if kind == 0:
        builder.cylinder(
            (0, 0), size * 0.18, 1.3, bronze, bottom=base, top_radius=size * 0.14, sides=8, instance=instance
        )
        builder.sphere((0, base + 1.6, 0), (size * 0.24, 0.6, size * 0.18), bronze, instance=instance)
        builder.sphere((0, base + 2.4, 0), 0.2, bronze, instance=instance)
    elif kind == 1:
        builder.cylinder(
            (0, 0), size * 0.6, size * 7, stone, bottom=base, top_radius=size * 0.35, sides=4, instance=instance
        )
    else:
        builder.cylinder(
            (0, 0), size * 0.4, size * 6, stone, bottom=base, top_radius=size * 0.33, label="column", instance=instance
        )
        builder.sphere((0, base + size * 6 + 0.9, 0), (0.4, 1.0, 0.4), bronze, instance=instance)


def railing(scene: OutdoorScene, length: float, *, tall: float = 1.1, close: bool = True) -> None:
    """A metal railing along local x; `close` has upright bars, otherwise three rails."""
    builder, rng = scene.builder, scene.rng
    instance = builder.new_instance()
    metal = IRON if rng.uniform() < 0.6 else STEEL
    half = length / 2
    heights = [tall, 0.12] if close else [tall, 0.66 * tall, 0.33 * tall]
    rails = np.array([[-half, -h, 0.0] for h in heights])
    ends = rails * np.array([-1, 1, 1])
    builder.mesh(*tubes(rails, ends, 0.03, 0.03), metal, label="fence", instance=instance)
    for spacing, thick in ((2.0, 0.035), *(((0.16, 0.01),) if close and length < 80 else ())):
        x = np.arange(-half, half + 0.01, spacing)
        foot = np.stack([x, 0 * x, 0 * x], 1)
        top = np.stack([x, 0 * x - tall, 0 * x], 1)
        builder.mesh(*tubes(foot, top, thick, thick, sides=3), metal, label="fence", instance=instance)


def board_fence(scene: OutdoorScene, length: float) -> None:
    """A wooden fence or a garden wall along local x."""
    builder, rng = scene.builder, scene.rng
    instance = builder.new_instance()
    tall = float(rng.uniform(0.9, 2.0))
    if rng.uniform() < 0.4:
        stone = Material(
            tinted(rng, (0.42, 0.36, 0.3), 0.3),
            variant(rng, str(rng.choice(["bricks", "rubble", "plaster"]))),
            scale=2.0,
            wear=0.3,
        )
        builder.box((0, 0), (length, tall, 0.3), stone, label="wall", instance=instance)
        builder.box((0, 0), (length, 0.08, 0.4), stone, bottom=tall, label="wall", instance=instance)
        return
    wood = Material(tinted(rng, (0.3, 0.22, 0.15), 0.4), "boards", scale=1.4)
    builder.box((0, 0), (length, tall, 0.04), wood, bottom=0.06, label="fence", instance=instance)
    for x in np.arange(-length / 2, length / 2 + 0.1, 2.2):
        builder.box((x, 0.05), (0.1, tall + 0.12, 0.1), wood, label="fence", instance=instance)
