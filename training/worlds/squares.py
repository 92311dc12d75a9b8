"""Squares, courtyards and car parks."""

from __future__ import annotations

import numpy as np

from training.worlds import street_furniture as furniture
from training.worlds.buildings import house, random_style, tower_block
from training.worlds.foreground import foreground
from training.worlds.materials import Material
from training.worlds.outdoor_scene import Float, OutdoorScene, ground, tinted, water_material
from training.worlds.palette import variant
from training.worlds.town import LEVEL, flat, is_clear, paving, people, put, town_ground
from training.worlds.vegetation import tree
from training.worlds.vehicles import bicycle, car, car_parts


def square(scene: OutdoorScene) -> None:
    """A square or plaza: paving, houses around, something in the middle."""
    rng = scene.rng
    half_x, half_z = float(rng.uniform(14, 55)), float(rng.uniform(14, 55))
    scene.camera_xz = (float(rng.uniform(-0.5, 0.5) * half_x), float(rng.uniform(-0.5, 0.5) * half_z))
    slabs, label = paving(rng)
    town_ground(scene, str(rng.choice(["pale_asphalt", "concrete", "gravel", "lawn"])))
    flat(scene, (-half_x, half_x), (-half_z, half_z), (slabs, label))
    _surround(scene, half_x, half_z, closed=float(rng.uniform(0.5, 1.0)), floors=(2, 7))
    center = (float(rng.uniform(-0.3, 0.3) * half_x), float(rng.uniform(-0.3, 0.3) * half_z))
    kind = rng.uniform()
    if kind < 0.35:
        put(scene, furniture.monument, *center, yaw=0.0, clear=6.0)
    elif kind < 0.6:
        put(scene, lambda s: furniture.fountain(s, water_material(s.rng)), *center, yaw=0.0, clear=7.0)
    elif kind < 0.7:
        flat(scene, (center[0] - 6, center[0] + 6), (center[1] - 4, center[1] + 4), ground(rng, "lawn"), height=0.02)
    if rng.uniform() < 0.5:
        spots = [
            (x, z)
            for x in np.linspace(-0.8, 0.8, 5) * half_x
            for z in (-0.75 * half_z, 0.75 * half_z)
            if is_clear(scene, x, z, 4)
        ]
        scene.plant_trees(LEVEL, np.array(spots).reshape(-1, 2), ["broadleaf"], (5, 10), quality=0.45)
    lantern = bool(rng.uniform() < 0.6)
    for x in (-0.6 * half_x, 0.0, 0.6 * half_x):
        for z in (-0.55 * half_z, 0.55 * half_z):
            put(scene, lambda s: furniture.street_lamp(s, tall=4.2, arm=0.8, lantern=lantern), x, z, yaw=0.0, clear=2.5)
    things = [
        furniture.bench,
        furniture.bin_,
        furniture.planter,
        furniture.bollard,
        furniture.parasol_tables,
        furniture.sign,
        furniture.advertising_column,
    ]
    for _ in range(int(rng.integers(3, 18))):
        spot = rng.uniform(-0.85, 0.85, 2) * [half_x, half_z]
        thing = things[int(rng.integers(len(things)))]
        put(scene, thing, float(spot[0]), float(spot[1]), yaw=float(rng.uniform(0, 6.3)), clear=2.6)
    parts = car_parts(is_night=False)
    for _ in range(int(rng.integers(0, 7))):
        x, z = float(rng.uniform(-0.9, 0.9) * half_x), float(rng.choice([-0.88, 0.88]) * half_z)
        put(scene, lambda s: car(s.rng, s.builder, parts), x, z, yaw=np.pi / 2, clear=4.0)
    x0, _ = scene.camera_xz
    people(scene, int(rng.poisson(9)), (x0 - 18, x0 + 18, -half_z * 0.9, half_z * 0.9))
    foreground(scene, fences=0.2, poles=0.5, steps=0.4)


