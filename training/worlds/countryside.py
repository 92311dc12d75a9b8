"""Open country: meadows, parks, woods, mountains, deserts, shores."""

from __future__ import annotations

import numpy as np

from training.worlds.foreground import foreground
from training.worlds.materials import Material
from training.worlds.outdoor_scene import Float, Layer, OutdoorScene, ground, tinted, water_material
from training.worlds.shapes import tubes
from training.worlds.terrain import (
    Cover,
    Relief,
    build_ground,
    build_path,
    build_rocks,
    build_water,
    winding_line,
)
from training.worlds.vegetation import bush, detail_at, far_wood, tufts


def _offset(rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.uniform()), float(rng.uniform())


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def rolling_relief(rng: np.random.Generator, *, calm: float = 1.0) -> Relief:
    """Land that is level, tilted, hilly or the top of a hill, now and then before mountains."""
    hilly, brow, mountains = rng.uniform(size=3) < [0.6, 0.25, 0.3]
    return Relief(
        offset=_offset(rng),
        tilt=(float(rng.normal(0, 0.035)) * calm, float(rng.normal(0, 0.035)) * calm),
        bumps=(_log(rng, 0.05, 0.8) * calm, float(rng.uniform(6, 20))),
        hills=(_log(rng, 3, 30) if hilly else 1.0, float(rng.uniform(70, 250)), float(rng.uniform(15, 60))),
        brow=(float(rng.uniform(0.05, 0.3)), float(rng.uniform(6, 40)), _log(rng, 4, 60)) if brow else (0, 0, 0),
        mountains=(_log(rng, 25, 220), float(rng.uniform(300, 900)), float(rng.uniform(120, 400)))
        if mountains
        else (0, 0, 0),
    )


def mountain_layer(rng: np.random.Generator) -> Layer:
    """Wooded, grassy or bare."""
    kind = rng.choice(["forest", "grass", "rock", "earth"], p=[0.45, 0.2, 0.25, 0.1])
    colour, pattern, scale = {
        "forest": ((0.04, 0.07, 0.03), "forest", 90.0),
        "grass": ((0.10, 0.13, 0.05), "mottle", 120.0),
        "rock": ((0.26, 0.24, 0.23), "rock", 120.0),
        "earth": ((0.30, 0.20, 0.13), "rock", 150.0),
    }[str(kind)]
    return Material(tinted(rng, colour, 0.2), pattern, scale=scale), "mountain"


def distant_woods(scene: OutdoorScene, relief: Relief, *, near: float, count: int, closed: float) -> None:
    """Trees from `near` to the horizon, in groves; `closed` is the share of the horizon that they cover."""
    rng = scene.rng
    spots = scene.spots(count, near, 420.0)
    angle = np.arctan2(spots[:, 0], spots[:, 1])
    wave = np.sin(angle * rng.integers(1, 4) + rng.uniform(0, 6)) + 0.7 * np.sin(angle * 5 + rng.uniform(0, 6))
    spots = spots[wave > np.quantile(wave, 1 - closed)] if len(spots) else spots
    spots = _dry(relief, spots)
    if len(spots) == 0:
        return
    heights = rng.uniform(5, 16, len(spots))
    pointed = bool(rng.uniform() < 0.2)
    far_wood(rng, scene.builder, scene.plants, relief.on(spots), heights * (0.6 if pointed else 1.0), pointed=pointed)


def _dry(relief: Relief, spots: Float) -> Float:
    """The spots that are not under water."""
    if relief.water is None or len(spots) == 0:
        return spots
    return spots[relief.height(spots[:, 0], spots[:, 1]) > relief.water + 0.3]


def undergrowth(scene: OutdoorScene, relief: Relief, count: int, near: float, far: float, *, tallest: float) -> None:
    """Bushes about the camera."""
    for foot in relief.on(_dry(relief, scene.spots(count, near, far))):
        detail = detail_at(float(np.hypot(foot[0], foot[2]))) * 0.7
        height = float(min(scene.rng.uniform(0.4, tallest), 0.35 * np.hypot(foot[0], foot[2])))
        with scene.builder.placed(foot[0], foot[2], bottom=-foot[1]):
            bush(scene.rng, scene.builder, scene.plants, height, detail)


