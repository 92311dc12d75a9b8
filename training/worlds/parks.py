"""Parks, gardens and golf-like lawns; houses among gardens."""

from __future__ import annotations

import numpy as np

from training.worlds import street_furniture as furniture
from training.worlds.buildings import house, random_style, tower_block
from training.worlds.countryside import distant_woods, grass_tufts, undergrowth
from training.worlds.foreground import foreground
from training.worlds.materials import Material
from training.worlds.outdoor_scene import OutdoorScene, ground, tinted, water_material
from training.worlds.palette import any_colour
from training.worlds.shapes import tubes
from training.worlds.terrain import Cover, Relief, build_ground, build_path, build_rocks, winding_line
from training.worlds.town import paving, people, put
from training.worlds.vegetation import hedge
from training.worlds.vehicles import car, car_parts


def _lawn(scene: OutdoorScene, *, rough: float) -> Relief:
    """Lawn with gentle undulations; returns its relief."""
    rng = scene.rng
    relief = Relief(
        offset=(float(rng.uniform()), float(rng.uniform())),
        tilt=(float(rng.normal(0, 0.02)), float(rng.normal(0, 0.02))),
        bumps=(float(rng.uniform(0.05, 0.6)) * rough, float(rng.uniform(15, 40))),
        hills=(float(rng.uniform(0, 8)) * rough, 120.0, 25.0),
    )
    main = "snow" if scene.snow else str(rng.choice(["lawn", "grass", "meadow", "dry_grass"], p=[0.5, 0.3, 0.1, 0.1]))
    layer = ground(rng, main)
    other = ground(rng, "snow" if scene.snow else str(rng.choice(["grass", "soil", "litter", "dry_grass"])))
    build_ground(scene.builder, relief, Cover(main=layer, patches=((*other, float(rng.uniform(0, 0.3)), 20.0),)))
    if rng.uniform() < 0.35 and not scene.snow:
        grass_tufts(scene, relief, int(rng.integers(200, 900)), float(rng.uniform(0.05, 0.2)), main=layer)
    return relief


def park(scene: OutdoorScene) -> None:
    """Lawn, paths, trees of several kinds, benches, lamps, a pond or a playground, the town behind."""
    rng, builder = scene.rng, scene.builder
    scene.camera_height = min(scene.camera_height, 3.0)
    relief = _lawn(scene, rough=1.0)
    loose = ground(rng, str(rng.choice(["gravel", "sand", "soil", "pale_asphalt"])))
    walk, label = loose if rng.uniform() < 0.5 else paving(rng)
    half = float(rng.uniform(0.9, 2.6))
    yaw = float(rng.uniform(0, 2 * np.pi))
    sides = [float(rng.normal(0, 2))] + ([float(rng.uniform(6, 25))] if rng.uniform() < 0.5 else [])
    for index, side in enumerate(sides):
        turn = yaw + index * float(rng.uniform(0.5, 1.6))
        line = winding_line(rng, yaw=turn, side=side, reach=120, bend=float(rng.uniform(0, 30)))
        build_path(builder, relief, line, half, walk, label=label, lift=0.02 + 0.01 * index)
        things = [furniture.bench, furniture.bench, furniture.bin_, furniture.sign]
        for step in range(10, 71, 5):
            if rng.uniform() < 0.45:
                along = line[min(step, 79) + 1] - line[min(step, 79) - 1]
                right = np.array([along[1], -along[0]]) / np.linalg.norm(along)
                spot = line[step] + right * (half + 0.7) * float(rng.choice([-1, 1]))
                heading = float(np.arctan2(along[0], along[1])) + float(rng.choice([-1, 1])) * np.pi / 2
                bottom = float(relief.height(spot[0], spot[1]))
                lamp = rng.uniform() < 0.35
                thing = things[int(rng.integers(4))]
                put(
                    scene,
                    (lambda s: furniture.street_lamp(s, tall=4.0, arm=0.0, lantern=True)) if lamp else thing,
                    float(spot[0]),
                    float(spot[1]),
                    yaw=heading,
                    clear=1.6,
                    bottom=bottom,
                )
    kinds = list(rng.choice(["broadleaf", "broadleaf", "broadleaf", "conifer", "column", "pine", "palm"], 3))
    scene.plant_trees(relief, scene.spots(int(rng.integers(6, 26)), 5, 80), kinds, (5, 18), quality=0.45)
    distant_woods(scene, relief, near=50, count=int(rng.integers(40, 200)), closed=float(rng.uniform(0.3, 1.0)))
    undergrowth(scene, relief, int(rng.integers(0, 16)), 4, 45, tallest=2.0)
    for _ in range(int(rng.integers(0, 4))):
        spot = scene.spots(1, 7, 30)[0]
        bottom = float(relief.height(spot[0], spot[1])) - 0.2
        hedge(
            rng, builder, scene.plants, (float(spot[0]), float(spot[1])), float(rng.uniform(3, 14)),
            height=float(rng.uniform(0.8, 2.2)), width=float(rng.uniform(0.5, 1.2)), yaw=yaw, detail=0.4, bottom=bottom,
        )  # fmt: skip
    feature = rng.uniform()
    spot = scene.spots(1, 9, 25)[0]
    if feature < 0.35:
        spot = scene.spots(1, 5, 14)[0]
    with builder.placed(float(spot[0]), float(spot[1]), bottom=float(relief.height(spot[0], spot[1]))):
        if feature < 0.35:
            _pond(scene, 0.78 * float(np.hypot(*spot)) - 0.8)
        elif feature < 0.5:
            _playground(scene)
        elif feature < 0.6:
            furniture.monument(scene)
    _skyline(scene, relief)
    people(scene, int(rng.poisson(4)), (-25, 25, -25, 25), relief=relief)
    foreground(scene, relief, fences=0.35, poles=0.4, steps=0.2)


