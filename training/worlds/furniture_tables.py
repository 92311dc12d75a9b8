"""Tables of all kinds, with what stands on them."""

from __future__ import annotations

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.furniture_seats import chair, office_chair
from training.worlds.materials import Material, triple
from training.worlds.palette import Palette, any_colour

Rng = np.random.Generator
Size = tuple[float, float, float]


def _legs(
    builder: SceneBuilder, size: Size, thick: float, material: Material, rng: Rng, *, label: str, instance: int
) -> None:
    width, height, depth = size
    round_legs = rng.random() < 0.3
    for x in (-1, 1):
        for z in (-1, 1):
            at = (x * (width / 2 - thick), z * (depth / 2 - thick))
            if round_legs:
                builder.cylinder(at, thick / 2, height, material, sides=8, label=label, instance=instance)
            else:
                builder.box(at, (thick, height, thick), material, label=label, instance=instance)


def clutter(builder: SceneBuilder, rng: Rng, width: float, depth: float, top: float, count: int) -> None:
    """Books, bowls, bottles and boxes on a surface about the origin."""
    for _ in range(count):
        instance = builder.new_instance()
        x, z = rng.uniform(-0.45, 0.45) * width, rng.uniform(-0.4, 0.4) * depth
        material = Material(any_colour(rng), gloss=float(rng.choice([0, 0.05])))
        kind = rng.integers(4)
        if kind == 0:
            builder.box(
                (x, z),
                triple(rng.uniform((0.12, 0.02, 0.1), (0.3, 0.12, 0.22))),
                material,
                bottom=top,
                yaw=rng.uniform(0, 3),
                instance=instance,
            )
        elif kind == 1:
            builder.cylinder(
                (x, z),
                rng.uniform(0.03, 0.05),
                rng.uniform(0.08, 0.3),
                material,
                bottom=top,
                sides=10,
                instance=instance,
            )
        elif kind == 2:
            builder.cylinder(
                (x, z),
                0.05,
                0.06,
                material,
                bottom=top,
                top_radius=rng.uniform(0.08, 0.15),
                sides=12,
                instance=instance,
            )
        else:
            builder.sphere((x, top + 0.05, z), 0.05, material, instance=instance)


