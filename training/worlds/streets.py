"""Streets and crossings."""

from __future__ import annotations

import numpy as np

from training.worlds import street_furniture as furniture
from training.worlds.buildings import house, random_style, tower_block
from training.worlds.foreground import foreground
from training.worlds.materials import Material
from training.worlds.outdoor_scene import OutdoorScene, ground, tinted
from training.worlds.palette import variant
from training.worlds.town import LEVEL, flat, is_clear, paving, people, put, town_ground
from training.worlds.vegetation import hedge
from training.worlds.vehicles import bicycle, bus, car, car_parts, lorry

FAR = 220.0


def _line(
    scene: OutdoorScene,
    x: float,
    z: tuple[float, float],
    half: float,
    material: Material,
    *,
    dashes: tuple[float, float] | None = None,
) -> None:
    """Paint along z on the road."""
    z0, z1 = z
    starts = np.array([z0]) if dashes is None else np.arange(z0, z1, dashes[0] + dashes[1])
    length = z1 - z0 if dashes is None else dashes[0]
    corners = np.empty((len(starts), 4, 3))
    corners[..., 0] = x + half * np.array([-1, 1, 1, -1])
    corners[..., 1] = -0.012
    corners[..., 2] = starts[:, None] + length * np.array([0, 0, 1, 1])
    scene.builder.quads(corners, material, label="road")


def street(scene: OutdoorScene) -> None:
    """A street between houses; one side may be a park, and there may be a crossing."""
    rng, builder = scene.rng, scene.builder
    road, walk = float(rng.uniform(2.8, 8.0)), float(rng.uniform(1.5, 5.0))
    kerb = float(rng.choice([0.02, 0.12, 0.15]))
    crossing = float(rng.choice([-1, 1]) * rng.uniform(25, 70)) if rng.uniform() < 0.7 else 0.0
    cross = float(rng.uniform(3, 7))
    place = rng.uniform()
    if place < 0.45:
        scene.camera_xz = (float(rng.uniform(-0.6, 0.6) * road), 0.0)
    else:
        scene.camera_xz = (float(rng.choice([-1, 1]) * (road + rng.uniform(0.3, 0.7) * walk)), 0.0)
    on_walk = abs(scene.camera_xz[0]) > road and not abs(crossing) < cross
    scene.ground_level = kerb if on_walk else 0.0
    town_ground(scene, str(rng.choice(["grass", "soil", "gravel", "lawn"])))
    asphalt, _ = ground(rng, str(rng.choice(["asphalt", "asphalt", "pale_asphalt"])))
    if rng.uniform() < 0.06:
        asphalt = Material(tinted(rng, (0.2, 0.19, 0.18), 0.2), variant(rng, "setts"), scale=2.0)
    flat(scene, (-road, road), (-FAR, FAR), (asphalt, "road"))
    flat(scene, (-FAR, FAR), (crossing - cross, crossing + cross), (asphalt, "road"), height=0.001)
    _markings(scene, road, crossing, cross)
    slabs, label = paving(rng)
    edge = Material(tinted(rng, (0.4, 0.39, 0.37), 0.15), "concrete", scale=2.0)
    for side in (-1, 1):
        for z0, z1 in ((-FAR, crossing - cross), (crossing + cross, FAR)):
            middle = (side * (road + walk / 2 + 0.08), (z0 + z1) / 2)
            builder.box(middle, (walk, kerb, z1 - z0), slabs, label=label)
            builder.box((side * (road + 0.07), (z0 + z1) / 2), (0.15, kerb + 0.004, z1 - z0), edge, label=label)
        park = rng.uniform() < 0.15
        _building_row(scene, side, road + walk + 0.1, crossing=crossing, cross=cross, park=park)
        _street_side(scene, side, road, walk, kerb=kerb, gap=(crossing - cross, crossing + cross))
    _traffic(scene, road, crossing)
    area = (-road - walk, road + walk, -40.0, 40.0)
    people(scene, int(rng.poisson(6)), area, bottom=kerb)
    foreground(scene, fences=0.15, poles=0.6, steps=0.1)


