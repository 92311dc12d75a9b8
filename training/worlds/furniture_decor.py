"""Lamps, plants, people, pictures, rugs, bathrooms and studio gear."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.materials import Material
from training.worlds.openings import folds
from training.worlds.palette import Palette, any_colour, hsv

Rng = np.random.Generator
Size = tuple[float, float, float]

GLOW = (3.0, 2.6, 2.0)
"""Radiance of a lampshade that is lit from within."""


def standing_lamp(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A floor lamp with a shade, lit or not."""
    width, height, _ = size
    tag = builder.tag("lamp")
    builder.cylinder((0, 0), width * 0.35, 0.03, palette.metal, sides=14, **tag)
    builder.cylinder((0, 0), 0.015, height - 0.2, palette.metal, sides=6, **tag)
    shade = Material(hsv(0.1, 0.15, 0.95), emission=GLOW) if rng.random() < 0.5 else palette.fabric
    builder.cylinder(
        (0, 0),
        width / 2,
        rng.uniform(0.2, 0.35),
        shade,
        bottom=height - 0.32,
        top_radius=width * rng.uniform(0.25, 0.5),
        sides=16,
        **tag,
    )


def plant(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A potted plant: a bush of leaves, long blades, or a small tree."""
    width, height, _ = size
    tag = builder.tag("plant")
    pot = Material(any_colour(rng), "plaster/0", 0.5, gloss=float(rng.choice([0, 0.04])))
    tall = min(0.35, height * 0.35)
    builder.cylinder((0, 0), width * 0.2, tall, pot, top_radius=width * 0.28, sides=14, **tag)
    green = Material(
        hsv(rng.uniform(0.2, 0.4), rng.uniform(0.4, 0.8), rng.uniform(0.25, 0.6)),
        f"foliage/{rng.integers(2)}",
        0.5,
        0.4,
    )
    leaves = int(rng.integers(40, 140))
    blades = rng.random() < 0.4
    middle = (
        np.array([0.0, tall, 0.0]) if blades else np.array([0.0, tall + (height - tall) * rng.uniform(0.4, 0.65), 0.0])
    )
    if not blades:
        builder.cylinder((0, 0), 0.02, middle[1], palette.wood2, sides=6, **tag)
    angle = rng.uniform(0, 2 * np.pi, leaves)
    if blades:
        length, lean = rng.uniform(0.5, 1.0, leaves) * (height - tall), rng.uniform(0.05, 0.7, leaves)
        start = np.repeat(middle[None], leaves, 0)
        tip = np.stack(
            [
                np.sin(angle) * lean * width * 0.7,
                tall + length * np.sqrt(1 - lean**2),
                np.cos(angle) * lean * width * 0.7,
            ],
            1,
        )
        wide = rng.uniform(0.02, 0.06)
    else:
        out = rng.random(leaves) ** 0.4
        up = rng.uniform(-1, 1, leaves)
        flat = np.sqrt(1 - up**2)
        radii = np.array([width / 2, (height - tall) * 0.4, width / 2])
        start = middle + radii * (out * 0.75)[:, None] * np.stack([np.sin(angle) * flat, up, np.cos(angle) * flat], 1)
        tip = start + rng.uniform(0.1, 0.22) * (
            np.stack([np.sin(angle), rng.uniform(-0.6, 0.8, leaves), np.cos(angle)], 1)
        )
        wide = rng.uniform(0.04, 0.12)
    side = np.stack([np.cos(angle), np.zeros(leaves), -np.sin(angle)], 1) * wide / 2
    middle_of_leaf = (start + tip) / 2
    corners = np.stack([start, middle_of_leaf + side, tip, middle_of_leaf - side], 1)
    corners[..., 1] *= -1
    builder.quads(corners, green, **tag)


def armful_of_boxes(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """Cardboard boxes and crates, stacked askew."""
    width, height, depth = size
    y, wide = 0.0, 1.0
    while y < height - 0.15:
        instance = builder.new_instance()
        card = (
            Material(hsv(0.08, rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.8)), "plaster/0")
            if rng.random() < 0.7
            else palette.wood2
        )
        high = rng.uniform(0.2, 0.45)
        at = (rng.uniform(-0.1, 0.1) * width, rng.uniform(-0.1, 0.1) * depth)
        builder.box(
            at,
            (width * wide * 0.75, high, depth * wide * 0.75),
            card,
            bottom=y,
            yaw=rng.normal(0, 0.2),
            instance=instance,
        )
        y += high
        wide *= rng.uniform(0.7, 1.0)


def piano(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """An upright piano with stool."""
    width, height, depth = size
    instance = builder.new_instance()
    body = Material((0.015, 0.015, 0.015), gloss=0.06, roughness=0.02) if rng.random() < 0.6 else palette.wood
    back = depth * 0.5
    builder.box((0, -depth / 2 + back / 2), (width, height, back), body, instance=instance)
    builder.box((0, 0), (width, 0.16, depth), body, bottom=0.6, instance=instance)
    builder.box((0, depth * 0.3), (width - 0.16, 0.02, 0.15), palette.white, bottom=0.76, instance=instance)
    for x in np.linspace(-width / 2 + 0.12, width / 2 - 0.12, 30):
        builder.box((float(x), depth * 0.27), (0.012, 0.02, 0.09), palette.black, bottom=0.775, instance=instance)
    for x in (-1, 1):
        builder.box((x * (width / 2 - 0.04), depth * 0.4), (0.06, 0.6, 0.06), body, instance=instance)


def rug(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A carpet on the floor; it counts as floor."""
    width, height, depth = size
    ornate = rng.random() < 0.5
    cloth = Material((1, 1, 1), f"rug/{rng.integers(5)}") if ornate else palette.fabric2
    builder.box((0, 0), (width, height, depth), palette.fabric2, label="floor")
    y = -height - 0.001
    corners = [
        [-width / 2, y, depth / 2],
        [width / 2, y, depth / 2],
        [width / 2, y, -depth / 2],
        [-width / 2, y, -depth / 2],
    ]
    builder.quad(corners, cloth, label="floor", fit=ornate)


def curtain(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A pleated curtain from a rail to the floor, drawn shut, hanging at a wall or across a corner."""
    width, height, depth = size
    instance = builder.new_instance()
    cloth = palette.fabric2 if rng.random() < 0.5 else palette.fabric if rng.random() < 0.5 else None
    cloth = cloth or Material(any_colour(rng, bright=(0.1, 0.95)), "fabric/0", 0.4, 0.4)
    builder.box((0, 0), (width, 0.03, 0.03), palette.metal, bottom=height - 0.03, label="curtain", instance=instance)
    gap = float(rng.choice([0.0, 0.0, 0.15])) * width
    deep = min(float(rng.uniform(0.03, 0.08)), depth / 3)
    for x0, x1 in ((-width / 2, -gap / 2), (gap / 2, width / 2)):
        folds(builder, x0, x1, 0.0, 0.02, height - 0.03, cloth, rng, instance, deep=deep)


def sink(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A washbasin with a mirror above."""
    width, height, depth = size
    instance = builder.new_instance()
    builder.box((0, 0), (width, 0.14, depth), palette.white, bottom=height - 0.14, instance=instance)
    builder.cylinder((0, -depth * 0.2), 0.09, height - 0.14, palette.white, sides=12, instance=instance)
    builder.cylinder((0, -depth * 0.35), 0.015, 0.15, palette.metal, bottom=height, sides=8, instance=instance)
    if rng.random() < 0.8:
        mirror = Material((0.05, 0.05, 0.05), gloss=0.85, roughness=0.0)
        builder.box(
            (0, -depth / 2 + 0.015),
            (width, rng.uniform(0.6, 1.0), 0.02),
            mirror,
            bottom=height + 0.2,
            instance=builder.new_instance(),
        )


def toilet(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A toilet with cistern and lid."""
    width, height, depth = size
    instance = builder.new_instance()
    builder.box((0, -depth / 2 + 0.09), (width, 0.36, 0.17), palette.white, bottom=height - 0.36, instance=instance)
    builder.cylinder((0, 0.05), width * 0.3, 0.38, palette.white, top_radius=width * 0.46, sides=16, instance=instance)
    lid = palette.white if rng.random() < 0.7 else palette.wood
    builder.cylinder((0, 0.05), width * 0.5, 0.03, lid, bottom=0.39, sides=16, instance=instance)


def softbox(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A studio light on a stand: a bright square or disc that looks to the front and down."""
    width, height, _ = size
    tag = builder.tag("lamp")
    _stand(builder, height - width / 2, palette, tag)
    half, tilt = width / 2, rng.uniform(0.0, 0.5)
    up = np.array([0.0, -np.cos(tilt), -np.sin(tilt)])
    middle = np.array([0.0, -(height - half), 0.15])
    across = np.array([1.0, 0.0, 0.0])
    glow = Material((1, 1, 1), emission=(8.0, 8.0, 8.4))
    sides = 4 if rng.random() < 0.5 else 8
    turn = np.pi / sides
    ring = [
        middle + half * (np.cos(turn + a) * across + np.sin(turn + a) * up)
        for a in np.arange(sides) * 2 * np.pi / sides
    ]
    back = middle + np.array([0.0, 0.1, -0.35])
    builder.mesh([middle, *ring], [(0, i + 1, (i + 1) % sides + 1) for i in range(sides)], glow, **tag)
    builder.mesh([back, *ring], [(0, i + 1, (i + 1) % sides + 1) for i in range(sides)], palette.black, **tag)


def tripod(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A camera or lamp on a tripod."""
    _, height, _ = size
    tag = builder.tag(None)
    _stand(builder, height, palette, tag)
    builder.box((0, 0.03), (rng.uniform(0.1, 0.25), 0.14, 0.22), palette.black, bottom=height, **tag)


def _stand(builder: SceneBuilder, height: float, palette: Palette, tag: dict[str, Any]) -> None:
    builder.cylinder((0, 0), 0.018, height - 0.4, palette.black, bottom=0.4, sides=6, **tag)
    for leg in range(3):
        a = leg * 2 * np.pi / 3
        foot, top = np.array([0.35 * np.sin(a), 0.0, 0.35 * np.cos(a)]), np.array([0.0, -0.6, 0.0])
        side = np.array([np.cos(a), 0.0, -np.sin(a)]) * 0.014
        builder.quad([top - side, top + side, foot + side, foot - side], palette.black, **tag)


def painting(builder: SceneBuilder, rng: Rng, width: float, height: float, bottom: float, palette: Palette) -> None:
    """A picture on a wall at local z = 0, looking to -z (into the room in a wall's frame)."""
    tag = builder.tag("painting")
    rim = rng.choice([0.0, 0.02, 0.05, 0.1])
    frame = palette.wood2 if rng.random() < 0.6 else palette.black
    builder.box((0, -0.015), (width, height, 0.03), frame, bottom=bottom, **tag)
    half, low, high, z = width / 2 - rim, -bottom - rim, -bottom - height + rim, -0.032
    art = Material((1, 1, 1), f"picture/{rng.integers(16)}", gloss=float(rng.choice([0, 0.04])), roughness=0.02)
    builder.quad([[half, high, z], [-half, high, z], [-half, low, z], [half, low, z]], art, fit=True, **tag)