def _surround(scene: OutdoorScene, half_x: float, half_z: float, *, closed: float, floors: tuple[int, int]) -> None:
    """Houses around a rectangle, fronts inwards; openings where streets leave."""
    rng, builder = scene.rng, scene.builder
    usual, old, shops = int(rng.integers(*floors)), float(rng.choice([0.05, 0.5, 0.95])), float(rng.uniform(0, 0.9))
    for yaw, half, away in (
        (0.0, half_x, half_z),
        (np.pi, half_x, half_z),
        (np.pi / 2, half_z, half_x),
        (-np.pi / 2, half_z, half_x),
    ):
        with builder.placed(0, 0, yaw=yaw):
            x = -half
            while x < half - 4:
                width = min(float(rng.uniform(8, 30)), half - x)
                if width > 5 and rng.uniform() < closed:
                    with builder.placed(x + width / 2, away + float(rng.choice([0, 0, 1.0]))):
                        style = random_style(rng, is_night=scene.sky.is_night, shops=shops, old=old)
                        count = max(1, usual + int(rng.integers(-1, 2)))
                        if rng.uniform() < 0.07:
                            _temple(scene, width)
                        else:
                            house(
                                rng,
                                builder,
                                style,
                                width,
                                depth=float(rng.uniform(9, 14)),
                                floors=count,
                                freestanding=closed < 0.7,
                            )
                elif rng.uniform() < 0.5:
                    spots = np.array([[x + width / 2, away + 6], [x + width / 2 + 4, away + 15]])
                    _trees_between(scene, spots)
                x += width + (0.0 if rng.uniform() < closed else float(rng.uniform(4, 12)))
    for _ in range(int(rng.integers(0, 6))):
        angle, away = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(70, 200))
        with builder.placed(away * np.sin(angle), away * np.cos(angle), yaw=angle):
            tower_block(
                rng, builder, float(rng.uniform(14, 35)), float(rng.uniform(14, 25)), float(rng.uniform(18, 90))
            )


def _trees_between(scene: OutdoorScene, spots: Float) -> None:
    """Trees in a gap between houses, at (n, 2) points of the current frame."""
    for x, z in spots:
        place = (float(x), 0.0, float(z))
        tree(scene.rng, scene.builder, scene.plants, place, kind="broadleaf", height=9.0, distance=35.0, quality=0.6)


def _temple(scene: OutdoorScene, width: float) -> None:
    """A museum or a courthouse: steps, columns, a pediment."""
    rng, builder = scene.rng, scene.builder
    stone = Material(tinted(rng, (0.55, 0.5, 0.43), 0.15), variant(rng, "blocks"), scale=3.0, wear=0.4)
    tall, steps = float(rng.uniform(7, 12)), 7
    for step in range(steps):
        deep = 0.35 * (steps - step)
        builder.box((0, -2.5 - deep / 2), (width, 0.16 * (step + 1), deep), stone, label="stairs")
    base = 0.16 * steps
    builder.box((0, 2.5), (width, base, 10), stone, label="stairs")
    builder.box((0, 7), (width, tall, 10), stone, bottom=base, label="building")
    builder.box((0, 2.0), (width, 1.3, 9.5), stone, bottom=base + tall - 0.1, label="building")
    for x in np.linspace(-0.45, 0.45, max(4, int(width / 3))) * width:
        builder.cylinder((x, -1.7), 0.5, tall - 0.1, stone, bottom=base, top_radius=0.42, sides=14, label="column")
    peak = base + tall + 1.2
    gable = [[-width / 2, -peak, -2.7], [width / 2, -peak, -2.7], [0, -peak - width * 0.13, -2.7]]
    builder.mesh(gable, [[0, 1, 2]], stone, label="building")
    back = np.array(gable) + np.array([0, 0, 14.0])
    builder.mesh([*gable, *back], [[0, 2, 5], [0, 5, 3], [1, 2, 5], [1, 5, 4]], stone, label="building")
    door = Material(tinted(rng, (0.06, 0.08, 0.06), 0.3), "panelling", scale=2.0)
    builder.box((0, 1.98), (2.2, 4.5, 0.1), door, bottom=base, label="door", instance=builder.new_instance())


