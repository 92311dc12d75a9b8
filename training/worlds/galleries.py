"""Halls of several storeys: a void under a roof, galleries around it with balustrades, columns, arches and bays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.worlds.bookshelves import double_stack
from training.worlds.glass_roofs import closed_roof, gable, glass_roof
from training.worlds.hall_bays import BAYS
from training.worlds.hall_scene import HallScene, arch, balustrade, column, slab
from training.worlds.lighting import Lamp
from training.worlds.materials import triple
from training.worlds.room_parts import stairs

WALL = 0.3


@dataclass(frozen=True)
class Hall:
    """The shape of a hall.

    Attributes:
        half: Half sides of the void along x and z.
        storeys: How many.
        storey: Height of one.
        deep: Depth of the galleries per side (z+, x+, z-, x-); 0 without.
        cove: Metres from the last gallery's ceiling to the edge of the roof.
        bay: Wished width of a bay.
        bays: Kinds of `hall_bays.BAYS` on the ground floor and above it.
        glazed: Whether the roof is of glass.
        roof: One of `glass_roofs.SHAPES`.
        rise: Of the roof.
        railing: Kind of `hall_scene.balustrade`.
        arched: Whether arches stand between the columns.
        wide: Of the columns; 0 without any.
        pieces: What stands on the ground floor, with the most of each.
        filling: Share of it that is there.
        alcoves: Whether shelves stand across the galleries.
    """

    half: tuple[float, float]
    storeys: int
    storey: float
    deep: tuple[float, float, float, float]
    cove: float
    bay: float
    bays: tuple[tuple[str, ...], tuple[str, ...]]
    glazed: bool
    roof: str
    rise: float
    railing: str
    arched: bool
    wide: float
    pieces: dict[str, int]
    filling: float
    alcoves: bool = False

    @property
    def top(self) -> float:
        """Height of the last ceiling."""
        return self.storeys * self.storey


def build_hall(scene: HallScene, hall: Hall) -> None:
    """Build it, choose the camera's place and light it."""
    _place_camera(scene, hall)
    floor = scene.palette.floor
    reach = [hall.half[axis] + max(hall.deep) + 1.0 for axis in (0, 1)]
    outline = [[-reach[0], -reach[1]], [reach[0], -reach[1]], [reach[0], reach[1]], [-reach[0], reach[1]]]
    scene.builder.horizontal_polygon(outline, 0.0, floor, label="floor")
    lit = not scene.day or scene.rng.random() < 0.75
    power = float(np.exp(scene.rng.uniform(np.log(0.03), np.log(0.35))))
    round_ = bool(scene.rng.random() < 0.6)
    for side in range(4):
        _side(scene, hall, side, round_=round_, power=power if lit else 0.0)
    _roof(scene, hall)
    if lit and not hall.glazed:
        height = hall.top + hall.cove - 0.3
        for z in (-0.5 * hall.half[1], 0.5 * hall.half[1]):
            area = 2 * hall.half[0] * hall.half[1]
            scene.line_lamp((-0.5 * hall.half[0], 0.5 * hall.half[0]), (z, z), height, power * area, down=False)
    _staircase(scene, hall)
    (x, z), (clear_x, clear_z) = hall.half, (0.5, 0.5)
    scene.furnish((-x + clear_x, x - clear_x), (-z + clear_z, z - clear_z), hall.pieces, filling=hall.filling)


def _frame(hall: Hall, side: int) -> tuple[float, float, float, float, float]:
    """Of a side: half length, distance, depth of its gallery, and how far it reaches to the left and right."""
    half, away = (hall.half[0], hall.half[1]) if side % 2 == 0 else (hall.half[1], hall.half[0])
    left, right = hall.deep[(side - 1) % 4], hall.deep[(side + 1) % 4]
    return half, away, hall.deep[side], half + left, half + right


