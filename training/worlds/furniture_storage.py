"""Cabinets, wardrobes, shelves, kitchens and screens."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.furniture_tables import clutter
from training.worlds.materials import Material
from training.worlds.palette import Palette, any_colour

Rng = np.random.Generator
Size = tuple[float, float, float]


def _fronts(
    builder: SceneBuilder,
    rng: Rng,
    size: Size,
    bottom: float,
    columns: int,
    rows: int,
    material: Material,
    palette: Palette,
    tag: dict[str, Any],
) -> None:
    """Doors or drawers on the front of a body about the origin."""
    width, height, depth = size
    knob = palette.metal if rng.random() < 0.6 else palette.black
    bar = rng.random() < 0.5
    for row in range(rows):
        for column in range(columns):
            x = (column - (columns - 1) / 2) * width / columns
            y = bottom + row * height / rows
            builder.box(
                (x, depth / 2 + 0.008),
                (width / columns - 0.012, height / rows - 0.012, 0.018),
                material,
                bottom=y + 0.006,
                **tag,
            )
            if bar:
                builder.box((x, depth / 2 + 0.03), (0.12, 0.012, 0.02), knob, bottom=y + height / rows * 0.8, **tag)
            else:
                side = 1 if column % 2 == 0 else -1
                builder.box(
                    (x + side * width / columns * 0.38, depth / 2 + 0.03),
                    (0.025, 0.025, 0.025),
                    knob,
                    bottom=y + height / rows * 0.5,
                    **tag,
                )


def cabinet(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A sideboard or chest of drawers, on feet or not."""
    width, height, depth = size
    tag = builder.tag("cabinet")
    body = palette.wood if rng.random() < 0.6 else palette.white if rng.random() < 0.6 else palette.wood2
    foot = rng.choice([0.0, 0.08, 0.15])
    builder.box((0, 0), (width, height - foot, depth), body, bottom=foot, **tag)
    for x in (-1.0, 1.0):
        if foot:
            for z in (-1, 1):
                builder.box((x * (width / 2 - 0.05), z * (depth / 2 - 0.05)), (0.04, foot, 0.04), palette.black, **tag)
    front = body if rng.random() < 0.7 else palette.white
    _fronts(
        builder,
        rng,
        (width - 0.03, height - foot - 0.04, depth),
        foot + 0.015,
        max(1, round(width / 0.5)),
        int(rng.integers(1, 5)),
        front,
        palette,
        tag,
    )
    clutter(builder, rng, width, depth, height, int(rng.integers(0, 4)))


