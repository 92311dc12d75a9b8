"""Built places that are neither street nor country: bridges, underpasses, parking decks, railways, quays."""

from __future__ import annotations

import numpy as np

from training.worlds import street_furniture as furniture
from training.worlds.buildings import tower_block
from training.worlds.countryside import distant_woods
from training.worlds.foreground import foreground
from training.worlds.lighting import Lamp
from training.worlds.materials import Material
from training.worlds.outdoor_scene import OutdoorScene, ground, tinted, water_material
from training.worlds.shapes import polyline_tubes, tubes
from training.worlds.terrain import Cover, Relief, build_ground, build_water
from training.worlds.town import LEVEL, flat, is_clear, paving, people, put, town_ground
from training.worlds.vehicles import bus, car, car_parts


def _concrete(scene: OutdoorScene) -> Material:
    grey = float(scene.rng.uniform(0.2, 0.55))
    return Material(tinted(scene.rng, (grey, grey * 0.98, grey * 0.94), 0.05), "concrete", scale=4.0, wear=0.12)


def _skyline(scene: OutdoorScene, near: float) -> None:
    rng = scene.rng
    for _ in range(int(rng.integers(0, 14))):
        angle, away = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(near, near + 150))
        with scene.builder.placed(away * np.sin(angle), away * np.cos(angle), yaw=angle, bottom=-12):
            tower_block(rng, scene.builder, float(rng.uniform(12, 40)), 15.0, float(rng.uniform(18, 70)))


def bridge(scene: OutdoorScene) -> None:
    """On a bridge: the deck is the ground, the land or the water lies deep below."""
    rng, builder = scene.rng, scene.builder
    scene.camera_height = min(scene.camera_height, 2.5)
    half, drop = float(rng.uniform(1.5, 6.0)), float(rng.uniform(5, 14))
    deck = _concrete(scene)
    carriageway = half > 3.5
    if carriageway:
        deck, _ = ground(rng, "asphalt")
    elif rng.uniform() < 0.4:
        deck, _ = paving(rng)
    length = float(rng.uniform(60, 200))
    builder.box((0, 0), (2 * half, 0.8, length), deck, bottom=-0.8, label="road" if carriageway else "sidewalk")
    if carriageway:
        white = Material(tinted(rng, (0.62, 0.62, 0.6), 0.1), "mottle", scale=1.5, contrast=0.7)
        for x, dash in ((0.0, 3.0), (-half + 0.8, length), (half - 0.8, length)):
            for z in np.arange(-length / 2, length / 2 - 0.1, 2 * dash):
                paint = np.array(
                    [[-0.07, -0.01, z], [0.07, -0.01, z], [0.07, -0.01, z + dash], [-0.07, -0.01, z + dash]]
                )
                builder.quad(paint + np.array([x, 0, 0]), white, label="road")
    scene.camera_xz = (float(rng.uniform(-0.7, 0.7) * (half - 0.7)), 0.0)
    close = bool(rng.uniform() < 0.6)
    for side in (-1, 1):
        with builder.placed(side * (half - 0.1), 0, yaw=np.pi / 2):
            if rng.uniform() < 0.2:
                builder.box((0, 0), (length, 1.0, 0.3), deck, label="wall")
            else:
                furniture.railing(scene, length, close=close)
    kind = rng.uniform()
    if kind < 0.35:
        _arches(scene, half, length)
    elif kind < 0.6:
        _truss(scene, half, length, deck)
    for z in np.arange(-length / 2 + 8, length / 2, 20.0):
        lamp = (half - 0.3, float(z))
        put(scene, lambda s: furniture.street_lamp(s, tall=4.5, arm=0.5), *lamp, yaw=-np.pi / 2, clear=1.5)
        builder.box((0, z), (half, drop, 1.5), deck, bottom=-drop - 0.8, label="column")
    _below(scene, drop)
    if half > 4:
        _traffic(scene, 1.8)
    people(scene, int(rng.poisson(3)), (-half + 0.5, half - 0.5, -30, 30))


def _steel(scene: OutdoorScene) -> Material:
    return Material(tinted(scene.rng, (0.3, 0.3, 0.3), 0.6), gloss=0.04, roughness=0.3)