def _pond(scene: OutdoorScene, largest: float) -> None:
    """A pond of at most such a radius before its banks wind."""
    rng, builder = scene.rng, scene.builder
    radius = largest * float(rng.uniform(0.6, 1.0))
    angle = np.arange(24) * (2 * np.pi / 24)
    wave = radius * (1 + 0.2 * np.sin(2 * angle + rng.uniform(0, 6)) + 0.1 * np.sin(3 * angle))
    outline = np.stack([wave * np.sin(angle), wave * np.cos(angle)], 1)
    builder.horizontal_polygon(outline, 0.12, water_material(rng), label="water")
    rim = np.stack([outline[:, 0], 0 * angle - 0.12, outline[:, 1]], 1)
    stone = Material(tinted(rng, (0.3, 0.29, 0.27), 0.2), "rock", scale=1.0)
    builder.mesh(*tubes(rim, np.roll(rim, -1, 0), 0.25, 0.25, sides=5), stone, label="earth")


def _playground(scene: OutdoorScene) -> None:
    """A sand pit with a swing, a slide and a climbing frame."""
    rng, builder = scene.rng, scene.builder
    sand, label = ground(rng, "sand")
    builder.box((0, 0), (9, 0.08, 8), sand, label=label)
    pole, second = (Material(any_colour(rng, bright=(0.4, 0.95)), gloss=0.04) for _ in range(2))
    instance = builder.new_instance()
    start = np.array([[-3.2, 0, -0.9], [-3.2, 0, 0.9], [-0.2, 0, -0.9], [-0.2, 0, 0.9], [-3.2, -2.3, 0]])
    end = np.array([[-3.2, -2.3, 0], [-3.2, -2.3, 0], [-0.2, -2.3, 0], [-0.2, -2.3, 0], [-0.2, -2.3, 0]])
    builder.mesh(*tubes(start, end, 0.06, 0.06, sides=6), pole, instance=instance)
    for x in (-2.4, -1.1):
        ropes = np.array([[x - 0.2, -2.3, 0], [x + 0.2, -2.3, 0]])
        builder.mesh(*tubes(ropes, ropes + np.array([0, 1.8, 0.1]), 0.012, 0.012, sides=3), pole, instance=instance)
        builder.box((x, 0.1), (0.45, 0.04, 0.2), second, bottom=0.5, instance=instance)
    slide = builder.new_instance()
    builder.quad([[1.5, -1.6, -1.5], [2.1, -1.6, -1.5], [2.1, -0.2, 1.5], [1.5, -0.2, 1.5]], second, instance=slide)
    builder.box((1.8, -2.0), (0.9, 0.08, 0.9), second, bottom=1.55, instance=slide)
    for x in (1.4, 2.2):
        for z in (-2.4, -1.6):
            builder.box((x, z), (0.08, 2.5, 0.08), pole, instance=slide)
    builder.box((1.8, -2.0), (1.1, 0.1, 1.1), pole, bottom=2.5, instance=slide)


def _skyline(scene: OutdoorScene, relief: Relief) -> None:
    """The town around a park."""
    rng, builder = scene.rng, scene.builder
    for _ in range(int(rng.choice([0, 4, 14], p=[0.35, 0.35, 0.3]))):
        angle, away = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(65, 200))
        x, z = away * float(np.sin(angle)), away * float(np.cos(angle))
        with builder.placed(x, z, yaw=angle, bottom=float(relief.height(x, z)) - 1):
            tall = float(rng.uniform(7, 30) if rng.uniform() < 0.8 else rng.uniform(30, 90))
            tower_block(rng, builder, float(rng.uniform(12, 40)), float(rng.uniform(10, 18)), tall)