def wardrobe(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A tall cupboard with doors."""
    width, height, depth = size
    tag = builder.tag("cabinet")
    body = palette.wood if rng.random() < 0.5 else palette.white if rng.random() < 0.6 else palette.wood2
    builder.box((0, 0), (width, height, depth), body, **tag)
    _fronts(builder, rng, (width - 0.03, height - 0.1, depth), 0.07, max(1, round(width / 0.5)), 1, body, palette, tag)
    if rng.random() < 0.3:
        builder.box((0, 0.01), (width + 0.06, 0.06, depth + 0.06), body, bottom=height, **tag)


def bookcase(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """Boards with rows of books, boxes and gaps."""
    width, height, depth = size
    tag = builder.tag("shelf")
    board = palette.wood if rng.random() < 0.6 else palette.white
    thick = 0.025
    back = rng.random() < 0.7
    if back:
        builder.box((0, -depth / 2 + 0.006), (width, height, 0.012), board, **tag)
    for x in (-1.0, 1.0):
        builder.box((x * (width - thick) / 2, 0), (thick, height, depth), board, **tag)
    columns = max(1, round(width / rng.uniform(0.6, 1.0)))
    for column in range(1, columns):
        builder.box((-width / 2 + column * width / columns, 0), (thick, height, depth), board, **tag)
    rows = max(2, round(height / rng.uniform(0.28, 0.42)))
    levels = np.linspace(0.06, height - thick, rows + 1)
    full = rng.uniform(0.2, 1.0)
    for index, y in enumerate(levels):
        builder.box((0, 0), (width, thick, depth), board, bottom=float(y), **tag)
        if index == rows:
            break
        room = levels[index + 1] - y - thick
        for column in range(columns):
            if rng.random() > full:
                continue
            cell = width / columns - thick
            wide = cell * rng.uniform(0.5, 1.0)
            x = -width / 2 + (column + 0.5) * width / columns - (cell - wide) / 2
            if rng.random() < 0.8:
                high = min(room * rng.uniform(0.7, 0.95), 0.34)
                front, low = depth / 2 - rng.uniform(0.02, 0.08), y + thick
                spines = Material((1, 1, 1), f"books/{rng.integers(6)}", 1.0)
                builder.box(
                    (x, front / 2 - depth / 4),
                    (wide, high * 0.9, front + depth / 2 - 0.015),
                    palette.wood2,
                    bottom=float(low),
                    **tag,
                )
                part = [
                    [x - wide / 2, -low - high, front],
                    [x + wide / 2, -low - high, front],
                    [x + wide / 2, -low, front],
                    [x - wide / 2, -low, front],
                ]
                builder.quad(part, spines, fit=True, **tag)
            else:
                for _ in range(int(rng.integers(1, 4))):
                    w, h = rng.uniform(0.05, 0.2), rng.uniform(0.4, 0.9) * room
                    builder.box(
                        (x + rng.uniform(-0.3, 0.3) * wide, 0),
                        (w, h, w),
                        Material(any_colour(rng)),
                        bottom=float(y + thick),
                        **tag,
                    )


def metal_rack(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """An open rack with boxes, as in stores and workshops."""
    width, height, depth = size
    tag = builder.tag("shelf")
    post = palette.metal if rng.random() < 0.6 else Material(any_colour(rng))
    for x in (-1.0, 1.0):
        for z in (-1, 1):
            builder.box((x * (width / 2 - 0.02), z * (depth / 2 - 0.02)), (0.04, height, 0.04), post, **tag)
    for y in np.arange(0.1, height, rng.uniform(0.4, 0.7)):
        builder.box((0, 0), (width, 0.03, depth), post, bottom=float(y), **tag)
        x = -width / 2 + 0.05
        while x < width / 2 - 0.25:
            w = rng.uniform(0.15, 0.5)
            if rng.random() < 0.7 and x + w < width / 2 - 0.04:
                card = Material((0.42, 0.28, 0.16), "plaster/0") if rng.random() < 0.5 else Material(any_colour(rng))
                builder.box(
                    (x + w / 2, 0),
                    (w, rng.uniform(0.12, 0.36), depth * rng.uniform(0.5, 0.9)),
                    card,
                    bottom=float(y + 0.03),
                    **tag,
                )
            x += w + rng.uniform(0.01, 0.15)


def counter(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A kitchen line: cupboards, worktop, splashback, wall cupboards, hood, sink."""
    width, height, depth = size
    tag = builder.tag("cabinet")
    front = (
        palette.white
        if rng.random() < 0.5
        else palette.wood
        if rng.random() < 0.6
        else Material(any_colour(rng), gloss=0.03)
    )
    top = (
        palette.wood2
        if rng.random() < 0.5
        else Material(
            any_colour(rng, bright=(0.1, 0.9)), f"terrazzo/{rng.integers(2)}", 0.6, gloss=0.05, roughness=0.04
        )
    )
    builder.box((0, -0.02), (width, height - 0.14, depth - 0.06), front, bottom=0.1, **tag)
    builder.box((0, -0.04), (width, 0.1, depth - 0.12), palette.black, **tag)
    _fronts(
        builder,
        rng,
        (width, height - 0.15, depth - 0.1),
        0.1,
        max(2, round(width / 0.6)),
        int(rng.choice([1, 2, 3])),
        front,
        palette,
        tag,
    )
    builder.box((0, 0), (width, 0.04, depth), top, bottom=height - 0.04, **tag)
    splash = Material(any_colour(rng, bright=(0.5, 0.95)), f"tiles/{rng.integers(3)}", 0.5, gloss=0.04, roughness=0.03)
    if rng.random() < 0.6:
        builder.box((0, -depth / 2 + 0.006), (width, 0.55, 0.012), splash, bottom=height, label="wall")
    if rng.random() < 0.7:
        wide, x = width * rng.uniform(0.4, 1.0), 0.0
        builder.box((x, -depth / 2 + 0.17), (wide, 0.7, 0.34), front, bottom=height + 0.55, **tag)
        with builder.placed(x, -depth / 2 + 0.17):
            _fronts(builder, rng, (wide, 0.7, 0.34), height + 0.55, max(1, round(wide / 0.5)), 1, front, palette, tag)
    x = rng.uniform(-0.3, 0.3) * width
    builder.box((x, 0), (0.55, 0.012, 0.4), palette.metal, bottom=height, instance=builder.new_instance())
    builder.cylinder((x, -0.2), 0.015, 0.28, palette.metal, bottom=height, sides=8)
    builder.box((x, -0.1), (0.025, 0.025, 0.2), palette.metal, bottom=height + 0.26)
    clutter(builder, rng, width, depth * 0.7, height, int(rng.integers(0, 7)))


def fridge(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A refrigerator with two doors."""
    width, height, depth = size
    instance = builder.new_instance()
    body = palette.white if rng.random() < 0.5 else palette.metal
    builder.box((0, 0), (width, height, depth), body, instance=instance)
    split = height * rng.uniform(0.3, 0.65)
    for low, high in ((0.05, split), (split + 0.01, height)):
        builder.box((0, depth / 2 + 0.02), (width - 0.01, high - low - 0.01, 0.04), body, bottom=low, instance=instance)
        builder.box(
            (width * 0.4, depth / 2 + 0.06),
            (0.02, 0.3, 0.03),
            palette.metal,
            bottom=(low + high) / 2 - 0.15,
            instance=instance,
        )


def tv_board(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A low board with a television on it or above it."""
    width, height, _ = size
    cabinet(builder, rng, size, palette)
    wide = width * rng.uniform(0.5, 0.9)
    high = wide * 0.57
    bottom = height + rng.choice([0.06, 0.4])
    instance = builder.new_instance()
    glass = Material((0.02, 0.02, 0.025), gloss=0.06, roughness=0.01)
    if rng.random() < 0.25:
        glass = Material((1, 1, 1), f"picture/{rng.integers(16)}", emission=(0.5, 0.5, 0.55))
    builder.box((0, -0.1), (wide, high, 0.05), palette.black, bottom=bottom, instance=instance)
    if bottom < height + 0.2:
        builder.box((0, -0.1), (wide * 0.3, 0.06, 0.15), palette.black, bottom=height, instance=instance)
    half, y = wide / 2 - 0.012, -bottom
    front = [
        [-half, y - high + 0.012, -0.074],
        [half, y - high + 0.012, -0.074],
        [half, y - 0.012, -0.074],
        [-half, y - 0.012, -0.074],
    ]
    builder.quad(front, glass, instance=instance, fit=True)


def partition(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A free-standing screen or board on feet."""
    width, height, depth = size
    instance = builder.new_instance()
    board = palette.fabric if rng.random() < 0.5 else palette.white
    builder.box((0, 0), (width, height - 0.1, depth), board, bottom=0.1, instance=instance)
    for x in (-1.0, 1.0):
        builder.box((x * (width / 2 - 0.1), 0), (0.05, 0.1, 0.5), palette.metal, instance=instance)