def grass_tufts(
    scene: OutdoorScene, relief: Relief, count: int, height: float, *, main: Layer | None = None, far: float = 15.0
) -> None:
    """Standing grass near the camera, like the ground's if that is grass, else green or dry."""
    rng = scene.rng
    colour = main[0].albedo if main and main[1] == "grass" else tinted(rng, (0.12, 0.14, 0.05), 0.3)
    # Blades stand steep, so they get less of the sky than the ground that they grow from.
    r, g, b = (min(1.5 * channel, 0.9) for channel in colour)
    feet = relief.on(_dry(relief, scene.spots(count, 1.0, far)))
    tufts(rng, scene.builder, Material((r, g, b), "grain", scale=0.5), feet, height=height, label="grass")


def track(scene: OutdoorScene, relief: Relief, *, kind: str | None = None) -> None:
    """A road, a gravel track or a footpath through the land."""
    rng = scene.rng
    kind = kind or str(rng.choice(["road", "track", "path"]))
    yaw, bend = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0, 80))
    if kind == "road":
        half = float(rng.uniform(2.2, 4.0))
        side = float(rng.normal(0, 3))
        line = winding_line(rng, yaw=yaw, side=side, reach=400, bend=bend)
        material, label = ground(rng, str(rng.choice(["asphalt", "pale_asphalt"])))
        build_path(scene.builder, relief, line, half, material, label=label)
        paint = Material(tinted(rng, (0.7, 0.7, 0.66), 0.1), "mottle", scale=2.0)
        offsets = [-half + 0.25, half - 0.25] if rng.uniform() < 0.7 else []
        if rng.uniform() < 0.6:
            offsets.append(0.0)
        for offset in offsets:
            build_path(scene.builder, relief, line, 0.07, paint, label="road", offset=offset, lift=0.05)
    else:
        half = float(rng.uniform(0.5, 1.0) if kind == "path" else rng.uniform(1.2, 2.0))
        line = winding_line(rng, yaw=yaw, side=float(rng.normal(0, 2)), reach=200, bend=bend)
        material, label = ground(
            rng, str(rng.choice(["soil", "mud"] if kind == "path" else ["gravel", "soil", "sand", "mud"]))
        )
        build_path(scene.builder, relief, line, half, material, label=label)


def post_fence(scene: OutdoorScene, relief: Relief) -> None:
    """Posts with two rails or wires, in a line past the camera."""
    rng = scene.rng
    side = float(rng.uniform(3, 15)) * float(rng.choice([-1, 1]))
    line = winding_line(rng, yaw=float(rng.uniform(0, 2 * np.pi)), side=side, reach=60, bend=5)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    stops = np.arange(0, length[-1], rng.uniform(2.0, 3.5))
    posts = np.stack([np.interp(stops, length, line[:, 0]), np.interp(stops, length, line[:, 1])], 1)
    feet = relief.on(posts)
    tall = float(rng.uniform(0.9, 1.4))
    wood = Material(tinted(rng, (0.22, 0.17, 0.12), 0.3), "bark", scale=1.0)
    instance = scene.builder.new_instance()
    up = np.array([0, -tall, 0])
    thick = float(rng.uniform(0.04, 0.08))
    scene.builder.mesh(*tubes(feet - 0.2 * up, feet + up, thick, thick), wood, label="fence", instance=instance)
    rail = thick * 0.8 if rng.uniform() < 0.5 else 0.012
    for share in (0.45, 0.9):
        bars = feet + up * share
        scene.builder.mesh(*tubes(bars[:-1], bars[1:], rail, rail), wood, label="fence", instance=instance)