def _place_camera(scene: HallScene, hall: Hall) -> None:
    rng, eye = scene.rng, scene.eye()
    sides = [side for side in range(4) if hall.deep[side] > 1.3]
    kind = rng.random()
    if sides and kind < 0.55:
        side = int(rng.choice(sides))
        half, away, deep, _, _ = _frame(hall, side)
        storey = int(rng.integers(1, hall.storeys)) if hall.storeys > 1 and kind < 0.4 else 0
        # Between the columns and what stands at the wall.
        across = away + (0.75 if hall.wide else 0.45) + float(rng.uniform(0.0, max(deep - 1.55, 0.02)))
        if hall.alcoves:
            across = away + min(0.75, deep * 0.45)
        with scene.builder.placed(0, 0, yaw=side * np.pi / 2):
            place = scene.builder.to_ground([float(rng.uniform(-0.7, 0.7)) * half, 0.0, across])
        scene.camera = (float(place[0]), storey * hall.storey + eye, float(place[2]))
    else:
        x, z = (float(rng.uniform(-0.75, 0.75)) * max(half - 0.8, 0.1) for half in hall.half)
        scene.camera = (x, eye, z)


def _side(scene: HallScene, hall: Hall, side: int, *, round_: bool, power: float) -> None:
    builder = scene.builder
    half, away, deep, left, right = _frame(hall, side)
    count = max(1, round(2 * half / hall.bay))
    pitch = 2 * half / count
    # A gallery's corners belong to the sides along x.
    start, end = (-left, right) if side % 2 == 0 else (-half, half)
    with builder.placed(0, 0, yaw=side * np.pi / 2):
        glass = _wall(scene, hall, side)
        if deep > 0:
            for storey in range(1, hall.storeys):
                level = storey * hall.storey
                slab(scene, (start, end), (away, away + deep), level, 0.35)
                builder.box(
                    (0, away + 0.1), (2 * half, 0.45, 0.2), scene.palette.trim, bottom=level - 0.4, label="wall"
                )
                with builder.placed(0, away + 0.12, bottom=level):
                    balustrade(scene, 2 * half, hall.railing, near=abs(level - scene.camera[1]) < 5)
            ceiling = [[start, away], [end, away], [end, away + deep], [start, away + deep]]
            builder.horizontal_polygon(ceiling, hall.top, scene.palette.ceiling, label="ceiling")
            for storey in range(hall.storeys):
                _colonnade(scene, hall, storey, count, pitch, away, round_=round_)
                if power:
                    _gallery_lamps(scene, hall, storey, (start, end), away + deep / 2, power * deep)
        builder.box(
            (0, away + 0.15),
            (2 * half + 0.6, hall.cove + 0.13, 0.3),
            scene.palette.wall,
            bottom=hall.top - 0.03,
            label="wall",
        )
        if scene.day and glass > 0:
            middle = builder.to_ground([[0, -hall.top / 2, away + deep - 0.05], [0, -hall.top / 2, away + deep - 1.05]])
            ends = builder.to_ground(
                [[half, -hall.top / 2, away + deep - 0.05], [0, -hall.top * 0.95, away + deep - 0.05]]
            )
            colour = triple(
                glass * (0.5 * low + 0.3 * up) for low, up in zip(scene.sky.horizon, scene.sky.zenith, strict=True)
            )
            half_u, half_v = triple(ends[0] - middle[0]), triple(ends[1] - middle[0])
            scene.lamps.append(Lamp(triple(middle[0]), colour, half_u, half_v, triple(middle[1] - middle[0])))


def _wall(scene: HallScene, hall: Hall, side: int) -> float:
    """The outer wall of a side, storey by storey and bay by bay; returns its glazed area."""
    rng, builder = scene.rng, scene.builder
    _, away, deep, left, right = _frame(hall, side)
    count = max(1, round((left + right) / hall.bay))
    pitch, glass = (left + right) / count, 0.0
    for storey in range(hall.storeys):
        kinds = hall.bays[min(storey, 1)]
        usual = str(rng.choice(kinds))
        for index in range(count):
            kind = usual if rng.random() < 0.7 else str(rng.choice(kinds))
            with builder.placed(-left + (index + 0.5) * pitch, away + deep, bottom=storey * hall.storey):
                glass += BAYS[kind](scene, pitch, hall.storey, WALL)
                if hall.alcoves and deep > 2.5 and index and kind == "books":
                    long = deep - 1.7
                    with builder.placed(-pitch / 2, -0.4 - long / 2, yaw=np.pi / 2):
                        double_stack(builder, rng, (long, min(hall.storey - 0.5, 2.6), 0.6), scene.palette)
    for x in (-left - 0.15, right + 0.15):
        size = (0.3, hall.top + 0.1, WALL)
        builder.box((x, away + deep + WALL / 2), size, scene.palette.wall, label="wall")
    return glass