def lawn(scene: OutdoorScene) -> None:
    """A wide mown lawn, a golf course or a playing field: little else."""
    rng, builder = scene.rng, scene.builder
    relief = _lawn(scene, rough=1.5)
    distant_woods(scene, relief, near=60, count=int(rng.integers(60, 260)), closed=float(rng.uniform(0.3, 1.0)))
    scene.plant_trees(relief, scene.spots(int(rng.integers(0, 7)), 25, 120), ["broadleaf", "conifer"], (6, 16))
    sand, label = ground(rng, "sand")
    for _ in range(int(rng.integers(0, 3))):
        spot = scene.spots(1, 12, 60)[0]
        angle = np.arange(20) * (2 * np.pi / 20)
        wave = float(rng.uniform(2.5, 6)) * (1 + 0.25 * np.sin(2 * angle + 1))
        outline = spot + np.stack([wave * np.sin(angle), wave * np.cos(angle)], 1)
        builder.horizontal_polygon(outline, float(relief.height(*spot)) + 0.1, sand, label=label)
    _skyline(scene, relief)
    if rng.uniform() < 0.3:
        white = Material((0.8, 0.8, 0.8))
        spot = scene.spots(1, 15, 45)[0]
        frame = np.array([[-3.6, 0, 0], [3.6, 0, 0], [-3.6, -2.4, 0]])
        with builder.placed(*spot, yaw=float(rng.uniform(0, 6)), bottom=float(relief.height(*spot))):
            ends = np.array([[-3.6, -2.4, 0], [3.6, -2.4, 0], [3.6, -2.4, 0]])
            builder.mesh(*tubes(frame, ends, 0.06, 0.06, sides=6), white, instance=builder.new_instance())
    people(scene, int(rng.poisson(1)), (-30, 30, -30, 30), relief=relief)
    foreground(scene, relief, fences=0.35, poles=0.2)


def suburb(scene: OutdoorScene) -> None:
    """In a garden or a front yard among small houses."""
    rng, builder = scene.rng, scene.builder
    scene.camera_height = min(scene.camera_height, 3.0)
    relief = _lawn(scene, rough=0.3)
    for index in range(int(rng.integers(3, 9))):
        angle = float(rng.uniform(0, 2 * np.pi)) if index else 0.3
        away = float(rng.uniform(9, 16)) if index == 0 else float(rng.uniform(20, 90))
        x, z = away * float(np.sin(angle)), away * float(np.cos(angle))
        width, depth = float(rng.uniform(8, 14)), float(rng.uniform(7, 10))
        style = random_style(rng, is_night=scene.sky.is_night, shops=0.0, old=0.8)
        with builder.placed(x, z, yaw=angle + float(rng.normal(0, 0.2)), bottom=float(relief.height(x, z)) - 0.1):
            house(rng, builder, style, width, depth=depth, floors=int(rng.integers(1, 4)), freestanding=True)
            if rng.uniform() < 0.5 and away > 14:
                with builder.placed(width / 2 + 1.8, 1.0, bottom=0.15):
                    car(rng, builder, car_parts(is_night=False), is_far=away > 40)
    for _ in range(int(rng.integers(2, 6))):
        angle, away = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(4, 9))
        x, z = away * float(np.sin(angle)), away * float(np.cos(angle))
        length = float(rng.uniform(4, 12))
        with builder.placed(x, z, yaw=angle, bottom=float(relief.height(x, z)) - 0.15):
            if rng.uniform() < 0.5:
                furniture.board_fence(scene, length)
            else:
                tall = float(rng.uniform(0.8, 2.2))
                hedge(rng, builder, scene.plants, (0, 0), length, height=tall, width=0.7, yaw=0.0, detail=0.5)
    scene.plant_trees(
        relief, scene.spots(int(rng.integers(4, 18)), 4, 70), ["broadleaf", "conifer", "column"], (3, 11), quality=0.4
    )
    undergrowth(scene, relief, int(rng.integers(3, 16)), 3, 25, tallest=1.6)
    terrace, label = paving(rng)
    if rng.uniform() < 0.6:
        line = winding_line(rng, yaw=float(rng.uniform(0, 6)), side=float(rng.normal(0, 1)), reach=15, bend=3)
        build_path(builder, relief, line, float(rng.uniform(0.5, 1.8)), terrace, label=label)
    for thing in (furniture.parasol_tables, furniture.planter, furniture.bench):
        spot = scene.spots(1, 2.5, 8)[0]
        x, z = float(spot[0]), float(spot[1])
        if rng.uniform() < 0.6:
            put(scene, thing, x, z, yaw=float(rng.uniform(0, 6)), clear=2.3, bottom=float(relief.height(x, z)))
    if rng.uniform() < 0.3:
        stone = Material(tinted(rng, (0.3, 0.29, 0.27), 0.2), "rock", scale=1.0)
        build_rocks(rng, builder, relief, stone, count=14, near=2.5, far=12, largest=0.8)
    distant_woods(scene, relief, near=50, count=150, closed=float(rng.uniform(0.5, 1.0)))
    people(scene, int(rng.poisson(1)), (-8, 8, -8, 8), relief=relief)
    foreground(scene, relief, fences=0.5, poles=0.25, steps=0.1)