def meadow(scene: OutdoorScene) -> None:
    """Fields and pastures: hardly anything near, woods or hills on the horizon."""
    rng = scene.rng
    relief = rolling_relief(rng)
    names = ["grass", "lawn", "meadow", "dry_grass", "dark_grass", "crops", "soil"]
    main = "snow" if scene.snow else str(rng.choice(names, p=[0.22, 0.16, 0.2, 0.16, 0.1, 0.08, 0.08]))
    other = "snow" if scene.snow else str(rng.choice(["grass", "dry_grass", "soil", "meadow"]))
    layer = ground(rng, main)
    cover = Cover(
        main=layer,
        patches=((*ground(rng, other), float(rng.uniform(0.05, 0.4)), float(rng.uniform(15, 90))),),
        high=mountain_layer(rng),
        snow_line=float(rng.choice([30.0, 90.0, np.inf])),
        clear=8.0,
    )
    build_ground(scene.builder, relief, cover)
    distant_woods(scene, relief, near=45, count=int(rng.integers(30, 260)), closed=float(rng.uniform(0.2, 1.0)))
    kinds = list(rng.choice(["broadleaf", "conifer", "column", "pine", "bare"], 2, p=[0.45, 0.2, 0.1, 0.15, 0.1]))
    scene.plant_trees(relief, scene.spots(int(rng.integers(0, 14)), 16, 120), kinds, (5, 18), quality=0.8)
    undergrowth(scene, relief, int(rng.integers(0, 12)), 8, 60, tallest=2.5)
    if rng.uniform() < 0.6 and not scene.snow:
        grass_tufts(scene, relief, int(rng.integers(300, 2000)), _log(rng, 0.05, 0.5), main=layer)
    if rng.uniform() < 0.5:
        track(scene, relief)
    if rng.uniform() < 0.3:
        post_fence(scene, relief)
    foreground(scene, relief, fences=0.35, poles=0.2)


def forest(scene: OutdoorScene) -> None:
    """Among trunks, under a canopy."""
    rng = scene.rng
    scene.camera_height = min(scene.camera_height, 2.2)
    relief = Relief(
        offset=_offset(rng),
        tilt=(float(rng.normal(0, 0.12)), float(rng.normal(0, 0.12))),
        bumps=(_log(rng, 0.3, 2.0), float(rng.uniform(8, 25))),
        hills=(_log(rng, 2, 15), 80.0, 10.0),
    )
    main = "snow" if scene.snow else str(rng.choice(["litter", "litter", "soil", "grass", "dark_grass", "mud"]))
    other = "snow" if scene.snow else str(rng.choice(["grass", "litter", "dark_grass"]))
    patches = ((*ground(rng, other), float(rng.uniform(0.1, 0.5)), float(rng.uniform(4, 15))),)
    layer = ground(rng, main)
    build_ground(scene.builder, relief, Cover(main=layer, patches=patches), reach=250)
    kind = str(rng.choice(["pine", "broadleaf", "conifer", "mixed"], p=[0.35, 0.35, 0.15, 0.15]))
    kinds = ["pine", "broadleaf", "conifer"] if kind == "mixed" else [kind]
    dense = int(rng.integers(45, 85))
    clearing = float(rng.uniform(2.0, 7.0))
    r = np.sqrt(rng.uniform(clearing**2, rng.uniform(25, 45) ** 2, dense))
    angle = rng.uniform(0, 2 * np.pi, dense)
    spots = np.stack([r * np.sin(angle), r * np.cos(angle)], 1)
    scene.plant_trees(relief, spots, kinds, (9, 26), quality=0.1)
    if kind != "broadleaf" and rng.uniform() < 0.3:
        scene.plant_trees(relief, scene.spots(10, 6, 25), ["bare"], (4, 10), quality=0.4)
    distant_woods(scene, relief, near=32, count=220, closed=1.0)
    undergrowth(scene, relief, int(rng.integers(0, 26)), clearing * 0.8, 40, tallest=2.2)
    if rng.uniform() < 0.7 and not scene.snow:
        grass_tufts(scene, relief, int(rng.integers(200, 650)), _log(rng, 0.1, 0.5), main=layer, far=20)
    if rng.uniform() < 0.5:
        track(scene, relief, kind="path")
    if rng.uniform() < 0.4:
        rock = Material(tinted(rng, (0.2, 0.2, 0.18), 0.3), "rock", scale=2.0)
        build_rocks(rng, scene.builder, relief, rock, count=20, near=3, far=40, largest=3.0)
    foreground(scene, relief, fences=0.12, poles=0.05)