def _colonnade(
    scene: HallScene, hall: Hall, storey: int, count: int, pitch: float, away: float, *, round_: bool
) -> None:
    if not hall.wide:
        return
    builder, bottom = scene.builder, storey * hall.storey
    height = hall.storey - (0.38 if storey < hall.storeys - 1 else 0.0)
    at = away + 0.12 + hall.wide / 2
    eye = np.array([scene.camera[0], scene.camera[2]])
    for index in range(count + 1):
        x = (index - count / 2) * pitch
        place = builder.to_ground([x, 0.0, at])
        near = np.hypot(*(place[[0, 2]] - eye)) < hall.wide / 2 + 0.45
        if not (near and 0 < scene.camera[1] - bottom < hall.storey):
            column(scene, x, at, bottom, height, hall.wide, round_=round_)
        if hall.arched and index < count:
            with builder.placed(x + pitch / 2, at, bottom=bottom):
                rise = min(pitch / 2, height * 0.35)
                arch(scene, pitch, height, rise, min(hall.wide * 0.7, 0.4), scene.palette.trim)


def _gallery_lamps(scene: HallScene, hall: Hall, storey: int, x: tuple[float, float], z: float, power: float) -> None:
    builder = scene.builder
    height = (storey + 1) * hall.storey - 0.5
    ends = builder.to_ground([[x[0], -height, z], [x[1], -height, z]])
    power *= (x[1] - x[0]) * 0.6
    scene.line_lamp((ends[0, 0], ends[1, 0]), (ends[0, 2], ends[1, 2]), height - 0.25, power, down=False)
    for at in np.arange(x[0] + hall.bay / 2, x[1], hall.bay):
        tag = builder.tag("lamp")
        builder.sphere((float(at), height + 0.05, z), 0.13, scene.glow, **tag)
        builder.cylinder((float(at), z), 0.012, 0.3, scene.palette.black, bottom=height + 0.15, sides=5, **tag)


def _roof(scene: HallScene, hall: Hall) -> None:
    """The ridge runs along the longer side."""
    eaves = hall.top + hall.cove
    x, z = hall.half
    rise = 0.0 if hall.roof == "flat" else hall.rise
    build = glass_roof if hall.glazed else closed_roof
    build(scene, (-x, x), (-z, z), eaves, shape=hall.roof, rise=rise)
    if rise:
        for end in (-z - 0.02, z + 0.02):
            with scene.builder.placed(0, end):
                gable(scene, x, eaves, shape=hall.roof, rise=rise)


def _staircase(scene: HallScene, hall: Hall) -> None:
    """A flight from the ground floor to the first gallery, along a side of the void."""
    rng = scene.rng
    run = hall.storey * float(rng.uniform(1.5, 2.0))
    if hall.storeys < 2 or rng.random() > 0.5 or run > 1.6 * hall.half[1]:
        return
    wide = float(rng.uniform(1.4, min(3.5, hall.half[0] * 0.6 + 0.8)))
    sign = 1 if rng.random() < 0.5 else -1
    x, z = sign * (hall.half[0] - wide / 2 - 0.1), float(rng.uniform(-0.15, 0.15)) * hall.half[1]
    if abs(scene.camera[0] - x) < wide / 2 + 0.5 and abs(scene.camera[2] - z) < run / 2 + 0.5:
        return
    with scene.builder.placed(x, z, yaw=np.pi / 2):
        stairs(scene.builder, rng, (run, hall.storey, wide), scene.palette)