def courtyard(scene: OutdoorScene) -> None:
    """A yard between houses."""
    rng = scene.rng
    half_x, half_z = float(rng.uniform(5, 14)), float(rng.uniform(5, 14))
    scene.camera_height = min(scene.camera_height, 2.0)
    scene.camera_xz = (float(rng.uniform(-0.5, 0.5) * half_x), float(rng.uniform(-0.5, 0.5) * half_z))
    slabs, label = paving(rng)
    flat(scene, (-half_x - 3, half_x + 3), (-half_z - 3, half_z + 3), (slabs, label))
    town_ground(scene, "concrete")
    _surround(scene, half_x, half_z, closed=1.0 if rng.uniform() < 0.7 else 0.7, floors=(1, 6))
    things = [furniture.bench, furniture.bin_, furniture.planter, furniture.parasol_tables]
    for _ in range(int(rng.integers(3, 10))):
        spot = rng.uniform(-0.85, 0.85, 2) * [half_x, half_z]
        thing = things[int(rng.integers(len(things)))]
        put(scene, thing, float(spot[0]), float(spot[1]), yaw=float(rng.uniform(0, 6.3)), clear=2.2)
    parts = car_parts(is_night=False)
    for x in (-half_x + 1.5, half_x - 1.5):
        if rng.uniform() < 0.3:
            put(
                scene,
                lambda s: car(s.rng, s.builder, parts),
                x,
                float(rng.uniform(-0.5, 0.5) * half_z),
                yaw=0.0,
                clear=3.2,
            )
        if rng.uniform() < 0.4:
            put(scene, lambda s: bicycle(s.rng, s.builder, parts), x, 0.6 * half_z, yaw=0.4, clear=2.0)
    if rng.uniform() < 0.4:
        spots = np.array([[0.4 * half_x, 0.4 * half_z], [-0.5 * half_x, 0.5 * half_z]])
        spots = spots[[is_clear(scene, x, z, 3) for x, z in spots]]
        scene.plant_trees(LEVEL, spots, ["broadleaf", "column"], (4, 8), quality=0.6)
    people(scene, int(rng.poisson(1)), (-half_x, half_x, -half_z, half_z))
    foreground(scene, fences=0.2, poles=0.2, steps=0.15)


def car_park(scene: OutdoorScene) -> None:
    """Rows of cars on asphalt."""
    rng, builder = scene.rng, scene.builder
    scene.camera_xz = (float(rng.uniform(-1.5, 1.5)), 0.0)
    town_ground(scene, str(rng.choice(["lawn", "grass", "soil"])))
    asphalt, label = ground(rng, str(rng.choice(["asphalt", "asphalt", "pale_asphalt"])))
    half = float(rng.uniform(25, 60))
    flat(scene, (-half, half), (-half, half), (asphalt, label))
    white = Material(tinted(rng, (0.62, 0.62, 0.6), 0.1), "mottle", scale=1.5, contrast=0.7)
    parts = car_parts(is_night=False)
    share = float(rng.uniform(0.1, 0.9))
    for x in np.arange(-2, 3) * 16.0 + 8.5:
        for z in np.arange(-half + 4, half - 4, 2.6):
            for side in (-1, 1):
                at = float(x) + side * 2.6
                if abs(at) < half - 3:
                    stripe = [
                        [at - 2.4, -0.01, z + 1.25],
                        [at + 2.4, -0.01, z + 1.25],
                        [at + 2.4, -0.01, z + 1.36],
                        [at - 2.4, -0.01, z + 1.36],
                    ]
                    builder.quad(stripe, white, label="road")
                    if rng.uniform() < share * np.exp(-np.hypot(at, z) / 60) and is_clear(scene, at, float(z), 3.5):
                        with builder.placed(at, float(z), yaw=side * np.pi / 2):
                            car(rng, builder, parts, is_far=is_clear(scene, at, float(z), 25.0))
    for x in (-0.5 * half, 0.5 * half):
        for z in (-0.5 * half, 0.0, 0.5 * half):
            put(scene, lambda s: furniture.street_lamp(s, tall=7.0, arm=1.5), x, z, yaw=0.0, clear=2.5)
    if rng.uniform() < 0.7:
        _surround(scene, half + 6, half + 6, closed=float(rng.uniform(0.1, 0.6)), floors=(1, 6))
    spots = scene.spots(22, half + 3, half + 40)
    scene.plant_trees(LEVEL, spots, ["broadleaf", "broadleaf", "conifer"], (5, 14), quality=0.3)
    people(scene, int(rng.poisson(2)), (-12, 12, -15, 15))
    foreground(scene, fences=0.15, poles=0.45)