def mountains(scene: OutdoorScene) -> None:
    """On rock or grass, high up, ridges around."""
    rng = scene.rng
    relief = Relief(
        offset=_offset(rng),
        tilt=(float(rng.normal(0, 0.1)), float(rng.normal(0, 0.1))),
        bumps=(_log(rng, 0.4, 2.5), float(rng.uniform(5, 18))),
        hills=(_log(rng, 10, 60), float(rng.uniform(60, 160)), float(rng.uniform(10, 40))),
        brow=(float(rng.uniform(0.1, 0.5)), float(rng.uniform(5, 25)), _log(rng, 20, 120))
        if rng.uniform() < 0.6
        else (0, 0, 0),
        mountains=(_log(rng, 80, 420), float(rng.uniform(450, 1300)), float(rng.uniform(80, 300))),
        water=None,
    )
    if relief.brow[0] and rng.uniform() < 0.3:
        level = -0.8 * relief.brow[2]
        relief = Relief(**{**vars(relief), "water": level})
        build_water(scene.builder, level, water_material(rng))
    bare = rng.uniform() < 0.6
    main = (
        "snow"
        if scene.snow
        else str(rng.choice(["rock", "red_rock", "gravel", "soil"] if bare else ["grass", "meadow", "dry_grass"]))
    )
    cover = Cover(
        main=ground(rng, main),
        patches=(
            (*ground(rng, "snow" if scene.snow else "grass"), float(rng.uniform(0.0, 0.4)), float(rng.uniform(6, 30))),
        ),
        steep=ground(rng, "rock"),
        high=mountain_layer(rng),
        snow_line=float(rng.choice([60.0, 150.0, np.inf])),
    )
    build_ground(scene.builder, relief, cover)
    stone = Material(tinted(rng, (0.28, 0.26, 0.23), 0.3), "rock", scale=3.0)
    build_rocks(rng, scene.builder, relief, stone, count=int(rng.integers(5, 70)), near=2.5, far=90, largest=3.5)
    distant_woods(scene, relief, near=30, count=int(rng.integers(0, 250)), closed=float(rng.uniform(0.2, 0.9)))
    scene.plant_trees(relief, _dry(relief, scene.spots(int(rng.integers(0, 12)), 10, 70)), ["conifer", "pine"], (4, 15))
    undergrowth(scene, relief, int(rng.integers(0, 15)), 3, 40, tallest=1.2)
    if not bare and not scene.snow:
        grass_tufts(scene, relief, 800, _log(rng, 0.05, 0.3))
    foreground(scene, relief, fences=0.15, poles=0.1)


def desert(scene: OutdoorScene) -> None:
    """Bare ground: steppe, dry lakes, gravel pits with walls."""
    rng = scene.rng
    quarry = rng.uniform() < 0.4
    relief = rolling_relief(rng)
    if quarry:
        relief = Relief(
            offset=_offset(rng),
            bumps=(_log(rng, 0.2, 1.5), float(rng.uniform(6, 20))),
            mountains=(_log(rng, 8, 45), float(rng.uniform(35, 90)), float(rng.uniform(18, 70))),
        )
    names = ["sand", "pale_sand", "mud", "cracked", "gravel", "red_soil", "soil", "rock", "red_rock"]
    wall = Material(tinted(rng, (0.36, 0.29, 0.22), 0.25), "rock", scale=12.0)
    cover = Cover(
        main=ground(rng, str(rng.choice(names))),
        patches=(
            (
                *ground(rng, str(rng.choice(["dry_grass", "gravel", "sand", "rock"]))),
                float(rng.uniform(0, 0.35)),
                float(rng.uniform(5, 40)),
            ),
        ),
        steep=(wall, "mountain" if quarry else "earth"),
        high=(wall, "mountain") if quarry else mountain_layer(rng),
        clear=6.0,
    )
    build_ground(scene.builder, relief, cover)
    build_rocks(
        rng, scene.builder, relief, wall, count=int(rng.integers(0, 60)), near=3, far=80, largest=_log(rng, 0.3, 3)
    )
    distant_woods(scene, relief, near=60, count=int(rng.integers(0, 200)), closed=float(rng.uniform(0.1, 0.8)))
    undergrowth(scene, relief, int(rng.integers(0, 30)), 6, 70, tallest=2.0)
    if rng.uniform() < 0.3:
        scene.plant_trees(relief, scene.spots(int(rng.integers(1, 6)), 12, 70), ["broadleaf", "bare", "palm"], (4, 9))
    if rng.uniform() < 0.4:
        track(scene, relief)
    foreground(scene, relief, fences=0.12, poles=0.15)


