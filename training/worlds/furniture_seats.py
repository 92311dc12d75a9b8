"""Chairs, stools, benches, sofas and beds."""

from __future__ import annotations

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.materials import Material
from training.worlds.palette import Palette, any_colour

Rng = np.random.Generator
Size = tuple[float, float, float]


def chair(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A chair with four legs or a shell, back of bars, boards or solid."""
    width, height, depth = size
    tag = builder.tag("chair")
    kind = rng.choice(["wood", "padded", "shell"])
    frame = palette.wood if rng.random() < 0.6 else palette.metal
    seat = {"wood": frame, "padded": palette.fabric, "shell": Material(any_colour(rng), gloss=0.03)}[str(kind)]
    level, leg = rng.uniform(0.42, 0.48), rng.uniform(0.025, 0.045)
    builder.box((0, 0), (width, 0.06 if kind == "padded" else 0.03, depth), seat, bottom=level - 0.04, **tag)
    for x in (-1, 1):
        for z in (-1, 1):
            at = (x * (width / 2 - leg / 2), z * (depth / 2 - leg / 2))
            tall = height if z < 0 and kind != "shell" else level - 0.03
            builder.box(at, (leg, tall, leg), frame, **tag)
    back = -depth / 2 + leg / 2
    if kind == "wood" and rng.random() < 0.6:
        for y in np.linspace(level + 0.12, height - 0.08, int(rng.integers(2, 5))):
            builder.box((0, back), (width - 2 * leg, 0.06, 0.02), frame, bottom=float(y), **tag)
    else:
        gap = rng.uniform(0.03, 0.2)
        builder.box((0, back), (width - leg, height - level - gap, 0.04), seat, bottom=level + gap, **tag)
    if rng.random() < 0.2:
        for x in (-1, 1):
            builder.box((x * (width / 2), 0), (0.04, 0.03, depth * 0.8), frame, bottom=level + 0.2, **tag)
            builder.box((x * (width / 2), depth * 0.3), (0.03, 0.22, 0.03), frame, bottom=level, **tag)


def office_chair(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A swivel chair on a star of castors."""
    width, height, depth = size
    tag = builder.tag("chair")
    cloth = palette.black if rng.random() < 0.5 else palette.fabric
    for spoke in range(5):
        angle = spoke * 2 * np.pi / 5
        with builder.placed(0, 0, yaw=angle):
            builder.box((0, 0.14), (0.04, 0.04, 0.28), palette.black, bottom=0.06, **tag)
            builder.sphere((0, 0.035, 0.27), 0.035, palette.black, **tag)
    builder.cylinder((0, 0), 0.03, 0.36, palette.metal, bottom=0.08, sides=8, **tag)
    builder.box((0, 0), (width * 0.8, 0.09, depth * 0.8), cloth, bottom=0.43, **tag)
    builder.box((0, -depth * 0.38), (width * 0.72, height - 0.62, 0.07), cloth, bottom=0.6, **tag)
    builder.box((0, -depth * 0.42), (0.05, 0.3, 0.03), palette.black, bottom=0.42, **tag)
    if rng.random() < 0.6:
        for x in (-1, 1):
            builder.box((x * width * 0.42, 0), (0.05, 0.03, 0.26), palette.black, bottom=0.66, **tag)
            builder.box((x * width * 0.42, 0), (0.03, 0.2, 0.04), palette.black, bottom=0.47, **tag)


def stool(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A round or square stool, low or for a bar."""
    width, height, _ = size
    tag = builder.tag("chair")
    seat = palette.fabric if rng.random() < 0.4 else palette.wood
    if rng.random() < 0.5:
        builder.cylinder((0, 0), width / 2, 0.05, seat, bottom=height - 0.05, sides=16, **tag)
    else:
        builder.box((0, 0), (width, 0.05, width), seat, bottom=height - 0.05, **tag)
    for x in (-1, 1):
        for z in (-1, 1):
            builder.box((x * width * 0.38, z * width * 0.38), (0.035, height - 0.05, 0.035), palette.wood, **tag)
    builder.box((0, width * 0.38), (width * 0.76, 0.025, 0.025), palette.wood, bottom=height * 0.3, **tag)
    builder.box((0, -width * 0.38), (width * 0.76, 0.025, 0.025), palette.wood, bottom=height * 0.3, **tag)


def bench(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A bench without back, padded or of boards."""
    width, height, depth = size
    tag = builder.tag("chair")
    if rng.random() < 0.5:
        builder.box((0, 0), (width - 0.2, height - 0.15, depth - 0.15), palette.black, **tag)
        builder.box((0, 0), (width, 0.15, depth), palette.fabric, bottom=height - 0.15, **tag)
        return
    builder.box((0, 0), (width, 0.05, depth), palette.wood, bottom=height - 0.05, **tag)
    for x in (-1, 1):
        builder.box((x * (width / 2 - 0.12), 0), (0.06, height - 0.05, depth * 0.85), palette.wood, **tag)


def pew(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A church pew or a waiting bench with back."""
    width, height, depth = size
    tag = builder.tag("chair")
    builder.box((0, 0), (width, 0.04, depth * 0.7), palette.wood, bottom=0.42, **tag)
    builder.box((0, -depth / 2 + 0.03), (width, height - 0.45, 0.04), palette.wood, bottom=0.45, **tag)
    for x in (-1, 1):
        builder.box((x * width / 2, 0), (0.05, height * rng.uniform(0.8, 1.0), depth), palette.wood, **tag)


def armchair(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """An upholstered chair for one."""
    _upholstered(builder, rng, size, palette, "chair", 1)


def sofa(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A sofa for two to four, sometimes with a chaise longue."""
    _upholstered(builder, rng, size, palette, "sofa", max(2, round(size[0] / 0.75)))


def _upholstered(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette, label: str, seats: int) -> None:
    width, height, depth = size
    tag = builder.tag(label)
    cloth = palette.fabric if rng.random() < 0.6 else palette.fabric2
    if rng.random() < 0.2:
        cloth = Material(any_colour(rng, bright=(0.08, 0.6)), "mottle/0", 0.8, 0.2, gloss=0.03, roughness=0.2)
    arm = rng.uniform(0.1, 0.24) if rng.random() < 0.85 else 0.0
    back, foot, level = rng.uniform(0.15, 0.28), rng.uniform(0.03, 0.16), rng.uniform(0.38, 0.46)
    inner = width - 2 * arm
    builder.box((0, 0), (width, level - 0.14 - foot, depth), cloth, bottom=foot, **tag)
    builder.box((0, -depth / 2 + back / 2), (width, height - foot, back), cloth, bottom=foot, **tag)
    high = rng.uniform(0.52, 0.68)
    for x in (-1, 1):
        if arm:
            builder.box((x * (width - arm) / 2, 0), (arm, high - foot, depth), cloth, bottom=foot, **tag)
            if rng.random() < 0.4:
                builder.box(
                    (x * (width - arm) / 2, 0), (arm + 0.04, 0.08, depth + 0.02), cloth, bottom=high - 0.06, **tag
                )
        for z in (-1, 1):
            builder.box((x * (width / 2 - 0.08), z * (depth / 2 - 0.08)), (0.05, foot, 0.05), palette.wood2, **tag)
    each = inner / seats
    for seat in range(seats):
        at = (seat - (seats - 1) / 2) * each
        builder.box((at, back / 2), (each - 0.012, 0.15, depth - back - 0.01), cloth, bottom=level - 0.14, **tag)
        builder.box(
            (at, -depth / 2 + back + 0.07),
            (each - 0.02, height - level - rng.uniform(0.0, 0.08), 0.15),
            cloth,
            bottom=level,
            **tag,
        )
    for _ in range(int(rng.integers(0, 4))):
        cushion = Material(any_colour(rng), f"fabric/{rng.integers(2)}", 0.4)
        at = rng.uniform(-0.42, 0.42) * inner
        builder.sphere((at, level + 0.2, -depth / 2 + back + 0.2), (0.22, 0.2, 0.1), cushion, **tag)
    if label == "sofa" and rng.random() < 0.15:
        builder.sphere((rng.uniform(-0.3, 0.3) * inner, level + 0.05, 0.1), (0.4, 0.06, 0.3), palette.fabric2, **tag)


def bed(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A bed with headboard, mattress, blanket and pillows."""
    width, height, depth = size
    tag = builder.tag("bed")
    frame = palette.wood if rng.random() < 0.6 else palette.fabric
    level = rng.uniform(0.25, 0.38)
    builder.box((0, 0), (width, level - 0.08, depth), frame, bottom=0.08, **tag)
    builder.box((0, -depth / 2 + 0.04), (width + 0.06, height, 0.08), frame, **tag)
    if rng.random() < 0.3:
        builder.box((0, depth / 2 - 0.03), (width + 0.04, level + rng.uniform(0.1, 0.4), 0.06), frame, **tag)
    sheet = Material((0.85, 0.84, 0.82), "fabric/0", 0.5, 0.3)
    builder.box((0, 0.03), (width - 0.06, 0.2, depth - 0.14), sheet, bottom=level, **tag)
    blanket = palette.fabric2 if rng.random() < 0.7 else sheet
    long = depth * rng.uniform(0.55, 0.75)
    builder.box((0, depth / 2 - long / 2 - 0.02), (width + 0.02, 0.16, long), blanket, bottom=level + 0.09, **tag)
    pillows = 2 if width > 1.25 else 1
    for index in range(pillows):
        x = (index - (pillows - 1) / 2) * width / pillows
        cover = sheet if rng.random() < 0.6 else palette.fabric
        builder.sphere((x, level + 0.26, -depth / 2 + 0.36), (0.32, 0.1, 0.2), cover, **tag)