def _markings(scene: OutdoorScene, road: float, crossing: float, cross: float) -> None:
    rng = scene.rng
    white = Material(tinted(rng, (0.62, 0.62, 0.6), 0.1), "mottle", scale=1.5, contrast=0.7)
    spans = ((-FAR, crossing - cross - 3), (crossing + cross + 3, FAR))
    if rng.uniform() < 0.75:
        for z0, z1 in spans:
            _line(scene, 0.0, (z0, z1), 0.07, white, dashes=(3.0, 3.0) if rng.uniform() < 0.7 else None)
    if road > 5 and rng.uniform() < 0.7:
        for x in (-road / 2, road / 2):
            for z0, z1 in spans:
                _line(scene, x, (z0, z1), 0.06, white, dashes=(3.0, 4.5))
    _wear(scene, road)
    if rng.uniform() < 0.6:
        for side in (-1, 1):
            start = crossing + side * (cross + 2.0)
            for x in np.arange(-road + 0.4, road - 0.3, 1.0):
                _line(scene, float(x), (min(start, start + side * 3), max(start, start + side * 3)), 0.25, white)
    if rng.uniform() < 0.4:
        # A line beside the kerb or a bicycle lane.
        inset = float(rng.choice([0.25, 1.6]))
        if road > inset + 1.5:
            for x in (-road + inset, road - inset):
                for z0, z1 in spans:
                    _line(scene, x, (z0, z1), 0.06, white)
    if rng.uniform() < 0.15:
        steel = Material((0.3, 0.3, 0.31), gloss=0.3, roughness=0.2)
        for x in (-2.2, -0.76, 0.76, 2.2):
            _line(scene, x, (-FAR, FAR), 0.04, steel)


def _wear(scene: OutdoorScene, road: float) -> None:
    """Repairs, seams and manholes in the asphalt near the camera."""
    rng = scene.rng
    for _ in range(int(rng.integers(0, 6))):
        tar, _ = ground(rng, "asphalt")
        x, z = float(rng.uniform(-road, road) * 0.8), float(rng.normal(0, 7))
        half = min(float(rng.uniform(0.1, 1.0)), road * 0.95 - abs(x))
        _line(scene, x, (z, z + float(rng.uniform(0.5, 8))), half, tar)
    for _ in range(int(rng.integers(0, 4))):
        x, z = float(rng.uniform(-road, road) * 0.8), float(rng.normal(0, 5))
        scene.builder.cylinder((x, z), 0.33, 0.014, furniture.IRON, sides=16, label="road")


def _building_row(scene: OutdoorScene, side: int, start: float, *, crossing: float, cross: float, park: bool) -> None:
    """Houses along one side; with gaps, front gardens or, for a park, trees behind a fence."""
    rng, builder = scene.rng, scene.builder
    yaw = np.pi / 2 if side > 0 else -np.pi / 2
    if park:
        spots = np.stack([side * (start + rng.uniform(2, 40, 26)), rng.uniform(-90, 90, 26)], 1)
        scene.plant_trees(LEVEL, spots, ["broadleaf", "broadleaf", "conifer"], (6, 17), quality=0.35)
        if rng.uniform() < 0.6:
            with builder.placed(side * (start + 0.2), 0, yaw=np.pi / 2):
                furniture.railing(scene, 78.0)
        return
    garden = float(rng.uniform(2.5, 8)) if rng.uniform() < 0.2 else 0.0
    terrace = rng.uniform() < 0.8
    usual, old = int(rng.integers(2, 7)), float(rng.choice([0.1, 0.6, 0.95]))
    shops = float(rng.choice([0.0, 0.3, 0.9]))
    z = -float(rng.uniform(110, 150))
    while z < 130:
        width = float(rng.uniform(8, 26))
        middle = z + width / 2
        if abs(middle - crossing) > cross + 3 + width / 2 + 1.5:
            floors = max(1, usual + int(rng.integers(-1, 2)))
            with builder.placed(side * (start + garden), middle, yaw=yaw):
                if abs(middle) > 75:
                    tower_block(rng, builder, width, 12, floors * 3.2 + 1)
                else:
                    style = random_style(rng, is_night=scene.sky.is_night, shops=shops, old=old)
                    house(
                        rng,
                        builder,
                        style,
                        width,
                        depth=float(rng.uniform(9, 14)),
                        floors=floors,
                        freestanding=not terrace,
                    )
            if garden and abs(middle) < 60:
                with builder.placed(side * (start + 0.3), middle, yaw=yaw):
                    if rng.uniform() < 0.5:
                        hedge(
                            rng,
                            builder,
                            scene.plants,
                            (0, 0),
                            width,
                            height=float(rng.uniform(0.8, 1.8)),
                            width=0.7,
                            yaw=0.0,
                            detail=0.25,
                        )
                    else:
                        furniture.board_fence(scene, width)
        gap = 0.0 if terrace and rng.uniform() < 0.9 else float(rng.uniform(3, 15))
        z += width + gap
    for _ in range(int(rng.integers(0, 5))):
        x, z = side * float(rng.uniform(60, 160)), float(rng.uniform(-160, 160))
        with builder.placed(x, z, yaw=float(rng.choice([0, np.pi / 2]))):
            tower_block(
                rng, builder, float(rng.uniform(14, 40)), float(rng.uniform(14, 25)), float(rng.uniform(18, 80))
            )