def shore(scene: OutdoorScene) -> None:
    """A beach, a lake or the sea."""
    rng = scene.rng
    level = -float(rng.uniform(0.3, 2.0))
    towards, distance = float(rng.uniform(0, 2 * np.pi)), _log(rng, 2.5, 22)
    relief = Relief(
        offset=_offset(rng),
        tilt=(float(rng.normal(0, 0.02)), float(rng.normal(0, 0.02))),
        bumps=(_log(rng, 0.05, 0.8), float(rng.uniform(6, 20))),
        hills=(_log(rng, 3, 20), 150.0, 40.0),
        mountains=(_log(rng, 40, 250), 300.0, 250.0) if rng.uniform() < 0.5 else (0, 0, 0),
        water=level,
        shore=(towards, distance),
    )
    main = "snow" if scene.snow else str(rng.choice(["sand", "pale_sand", "gravel", "grass", "rock", "lawn"]))
    cover = Cover(
        main=ground(rng, main),
        patches=((*ground(rng, str(rng.choice(["grass", "sand", "gravel"]))), float(rng.uniform(0, 0.4)), 25.0),),
        steep=ground(rng, "rock"),
        high=mountain_layer(rng),
        clear=6.0,
    )
    build_ground(scene.builder, relief, cover)
    build_water(scene.builder, level, water_material(rng))
    stone = Material(tinted(rng, (0.25, 0.24, 0.22), 0.3), "rock", scale=2.5)
    build_rocks(rng, scene.builder, relief, stone, count=int(rng.integers(0, 50)), near=3, far=60, largest=2.0)
    distant_woods(scene, relief, near=50, count=int(rng.integers(0, 250)), closed=float(rng.uniform(0.2, 0.9)))
    kinds = list(rng.choice(["broadleaf", "palm", "pine", "column"], 2))
    scene.plant_trees(relief, _dry(relief, scene.spots(int(rng.integers(0, 10)), 9, 70)), kinds, (5, 15), quality=0.7)
    undergrowth(scene, relief, int(rng.integers(0, 15)), 4, 50, tallest=1.5)
    if rng.uniform() < 0.35:
        _jetty(scene, level, towards, 0.35 * distance - level / 0.12)
    else:
        foreground(scene, relief, fences=0.25, poles=0.15)


def _jetty(scene: OutdoorScene, level: float, towards: float, shore: float) -> None:
    """The camera stands on planks over the water, `shore` metres and more from where it was."""
    rng, builder = scene.rng, scene.builder
    scene.camera_height = min(scene.camera_height, 3.0)
    half, rise, out = float(rng.uniform(0.7, 2.0)), float(rng.uniform(0.4, 1.2)), shore + float(rng.uniform(4, 20))
    scene.camera_xz = (out * float(np.sin(towards)), out * float(np.cos(towards)))
    scene.ground_level = level + rise
    planks = Material(tinted(rng, (0.3, 0.25, 0.2), 0.4), "boards", scale=1.4)
    ahead, back = float(rng.uniform(1.5, 25)), out + 6.0
    with builder.placed(*scene.camera_xz, yaw=towards, bottom=level):
        middle = (ahead - back) / 2
        builder.box((0, middle), (2 * half, 0.15, ahead + back), planks, bottom=rise - 0.15, label="sidewalk")
        for side in (-1, 1):
            for z in np.arange(-back, ahead, float(rng.uniform(2.0, 4.0))):
                post = builder.tag("pole")
                tall = rise + 3.0 + float(rng.uniform(0.2, 1.0))
                builder.cylinder((side * half, z), 0.12, tall, planks, bottom=-3.0, sides=9, **post)
            if rng.uniform() < 0.5:
                rail = builder.tag("fence")
                for tall in (0.5, 1.0):
                    builder.box((side * half, middle), (0.06, 0.08, ahead + back), planks, bottom=rise + tall, **rail)
                for z in np.arange(-back, ahead, 1.8):
                    builder.box((side * half, float(z)), (0.09, 1.1, 0.09), planks, bottom=rise, **rail)