def table(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """Four legs, an apron, a top."""
    instance = builder.new_instance()
    width, height, depth = size
    thick = rng.uniform(0.025, 0.06)
    top = palette.wood if rng.random() < 0.75 else palette.white
    legs = top if rng.random() < 0.6 else palette.metal
    builder.box((0, 0), (width, thick, depth), top, bottom=height - thick, label="table", instance=instance)
    if rng.random() < 0.5:
        builder.box(
            (0, 0),
            (width - 0.12, 0.09, depth - 0.12),
            legs,
            bottom=height - thick - 0.09,
            label="table",
            instance=instance,
        )
    _legs(builder, (width, height - thick, depth), rng.uniform(0.04, 0.09), legs, rng, label="table", instance=instance)
    clutter(builder, rng, width, depth, height, int(rng.integers(0, 5)))


def dining_set(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A table with chairs around it; the size is that of all together."""
    width, height, depth = size
    wide, deep = width - 0.2, depth - 1.1
    table(builder, rng, (wide, height, deep), palette)
    per_side = max(1, int(wide / 0.65))
    seat = (0.45, float(rng.uniform(0.8, 1.05)), 0.48)
    style = int(rng.integers(1 << 30))
    for side, yaw in ((1, np.pi), (-1, 0.0)):
        for index in range(per_side):
            if rng.random() < 0.1:
                continue
            x = (index - (per_side - 1) / 2) * wide / per_side
            z = side * (deep / 2 + rng.uniform(0.05, 0.3))
            with builder.placed(x, z, yaw=yaw + rng.normal(0, 0.08)):
                chair(builder, np.random.default_rng(style), seat, palette)


def round_table(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A round top on one foot."""
    tag = builder.tag("table")
    width, height, _ = size
    top = palette.wood if rng.random() < 0.6 else palette.white
    builder.cylinder((0, 0), width / 2, 0.03, top, bottom=height - 0.03, sides=24, **tag)
    builder.cylinder((0, 0), 0.04, height - 0.03, palette.metal, sides=10, **tag)
    builder.cylinder((0, 0), width * 0.28, 0.03, palette.metal, sides=16, **tag)
    clutter(builder, rng, width * 0.6, width * 0.6, height, int(rng.integers(0, 3)))


def coffee_table(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A low table, open, with a board below, or a block."""
    width, height, depth = size
    tag = builder.tag("table")
    material = palette.wood2
    if rng.random() < 0.25:
        builder.box((0, 0), size, material, **tag)
    else:
        builder.box((0, 0), (width, 0.04, depth), material, bottom=height - 0.04, **tag)
        if rng.random() < 0.5:
            builder.box((0, 0), (width - 0.1, 0.02, depth - 0.1), material, bottom=0.12, **tag)
        _legs(builder, (width, height - 0.04, depth), 0.05, material, rng, label="table", instance=tag["instance"])
    clutter(builder, rng, width, depth, height, int(rng.integers(0, 4)))


def desk(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A desk at the back of its footprint, with screen, drawers and chair."""
    width, height, depth = size
    deep = depth - 0.5
    tag = builder.tag("table")
    top = palette.wood if rng.random() < 0.6 else palette.white
    back = -depth / 2 + deep / 2
    builder.box((0, back), (width, 0.03, deep), top, bottom=height - 0.03, **tag)
    for x in (-1, 1):
        if rng.random() < 0.45:
            builder.box((x * (width / 2 - 0.2), back), (0.4, height - 0.03, deep - 0.04), top, **tag)
            for drawer in range(3):
                y = 0.06 + drawer * (height - 0.1) / 3
                builder.box(
                    (x * (width / 2 - 0.2), back + deep / 2), (0.36, (height - 0.16) / 3, 0.012), top, bottom=y, **tag
                )
        else:
            builder.box((x * (width / 2 - 0.03), back), (0.05, height - 0.03, deep - 0.05), palette.metal, **tag)
    for _ in range(int(rng.integers(0, 3))):
        screen(
            builder, rng, rng.uniform(-0.3, 0.3) * width, back - deep * 0.15, height, rng.uniform(0.4, 0.65), palette
        )
    clutter(builder, rng, width, deep, height, int(rng.integers(0, 5)))
    if rng.random() < 0.8:
        with builder.placed(rng.uniform(-0.2, 0.2), depth / 2 - 0.3, yaw=np.pi + rng.normal(0, 0.5)):
            office_chair(builder, rng, (0.6, 1.0, 0.6), palette)


def screen(builder: SceneBuilder, rng: Rng, x: float, z: float, bottom: float, width: float, palette: Palette) -> None:
    """A computer screen that looks towards local z."""
    instance = builder.new_instance()
    high = width * 0.58
    builder.cylinder((x, z), 0.1, 0.015, palette.black, bottom=bottom, sides=12, instance=instance)
    builder.box((x, z - 0.02), (0.05, 0.2, 0.03), palette.black, bottom=bottom, instance=instance)
    builder.box((x, z), (width, high, 0.03), palette.black, bottom=bottom + 0.1, instance=instance)
    lit = rng.random() < 0.5
    face = Material((1, 1, 1), f"screen/{rng.integers(4)}", emission=(0.25, 0.25, 0.27)) if lit else palette.black
    y, front, half = -(bottom + 0.1), z + 0.0165, width / 2 - 0.012
    corners = [
        [x - half, y - high + 0.012, front],
        [x + half, y - high + 0.012, front],
        [x + half, y - 0.012, front],
        [x - half, y - 0.012, front],
    ]
    builder.quad(corners, face, instance=instance, fit=True)


def workbench(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A heavy bench with a shelf below and tools on top."""
    width, height, depth = size
    tag = builder.tag("table")
    builder.box((0, 0), (width, 0.07, depth), palette.wood, bottom=height - 0.07, **tag)
    builder.box((0, 0), (width - 0.1, 0.03, depth - 0.1), palette.wood2, bottom=0.2, **tag)
    _legs(builder, (width, height - 0.07, depth), 0.09, palette.wood2, rng, label="table", instance=tag["instance"])
    clutter(builder, rng, width, depth, height, int(rng.integers(3, 10)))
    clutter(builder, rng, width * 0.8, depth * 0.7, 0.23, int(rng.integers(0, 5)))