def _arches(scene: OutdoorScene, half: float, length: float) -> None:
    """An arch on either side of the deck, with hangers."""
    rise = float(scene.rng.uniform(5, 14))
    steel, t = _steel(scene), np.linspace(-0.5, 0.5, 25)
    for side in (-1, 1):
        arch = np.stack(
            [0 * t + side * half, 0.3 - rise * np.maximum(np.cos(np.pi * t), 0) ** 0.8, t * length * 0.8], 1
        )
        instance = scene.builder.new_instance()
        scene.builder.mesh(*polyline_tubes(arch, 0.25, sides=8), steel, instance=instance)
        hangers = arch[2:-2]
        scene.builder.mesh(*tubes(hangers, hangers * [1, 0, 1], 0.04, 0.04), steel, instance=instance)


def _truss(scene: OutdoorScene, half: float, length: float, deck: Material) -> None:
    """Posts and diagonals along the deck; now and then a roof."""
    builder, steel = scene.builder, _steel(scene)
    panels = np.arange(-length / 2, length / 2, 4.0)
    for z in panels:
        builder.box((0, z), (2 * half, 0.25, 0.2), steel, bottom=4.0)
        for side in (-1, 1):
            builder.box((side * half, z), (0.2, 4.0, 0.2), steel, label="column")
    for side in (-1, 1):
        low = np.stack([0 * panels + side * half, 0 * panels, panels], 1)
        builder.mesh(*tubes(low, low + np.array([0, -4.0, 4.0]), 0.08, 0.08), steel, label="fence")
    if scene.rng.uniform() < 0.5:
        builder.box((0, 0), (2 * half + 0.6, 0.15, length), deck, bottom=4.2, label="ceiling")


def _below(scene: OutdoorScene, drop: float) -> None:
    """A valley with woods, a river or a road, `drop` metres below the ground of the camera."""
    rng, builder = scene.rng, scene.builder
    hills = (float(rng.uniform(4, 25)), 130.0, 50.0)
    relief = Relief(offset=(float(rng.uniform()), float(rng.uniform())), hills=hills)
    with builder.placed(0, 0, bottom=-drop):
        main = ground(rng, str(rng.choice(["grass", "lawn", "soil", "dark_grass", "pale_asphalt"])))
        build_ground(builder, relief, Cover(main=main))
        if rng.uniform() < 0.5:
            build_water(builder, 0.1, water_material(rng), reach=600)
        else:
            flat(scene, (-200, 200), (-6, 6), ground(rng, "asphalt"), height=0.1)
            parts = car_parts(is_night=scene.sky.is_night)
            for _ in range(6):
                place = (float(rng.uniform(-70, 70)), float(rng.choice([-3, 3])))
                with builder.placed(*place, yaw=np.pi / 2, bottom=0.1):
                    car(rng, builder, parts, is_far=True)
        distant_woods(scene, relief, near=25, count=int(rng.integers(50, 220)), closed=float(rng.uniform(0.4, 1.0)))
        _skyline(scene, 60)


def _traffic(scene: OutdoorScene, x: float) -> None:
    """Cars in two lanes."""
    rng, builder = scene.rng, scene.builder
    parts = car_parts(is_night=scene.sky.is_night)
    for _ in range(int(rng.poisson(3))):
        side = float(rng.choice([-1, 1]))
        z = float(rng.uniform(-60, 60))
        if is_clear(scene, side * x, z, 6.5):
            with builder.placed(side * x, z, yaw=0.0 if side > 0 else np.pi):
                if rng.uniform() < 0.15:
                    bus(rng, builder, parts)
                else:
                    car(rng, builder, parts)