def _street_side(
    scene: OutdoorScene, side: int, road: float, walk: float, *, kerb: float, gap: tuple[float, float]
) -> None:
    """Trees, lamps, signs, bins and parked cars of one side."""
    rng, builder = scene.rng, scene.builder
    edge = road + 0.5

    def is_free(z: float) -> bool:
        return not gap[0] - 1 < z < gap[1] + 1

    trees = rng.uniform() < 0.45
    spacing = float(rng.uniform(7, 16))
    if trees:
        rows = [
            z
            for z in np.arange(-80, 80, spacing) + rng.uniform(0, 7)
            if is_free(z) and is_clear(scene, side * edge, z, 2.5)
        ]
        kind = [str(rng.choice(["broadleaf", "broadleaf", "column", "palm", "bare"]))]
        tall = float(rng.uniform(5, 13))
        scene.plant_trees(
            LEVEL,
            np.array([[side * edge, z] for z in rows]).reshape(-1, 2),
            kind,
            (tall * 0.85, tall * 1.15),
            quality=0.45,
        )
    lantern, height = bool(rng.uniform() < 0.35), float(rng.uniform(4, 9))
    if rng.uniform() < 0.8:
        for z in np.arange(-75, 76, float(rng.uniform(18, 32))) + rng.uniform(-6, 6):
            if is_free(z) and is_clear(scene, side * edge, z, 1.5):
                with builder.placed(side * edge, float(z), yaw=-side * np.pi / 2, bottom=kerb):
                    furniture.street_lamp(scene, tall=min(height, 4.5) if lantern else height, arm=1.4, lantern=lantern)
    things = [
        furniture.sign,
        furniture.bin_,
        furniture.bollard,
        furniture.planter,
        furniture.advertising_column,
        furniture.traffic_light,
        furniture.bench,
    ]
    for _ in range(int(rng.integers(2, 12))):
        z = float(rng.uniform(-45, 45))
        if is_free(z):
            thing = things[int(rng.integers(len(things)))]
            put(scene, thing, side * edge, z, yaw=float(rng.choice([0, np.pi])), clear=1.3, bottom=kerb)
    if walk > 3 and rng.uniform() < 0.25:
        for z in np.arange(-12, 13, 3.5):
            put(scene, furniture.parasol_tables, side * (road + walk - 1.6), float(z), yaw=0.0, clear=3.0, bottom=kerb)
    if rng.uniform() < 0.7 and road > 3.2:
        parts = car_parts(is_night=False)
        z, share = -60.0, float(rng.uniform(0.2, 0.95))
        while z < 60:
            if (
                rng.uniform() < share
                and is_free(z - 3)
                and is_free(z + 3)
                and is_clear(scene, side * (road - 1.1), z, 3.2)
            ):
                with builder.placed(side * (road - 1.1), z, yaw=0.0 if side > 0 else np.pi):
                    if rng.uniform() < 0.06:
                        lorry(rng, builder, parts)
                    else:
                        car(rng, builder, parts)
            z += float(rng.uniform(5.4, 7.5))


def _traffic(scene: OutdoorScene, road: float, crossing: float) -> None:
    rng, builder = scene.rng, scene.builder
    parts = car_parts(is_night=scene.sky.is_night)
    for _ in range(int(rng.poisson(3))):
        side = float(rng.choice([-1, 1]))
        x, z = side * min(road * 0.4, 2.6), float(rng.uniform(-70, 70))
        if road > 4 and is_clear(scene, x, z, 6.5):
            with builder.placed(x, z, yaw=0.0 if side > 0 else np.pi):
                if rng.uniform() < 0.15:
                    bus(rng, builder, parts)
                else:
                    car(rng, builder, parts)
    if crossing and rng.uniform() < 0.3:
        with builder.placed(float(rng.uniform(12, 40)), crossing + 1.8, yaw=np.pi / 2):
            car(rng, builder, parts)
    if rng.uniform() < 0.3:
        put(
            scene, lambda s: bicycle(s.rng, s.builder, parts), road + 0.6, float(rng.uniform(-6, 6)), yaw=0.3, clear=1.5
        )
