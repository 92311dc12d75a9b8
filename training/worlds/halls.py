"""Large interiors: libraries of several storeys, malls, lobbies, stations, naves, glass bridges, attics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.exterior import build_exterior, day_sky
from training.worlds.galleries import Hall, build_hall
from training.worlds.hall_scene import HallScene, Rng
from training.worlds.lamps import lamp_colour
from training.worlds.lighting import GradientSky, Lighting, Rgb
from training.worlds.long_rooms import attic, glass_bridge, winter_garden
from training.worlds.materials import Material
from training.worlds.palette import Palette, floor, hsv, make_palette, variant

Vector = tuple[float, float, float]
Choices = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]

NIGHT = GradientSky((0.002, 0.003, 0.006), (0.01, 0.008, 0.006), (0.002, 0.002, 0.002))

_PLAIN: Choices = (
    ("white", "white", "concrete", "dark"),
    ("tiles", "carpet", "concrete", "plain"),
    ("white", "white", "metal"),
)
_MATERIALS: dict[str, Choices] = {
    "library": (
        ("earthy", "earthy", "white", "wood", "dark"),
        ("tiles", "wood", "stone"),
        ("earthy", "coffers", "white", "wood"),
    ),
    "mall": (("white", "white", "pastel", "earthy"), ("tiles", "tiles", "plain"), ("white", "white", "tiles")),
    "lobby": (
        ("white", "white", "concrete", "strong", "wood"),
        ("tiles", "carpet", "wood", "stone"),
        ("white", "tiles", "wood"),
    ),
    "station": (("brick", "stone", "earthy", "concrete"), ("stone", "concrete", "tiles"), ("wood", "metal", "white")),
    "nave": (("stone", "white", "earthy"), ("stone", "tiles"), ("white", "earthy", "coffers", "stone")),
    "attic": (
        ("white", "white", "wood", "earthy", "pastel"),
        ("wood", "wood", "carpet"),
        ("white", "wood", "wood", "earthy"),
    ),
}
"""Kinds of walls, floors and ceilings of a kind of interior."""


def build_large_interior(rng: Rng, *, kind: str | None = None) -> tuple[SceneBuilder, Vector, Lighting]:
    """A large interior.

    Args:
        rng: Source of chance; the same state gives the same world.
        kind: One of `KINDS`; any when None.

    Returns:
        The scene, the camera's position (x, y, z) in the ground frame (y down), and the light.
    """
    names = list(KINDS)
    weights = np.array([KINDS[name][1] for name in names])
    chosen = kind or str(rng.choice(names, p=weights / weights.sum()))
    sky, sun = day_sky(rng) if rng.random() < 0.75 else (NIGHT, None)
    warm = chosen in {"library", "nave"} and rng.random() < 0.7
    scene = HallScene(
        rng=rng,
        builder=SceneBuilder(rng),
        palette=_palette(rng, chosen),
        sky=sky,
        sun=sun,
        tint=_warm(rng) if warm else lamp_colour(rng),
    )
    radius = KINDS[chosen][0](scene)
    build_exterior(scene.builder, rng, radius + 4.0)
    x, height, z = scene.camera
    return scene.builder, (x, -height, z), scene.lighting()


def _warm(rng: Rng) -> Rgb:
    red, blue = float(rng.uniform(1.3, 1.5)), float(rng.uniform(0.3, 0.6))
    return (red, 3 - red - blue - 0.2, blue + 0.2)


def dark_wood(rng: Rng) -> Material:
    """Brown wood of old libraries."""
    tone = hsv(rng.uniform(0.04, 0.09), rng.uniform(0.45, 0.75), rng.uniform(0.2, 0.5))
    return Material(tone, variant(rng, "wood"), float(rng.uniform(0.6, 1.5)), 1.0, gloss=0.02, roughness=0.15)


def _palette(rng: Rng, kind: str) -> Palette:
    walls, floors, ceilings = _MATERIALS.get(kind, _PLAIN)
    palette = make_palette(
        rng, walls=str(rng.choice(walls)), floors=str(rng.choice(floors)), ceiling=str(rng.choice(ceilings))
    )
    if kind == "library":
        stone = Material(
            hsv(rng.uniform(0.08, 0.12), rng.uniform(0.05, 0.35), rng.uniform(0.6, 0.9)), "plaster/0", 2.0, 0.5
        )
        return replace(
            palette, wood=dark_wood(rng), wood2=dark_wood(rng), trim=stone if rng.random() < 0.6 else dark_wood(rng)
        )
    if kind in {"mall", "station", "lobby"} and rng.random() < 0.5:
        return replace(palette, floor=replace(floor(rng, "tiles"), scale=float(rng.uniform(2.0, 6.0))))
    return palette


def _sides(rng: Rng, low: float, high: float, pattern: str) -> tuple[float, float, float, float]:
    """Depths of galleries on all sides, on both long ones, or on any."""
    deep = float(rng.uniform(low, high))
    if pattern == "all":
        return (deep, deep, deep, deep)
    if pattern == "long":
        return (0.0, deep, 0.0, deep)
    first, second, third, fourth = (deep if rng.random() < 0.6 else 0.0 for _ in range(4))
    return (first, second, third, fourth)


def _hall(scene: HallScene, hall: Hall) -> float:
    build_hall(scene, hall)
    return float(np.hypot(hall.half[0] + max(hall.deep), hall.half[1] + max(hall.deep))) + 4.0


def library(scene: HallScene) -> float:
    """Galleries full of books around a reading room."""
    rng = scene.rng
    storeys = int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.14, 0.3, 0.22, 0.14, 0.1, 0.1]))
    hall = Hall(
        half=(float(rng.uniform(3.0, 8.0)), float(rng.uniform(4.0, 13.0))),
        storeys=storeys,
        storey=float(rng.uniform(2.6, 4.6)),
        deep=_sides(rng, 1.5, 4.5, str(rng.choice(["all", "all", "long", "any"]))),
        cove=float(rng.uniform(0.1, 1.8)),
        bay=float(rng.uniform(2.4, 4.5)),
        bays=(("books", "books", "books", "plain", "door", "seat"), ("books", "books", "books", "books", "window")),
        glazed=bool(rng.random() < 0.6),
        roof=str(rng.choice(["flat", "gable", "barrel"])),
        rise=float(rng.uniform(1.0, 3.5)),
        railing=str(rng.choice(["lattice", "bars", "balusters", "parapet"], p=[0.4, 0.25, 0.25, 0.1])),
        arched=bool(rng.random() < 0.4),
        wide=float(rng.uniform(0.2, 0.6)) if rng.random() < 0.9 else 0.0,
        pieces={
            "table": 4,
            "desk": 2,
            "bench": 3,
            "chair": 8,
            "low shelf": 3,
            "cabinet": 2,
            "lamp": 2,
            "person": 3,
            "rug": 1,
        },
        filling=float(rng.uniform(0.2, 0.9)),
        alcoves=bool(rng.random() < 0.35),
    )
    return _hall(scene, hall)


def mall(scene: HallScene) -> float:
    """An arcade or a mall: shops on both sides under a roof of glass."""
    rng = scene.rng
    hall = Hall(
        half=(float(rng.uniform(2.0, 7.0)), float(rng.uniform(9.0, 26.0))),
        storeys=int(rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2])),
        storey=float(rng.uniform(3.0, 5.0)),
        deep=_sides(rng, 1.8, 4.0, str(rng.choice(["all", "long", "any"]))) if rng.random() < 0.65 else (0.0,) * 4,
        cove=float(rng.uniform(0.1, 1.5)),
        bay=float(rng.uniform(3.5, 6.5)),
        bays=(("shop", "shop", "shop", "plain", "door", "seat"), ("shop", "shop", "window", "plain")),
        glazed=bool(rng.random() < 0.8),
        roof=str(rng.choice(["flat", "gable", "barrel"])),
        rise=float(rng.uniform(0.8, 3.0)),
        railing=str(rng.choice(["glass", "glass", "bars"])),
        arched=bool(rng.random() < 0.3),
        wide=float(rng.uniform(0.3, 0.8)) if rng.random() < 0.7 else 0.0,
        pieces={
            "bench": 5,
            "plant": 6,
            "person": 8,
            "counter": 1,
            "round table": 2,
            "sofa": 2,
            "boxes": 1,
        },
        filling=float(rng.uniform(0.2, 0.8)),
    )
    return _hall(scene, hall)


def lobby(scene: HallScene) -> float:
    """An atrium of offices, a hotel or a museum."""
    rng = scene.rng
    hall = Hall(
        half=(float(rng.uniform(3.0, 10.0)), float(rng.uniform(4.0, 14.0))),
        storeys=int(rng.choice([1, 2, 3, 4, 6], p=[0.35, 0.25, 0.2, 0.1, 0.1])),
        storey=float(rng.uniform(2.7, 4.2)),
        deep=_sides(rng, 1.5, 4.5, str(rng.choice(["all", "long", "any"]))),
        cove=float(rng.uniform(0.05, 1.0)),
        bay=float(rng.uniform(2.5, 5.0)),
        bays=(
            ("plain", "seat", "seat", "window", "door", "drape", "shop"),
            ("plain", "door", "window", "door", "drape"),
        ),
        glazed=bool(rng.random() < 0.5),
        roof=str(rng.choice(["flat", "flat", "gable", "barrel"])),
        rise=float(rng.uniform(0.8, 3.0)),
        railing=str(rng.choice(["glass", "bars", "parapet", "balusters"])),
        arched=bool(rng.random() < 0.15),
        wide=float(rng.uniform(0.25, 0.8)) if rng.random() < 0.8 else 0.0,
        pieces={
            "rug": 2,
            "sofa": 5,
            "armchair": 4,
            "coffee table": 3,
            "bench": 4,
            "plant": 5,
            "person": 4,
            "counter": 1,
            "partition": 1,
        },
        filling=float(rng.uniform(0.2, 0.8)),
    )
    return _hall(scene, hall)


def station(scene: HallScene) -> float:
    """A wide hall under a vault, of glass or not."""
    rng = scene.rng
    hall = Hall(
        half=(float(rng.uniform(5.0, 12.0)), float(rng.uniform(10.0, 28.0))),
        storeys=1,
        storey=float(rng.uniform(4.0, 9.0)),
        deep=_sides(rng, 3.0, 6.0, str(rng.choice(["long", "any"]))),
        cove=float(rng.uniform(0.2, 2.0)),
        bay=float(rng.uniform(4.0, 7.0)),
        bays=(("window", "plain", "shop", "door", "seat"), ("plain",)),
        glazed=bool(rng.random() < 0.6),
        roof=str(rng.choice(["gable", "barrel"])),
        rise=float(rng.uniform(2.0, 6.0)),
        railing="bars",
        arched=bool(rng.random() < 0.6),
        wide=float(rng.uniform(0.4, 1.0)),
        pieces={
            "bench": 8,
            "person": 9,
            "boxes": 3,
            "plant": 2,
            "counter": 1,
            "railing": 3,
            "rack": 3,
        },
        filling=float(rng.uniform(0.2, 0.8)),
    )
    return _hall(scene, hall)


def nave(scene: HallScene) -> float:
    """A church or a court: aisles behind arches, a vault."""
    rng = scene.rng
    hall = Hall(
        half=(float(rng.uniform(2.5, 6.0)), float(rng.uniform(7.0, 20.0))),
        storeys=int(rng.choice([1, 2], p=[0.7, 0.3])),
        storey=float(rng.uniform(4.0, 8.0)),
        deep=_sides(rng, 2.0, 4.5, "long"),
        cove=float(rng.uniform(0.5, 3.0)),
        bay=float(rng.uniform(3.0, 5.0)),
        bays=(("window", "plain", "plain", "door"), ("window", "plain")),
        glazed=bool(rng.random() < 0.08),
        roof=str(rng.choice(["barrel", "barrel", "gable", "flat"])),
        rise=float(rng.uniform(1.5, 4.0)),
        railing=str(rng.choice(["balusters", "parapet"])),
        arched=bool(rng.random() < 0.85),
        wide=float(rng.uniform(0.4, 1.0)),
        pieces={
            "pew": 24,
            "table": 1,
            "person": 3,
            "lamp": 2,
            "rug": 1,
            "railing": 2,
        },
        filling=float(rng.uniform(0.1, 0.9)),
    )
    return _hall(scene, hall)


KINDS: dict[str, tuple[Callable[[HallScene], float], float]] = {
    "library": (library, 3.5),
    "mall": (mall, 3.0),
    "lobby": (lobby, 3.0),
    "station": (station, 1.5),
    "nave": (nave, 1.2),
    "glass bridge": (glass_bridge, 2.5),
    "winter garden": (winter_garden, 1.3),
    "attic": (attic, 2.5),
}
"""Kinds of large interior: their builder, which returns how far the hall reaches, and how often each is drawn."""