def underpass(scene: OutdoorScene) -> None:
    """Below or beside one or two road bridges on piers."""
    rng, builder = scene.rng, scene.builder
    tall = float(rng.uniform(3.2, 9.0))
    scene.camera_height = min(scene.camera_height, tall - 1.2)
    concrete = _concrete(scene)
    half = float(rng.uniform(4, 12))
    has_wall = bool(rng.uniform() < 0.35)
    if has_wall or rng.uniform() < 0.5:
        scene.camera_xz = (float(rng.uniform(-0.3, 0.5) * half), 0.0)
    else:
        scene.camera_xz = (-half - float(rng.uniform(2, 10)), 0.0)
    town_ground(scene, str(rng.choice(["lawn", "gravel", "soil", "grass", "pale_asphalt"])))
    if rng.uniform() < 0.6:
        surface = ground(rng, str(rng.choice(["asphalt", "asphalt", "pale_asphalt"])))
        flat(scene, (-half, half), (-200, 200), surface)
    for index in range(1 if rng.uniform() < 0.6 else 2):
        x = index * (2 * half + float(rng.uniform(6, 20)))
        builder.box((x, 0), (2 * half, 1.2, 240), concrete, bottom=tall, label="ceiling")
        for side in (-1, 1):
            builder.box((x + side * half, 0), (0.4, 2.2, 240), concrete, bottom=tall + 0.2, label="wall")
        spacing = float(rng.uniform(10, 24))
        for z in np.arange(-110, 111, spacing) + rng.uniform(0, spacing):
            for pier in (x - 0.65 * half, x + 0.65 * half):
                if is_clear(scene, pier, float(z), 2.0):
                    builder.cylinder((pier, z), 0.6, tall, concrete, sides=12, label="column")
    if has_wall:
        builder.box((-half - 0.6, 0), (0.5, tall, 80.0), concrete, label="wall")
    spots = scene.spots(14, half + 14, 90)
    spots = spots[np.abs(spots[:, 0]) > 4 * half]
    scene.plant_trees(LEVEL, spots, ["broadleaf", "broadleaf", "conifer"], (5, 14), quality=0.3)
    parts = car_parts(is_night=False)
    for z in np.arange(-40, 41, 6.0):
        for x in (-0.35 * half, 0.35 * half):
            if rng.uniform() < 0.2 and is_clear(scene, x, float(z), 4.0):
                with builder.placed(x, float(z)):
                    car(rng, builder, parts)
    people(scene, int(rng.poisson(2)), (-half, half, -20, 20))


def parking_deck(scene: OutdoorScene) -> None:
    """A storey of a multi-storey car park: low ceiling, columns, parapets, daylight from the sides."""
    rng, builder = scene.rng, scene.builder
    tall, half_x, half_z = float(rng.uniform(2.3, 3.0)), float(rng.uniform(12, 30)), float(rng.uniform(15, 40))
    scene.camera_height = min(scene.camera_height, 1.8)
    concrete = _concrete(scene)
    surface = ground(rng, str(rng.choice(["concrete", "pale_asphalt", "concrete"])), label="floor")
    flat(scene, (-half_x, half_x), (-half_z, half_z), surface)
    builder.box((0, 0), (2 * half_x, 0.4, 2 * half_z), concrete, bottom=tall, label="ceiling")
    scene.camera_xz = (float(rng.uniform(-1, 1)), float(rng.uniform(-0.5, 0.5) * half_z))
    for side in (-1, 1):
        along, across = (1.0 if rng.uniform() < share else tall for share in (0.75, 0.6))
        builder.box((side * half_x, 0), (0.25, along, 2 * half_z), concrete, label="wall")
        builder.box((0, side * half_z), (2 * half_x, across, 0.25), concrete, label="wall")
    columns = np.arange(-half_x + 2.5, half_x, 7.5)
    for x in columns:
        for z in np.arange(-half_z + 1, half_z, 7.5):
            if is_clear(scene, x, z, 1.6):
                builder.box((x, z), (0.5, tall, 0.5), concrete, label="column")
    white = Material((0.6, 0.6, 0.58), "mottle")
    parts = car_parts(is_night=False)
    share = float(rng.uniform(0.1, 0.8))
    for x in (-half_x + 2.8, -5.6, 5.6, half_x - 2.8):
        for z in np.arange(-half_z + 2, half_z - 2, 2.5):
            stripe = np.array([[-2.3, -0.01, 1.2], [2.3, -0.01, 1.2], [2.3, -0.01, 1.3], [-2.3, -0.01, 1.3]])
            builder.quad(stripe + np.array([x, 0, z]), white, label="floor")
            is_free = np.abs(columns - x).min() > 2.6 and is_clear(scene, x, z, 3.6)
            if rng.uniform() < share and is_free:
                with builder.placed(x, z, yaw=np.pi / 2 * float(rng.choice([-1, 1]))):
                    car(rng, builder, parts, is_far=is_clear(scene, x, z, 20.0))
    tube = Material((0.9, 0.9, 0.9), emission=(3.0, 3.0, 2.8))
    for z in np.arange(-half_z + 4, half_z, 8.0):
        builder.box((0, z), (0.12, 0.06, 1.4), tube, bottom=tall - 0.06, label="lamp", instance=builder.new_instance())
        scene.lamps.append(Lamp((0.0, -(tall - 0.15), float(z)), (1.2, 1.2, 1.1), half_v=(0.0, 0.0, 0.7)))
    _below(scene, float(rng.choice([0.15, 3.0, 6.0])))


def railway(scene: OutdoorScene) -> None:
    """On a platform or beside the tracks."""
    rng, builder = scene.rng, scene.builder
    scene.camera_height = min(scene.camera_height, 2.5)
    on_platform = bool(rng.uniform() < 0.6)
    level = -float(rng.uniform(0.4, 0.95)) if on_platform else 0.0
    with builder.placed(0, 0, bottom=level):
        town_ground(scene, str(rng.choice(["grass", "gravel", "dry_grass", "soil"])))
    tracks = np.arange(int(rng.integers(1, 5))) * 4.6 + 4.0
    _tracks(scene, tracks, level)
    if on_platform:
        _platform(scene, level)
    if rng.uniform() < 0.35:
        with builder.placed(float(tracks[0]), float(rng.choice([-1, 1]) * rng.uniform(9, 40)), bottom=level + 0.25):
            bus(rng, builder, car_parts(is_night=scene.sky.is_night))
    trees = np.stack([rng.choice([-1, 1], 24) * rng.uniform(24, 60, 24), rng.uniform(-100, 100, 24)], 1)
    scene.plant_trees(LEVEL, trees, ["broadleaf", "conifer"], (5, 14), quality=0.35)
    for _ in range(int(rng.integers(0, 8))):
        x, z = float(rng.choice([-1, 1]) * rng.uniform(26, 90)), float(rng.uniform(-110, 110))
        with builder.placed(x, z, yaw=np.pi / 2 if x > 0 else -np.pi / 2, bottom=level):
            tower_block(rng, builder, float(rng.uniform(12, 40)), 12.0, float(rng.uniform(7, 35)))


def _tracks(scene: OutdoorScene, tracks: np.ndarray, level: float) -> None:
    """Ballast, sleepers, rails, masts and wires."""
    rng, builder = scene.rng, scene.builder
    ballast, label = ground(rng, "gravel")
    rust, steel = Material((0.2, 0.11, 0.07)), Material((0.35, 0.34, 0.33), gloss=0.25, roughness=0.2)
    sleeper = Material(tinted(rng, (0.2, 0.18, 0.16), 0.4), "concrete", scale=2.0)
    for x in tracks:
        builder.box((x, 0), (4.4, 0.06, 400), ballast, bottom=level, label=label)
        for z in np.arange(-45, 45, 0.65):
            builder.box((x, z), (2.6, 0.08, 0.26), sleeper, bottom=level + 0.06)
        for side in (-0.75, 0.75):
            builder.box((x + side, 0), (0.08, 0.16, 400), rust, bottom=level + 0.1)
            builder.box((x + side, 0), (0.06, 0.02, 400), steel, bottom=level + 0.26)
    if rng.uniform() < 0.7:
        mast = float(tracks[-1]) + 2.8
        z = np.arange(-180, 181, 45.0) + 10
        foot = np.stack([0 * z + mast, 0 * z - level, z], 1)
        top = foot - np.array([0, 7.0, 0])
        arms = top + np.array([-(mast - 3.0), 1.2, 0])
        builder.mesh(*tubes(foot, top, 0.14, 0.1, sides=6), furniture.STEEL, label="pole")
        builder.mesh(*tubes(top + np.array([0, 0.7, 0]), arms, 0.05, 0.05), furniture.STEEL, label="pole")
        for x in tracks:
            wire = np.array([[x, -level - 5.6, -200], [x, -level - 5.6, 200]])
            builder.mesh(*polyline_tubes(wire, 0.03, sides=3), furniture.IRON)


def _platform(scene: OutdoorScene, level: float) -> None:
    rng, builder = scene.rng, scene.builder
    slabs, label = paving(rng)
    builder.box((-1.2, 0), (6.0, -level, 180), slabs, bottom=level, label=label)
    builder.box((1.1, 0), (0.15, 0.01, 180), Material((0.7, 0.7, 0.68)), label=label)
    scene.camera_xz = (float(rng.uniform(-2.6, 0.8)), 0.0)
    things = [furniture.bench, furniture.bin_, furniture.sign, furniture.planter]
    for _ in range(int(rng.integers(2, 7))):
        thing = things[int(rng.integers(4))]
        put(scene, thing, -2.9, float(rng.uniform(-20, 20)), yaw=-np.pi / 2, clear=1.5)
    if rng.uniform() < 0.4:
        builder.box((-1.5, 8), (5.0, 0.25, 50), _concrete(scene), bottom=3.6, label="ceiling")
        for z in np.arange(-15, 32, 6.0):
            if is_clear(scene, -1.5, float(z), 1.0):
                builder.cylinder((-1.5, z), 0.12, 3.6, furniture.STEEL, sides=8, label="column")
    people(scene, int(rng.poisson(4)), (-3.5, 0.5, -30, 30))


def quay(scene: OutdoorScene) -> None:
    """A paved bank, water beside it, a town on the other side or the open sea."""
    rng, builder = scene.rng, scene.builder
    scene.camera_height = min(scene.camera_height, 6.0)
    drop, width = float(rng.uniform(0.6, 2.5)), float(rng.choice([30.0, 60.0, 400.0]))
    edge, back = float(np.exp(rng.uniform(np.log(0.8), np.log(8)))), float(rng.uniform(10, 40))
    slabs, label = paving(rng)
    builder.box(((edge - back) / 2, 0), (edge + back, drop + 1, 500), slabs, bottom=-drop - 1, label=label)
    build_water(builder, -drop, water_material(rng), reach=600)
    stone = _concrete(scene)
    builder.box((edge - 0.2, 0), (0.5, 0.12, 500), stone, label=label)
    if rng.uniform() < 0.6:
        with builder.placed(edge - 0.3, 0, yaw=np.pi / 2):
            furniture.railing(scene, 78.0, close=bool(rng.uniform() < 0.5))
    if width < 300:
        builder.box((edge + width + 60, 0), (120, drop + 1.5, 500), stone, bottom=-drop - 1, label="wall")
        for _ in range(16):
            x, z = edge + width + float(rng.uniform(8, 40)), float(rng.uniform(-130, 130))
            with builder.placed(x, z, yaw=np.pi / 2):
                tower_block(rng, builder, float(rng.uniform(10, 35)), 12.0, float(rng.uniform(8, 30)))
        trees = np.stack([edge + width + rng.uniform(3, 8, 24), rng.uniform(-110, 110, 24)], 1)
        scene.plant_trees(LEVEL, trees, ["broadleaf"], (6, 12), quality=0.3)
    start = -130.0
    while start < 130 and back < 30:
        size = float(rng.uniform(10, 26))
        if rng.uniform() < 0.8:
            with builder.placed(-back, start + size / 2, yaw=-np.pi / 2):
                tower_block(rng, builder, size, 12.0, float(rng.uniform(8, 25)))
        start += size
    lantern = bool(rng.uniform() < 0.5)
    for z in np.arange(-60, 61, 15.0):
        lamp = (edge - 1.0, float(z))
        put(scene, lambda s: furniture.street_lamp(s, tall=4.5, arm=0.6, lantern=lantern), *lamp, yaw=1.57, clear=1.5)
    if rng.uniform() < 0.6:
        trees = np.stack([np.full(10, -back * 0.6), np.arange(-50, 50, 10.0)], 1)
        trees = trees[[is_clear(scene, x, z, 3.0) for x, z in trees]]
        scene.plant_trees(LEVEL, trees, ["broadleaf", "palm"], (5, 10), quality=0.45)
    things = [furniture.bench, furniture.bin_, furniture.bollard, furniture.planter, furniture.parasol_tables]
    for _ in range(int(rng.integers(3, 14))):
        x, z = float(rng.uniform(-back * 0.8, edge - 0.8)), float(rng.uniform(-25, 25))
        put(scene, things[int(rng.integers(5))], x, z, yaw=np.pi / 2, clear=2.2)
    people(scene, int(rng.poisson(5)), (-back * 0.7, edge - 0.8, -30, 30))
    foreground(scene, fences=0.2, poles=0.5, steps=0.15)
