"""What fills the holes of walls: doors, windows, curtains, blinds; and radiators below.

Everything is built in the wall's frame: x along the wall, z outwards, the inner face at z = 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.materials import Material
from training.worlds.palette import Palette, hsv
from training.worlds.rooms import Opening

Rng = np.random.Generator


def build_trim(
    builder: SceneBuilder,
    opening: Opening,
    width: float,
    out: float,
    material: Material,
    *,
    label: str | None,
    instance: int | None = None,
) -> None:
    """A flat frame around an opening on the inner face; no lower bar where it reaches the floor."""
    middle, across = (opening.start + opening.end) / 2, opening.end - opening.start
    high = opening.top - opening.bottom
    for x in (opening.start - width / 2, opening.end + width / 2):
        builder.box(
            (x, -out / 2), (width, high + width, out), material, bottom=opening.bottom, label=label, instance=instance
        )
    builder.box((middle, -out / 2), (across, width, out), material, bottom=opening.top, label=label, instance=instance)


def build_door(
    builder: SceneBuilder, opening: Opening, thickness: float, palette: Palette, rng: Rng, *, angle: float
) -> None:
    """A door with frame, leaf or two leaves, panels or a glass, and handle, opened by an angle (0: shut)."""
    tag = builder.tag("door")
    build_trim(builder, opening, rng.uniform(0.04, 0.12), 0.02, palette.trim, **tag)
    width, high = opening.end - opening.start, opening.top - opening.bottom
    lining = 0.03
    for x in (opening.start + lining / 2, opening.end - lining / 2):
        builder.box((x, thickness / 2), (lining, high, thickness), palette.trim, **tag)
    builder.box(
        (opening.start + width / 2, thickness / 2),
        (width, lining, thickness),
        palette.trim,
        bottom=high - lining,
        **tag,
    )
    double = width > 1.25
    leaf = (width - 2 * lining) / (2 if double else 1)
    depth = rng.uniform(0.0, max(thickness - 0.06, 0.01)) if angle == 0 else rng.choice([0.0, thickness - 0.05])
    style = rng.choice(["plain", "panels", "glass", "grooves"], p=[0.35, 0.4, 0.15, 0.1])
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    inward = rng.random() < 0.6
    for side in range(2 if double else 1):
        hinge_left = side == 0 if double else bool(rng.random() < 0.5)
        hinge = opening.start + lining if hinge_left else opening.end - lining
        swing = angle if inward else -angle
        yaw = swing if hinge_left else -swing
        with builder.placed(hinge, depth + 0.02, yaw=yaw):
            sign = 1.0 if hinge_left else -1.0
            _leaf(builder, sign, leaf, high - lining - 0.005, palette, str(style), rows, columns, rng, tag)


def _leaf(
    builder: SceneBuilder,
    sign: float,
    leaf: float,
    high: float,
    palette: Palette,
    style: str,
    rows: int,
    columns: int,
    rng: Rng,
    tag: dict[str, Any],
) -> None:
    middle = sign * leaf / 2
    if style == "glass":
        rim = 0.11
        for x in (sign * rim / 2, sign * (leaf - rim / 2)):
            builder.box((x, 0), (rim, high, 0.04), palette.door, **tag)
        low = rng.choice([0.12, 0.9])
        builder.box((middle, 0), (leaf - 2 * rim, low, 0.04), palette.door, **tag)
        builder.box((middle, 0), (leaf - 2 * rim, rim, 0.04), palette.door, bottom=high - rim, **tag)
        frosted = Material((0.75, 0.8, 0.8), gloss=0.08, roughness=0.05, glass=bool(rng.random() < 0.6))
        x0, x1 = middle - leaf / 2 + rim, middle + leaf / 2 - rim
        builder.quad([[x0, -high + rim, 0], [x1, -high + rim, 0], [x1, -low, 0], [x0, -low, 0]], frosted, **tag)
    else:
        builder.box((middle, 0), (leaf, high, 0.04), palette.door, **tag)
        if style == "panels":
            wide, tall = (leaf - 0.1) / columns, (high - 0.1) / rows
            for row in range(rows):
                for column in range(columns):
                    x = middle + (column - (columns - 1) / 2) * wide
                    builder.box(
                        (x, 0), (wide - 0.14, tall - 0.16, 0.056), palette.door, bottom=0.05 + row * tall + 0.08, **tag
                    )
        elif style == "grooves":
            for row in range(1, 5):
                builder.box((middle, 0), (leaf, 0.012, 0.044), palette.black, bottom=row * high / 5, **tag)
    for face in (-1, 1):
        builder.box((sign * (leaf - 0.09), face * 0.055), (0.12, 0.022, 0.022), palette.metal, bottom=1.0, **tag)
        builder.box((sign * (leaf - 0.05), face * 0.032), (0.04, 0.16, 0.02), palette.metal, bottom=0.94, **tag)


def build_window(builder: SceneBuilder, opening: Opening, thickness: float, palette: Palette, rng: Rng) -> None:
    """A window: frame, mullions, panes and sill, all one windowpane."""
    tag = builder.tag("windowpane")
    tone = rng.random()
    frame = palette.white if tone < 0.6 else palette.black if tone < 0.75 else palette.wood
    bar, depth = rng.uniform(0.035, 0.08), thickness * rng.uniform(0.3, 0.85)
    width, high = opening.end - opening.start, opening.top - opening.bottom
    middle = (opening.start + opening.end) / 2
    columns = max(1, round(width / rng.uniform(0.6, 1.3)))
    rows = 1 if rng.random() < 0.5 else max(1, round(high / rng.uniform(0.4, 1.2)))
    edges = np.linspace(opening.start, opening.end, columns + 1)
    for index, x in enumerate(edges):
        shift = bar / 2 if index == 0 else -bar / 2 if index == columns else 0.0
        builder.box((x + shift, depth), (bar, high, bar), frame, bottom=opening.bottom, **tag)
    for index, y in enumerate(np.linspace(opening.bottom, opening.top, rows + 1)):
        shift = 0.0 if index == 0 else -bar if index == rows else -bar / 2
        thin = bar if index in {0, rows} else bar * 0.6
        builder.box((middle, depth), (width, thin, thin), frame, bottom=y + shift, **tag)
    glass = Material((0.9, 0.95, 0.95), gloss=0.05, roughness=0.0, glass=True)
    builder.quad(
        [
            [opening.start, -opening.top, depth],
            [opening.end, -opening.top, depth],
            [opening.end, -opening.bottom, depth],
            [opening.start, -opening.bottom, depth],
        ],
        glass,
        **tag,
    )
    if opening.bottom > 0.2 and rng.random() < 0.7:
        ledge = rng.uniform(0.02, 0.2)
        builder.box(
            (middle, depth / 2 - ledge / 2),
            (width + 0.08, 0.03, depth + ledge),
            palette.trim if rng.random() < 0.7 else palette.wood,
            bottom=opening.bottom - 0.03,
            label="wall",
        )
    if rng.random() < 0.4:
        build_trim(builder, opening, rng.uniform(0.05, 0.12), 0.02, palette.trim, **tag)


def build_curtains(builder: SceneBuilder, opening: Opening, room_height: float, palette: Palette, rng: Rng) -> None:
    """A pair of curtains (or one, or sheers across) with rail, in folds."""
    instance = builder.new_instance()
    material = palette.fabric2 if rng.random() < 0.6 else Material(hsv(0.1, 0.05, 0.9), "fabric/0", 0.5, 0.4)
    top = min(room_height - 0.05, opening.top + rng.uniform(0.05, 0.4))
    bottom = rng.choice([0.02, 0.02, max(opening.bottom - 0.2, 0.02)])
    width = opening.end - opening.start
    shut = rng.uniform(0.12, 0.5) if rng.random() < 0.85 else 1.0
    over = rng.uniform(0.05, 0.25)
    builder.box(
        ((opening.start + opening.end) / 2, -0.1),
        (width + 2 * over, 0.03, 0.03),
        palette.metal,
        bottom=top,
        label="curtain",
        instance=instance,
    )
    for x0, x1 in (
        (opening.start - over, opening.start + width * shut / 2),
        (opening.end - width * shut / 2, opening.end + over),
    ):
        folds(builder, x0, x1, -0.1, bottom, top, material, rng, instance)


def folds(
    builder: SceneBuilder,
    x0: float,
    x1: float,
    z: float,
    bottom: float,
    top: float,
    material: Material,
    rng: Rng,
    instance: int,
    *,
    deep: float = 0.035,
) -> None:
    """A cloth that hangs in folds, so deep to either side, between two places on the wall."""
    count = max(8, int((x1 - x0) * 40))
    x = np.linspace(x0, x1, count + 1)
    wave = (
        z
        + deep * np.sin(x * 2 * np.pi / (rng.uniform(0.1, 0.2) * deep / 0.035) + rng.uniform(0, 6))
        + 0.01 * np.sin(x * 90)
    )
    corners = np.empty((count, 4, 3))
    corners[:, 0] = np.stack([x[:-1], np.full(count, -top), wave[:-1]], 1)
    corners[:, 1] = np.stack([x[1:], np.full(count, -top), wave[1:]], 1)
    corners[:, 2] = np.stack([x[1:], np.full(count, -bottom), wave[1:]], 1)
    corners[:, 3] = np.stack([x[:-1], np.full(count, -bottom), wave[:-1]], 1)
    builder.quads(corners, material, label="curtain", instance=instance)


def build_blind(builder: SceneBuilder, opening: Opening, rng: Rng) -> None:
    """A roller or slatted blind, part of the way down; it belongs to the window."""
    instance = builder.new_instance()
    drop = (opening.top - opening.bottom) * rng.uniform(0.15, 1.0)
    middle, width = (opening.start + opening.end) / 2, opening.end - opening.start - 0.04
    cloth = Material(
        hsv(rng.uniform(0.05, 0.2), rng.uniform(0, 0.2), rng.uniform(0.5, 0.95)), emission=(0.08, 0.08, 0.075)
    )
    if rng.random() < 0.5:
        builder.box(
            (middle, 0.03),
            (width, drop, 0.008),
            cloth,
            bottom=opening.top - drop,
            label="windowpane",
            instance=instance,
        )
        return
    for y in np.arange(opening.top - drop, opening.top, 0.05):
        builder.box(
            (middle, 0.03), (width, 0.006, 0.035), cloth, bottom=float(y), label="windowpane", instance=instance
        )
        builder.box(
            (middle, 0.035), (width, 0.03, 0.003), cloth, bottom=float(y), label="windowpane", instance=instance
        )


def build_radiator(builder: SceneBuilder, middle: float, width: float, high: float, palette: Palette, rng: Rng) -> None:
    """A ribbed radiator on the wall."""
    instance = builder.new_instance()
    bottom = rng.uniform(0.08, 0.18)
    if rng.random() < 0.5:
        for x in np.arange(-width / 2, width / 2, 0.06):
            builder.box((middle + x, -0.1), (0.045, high, 0.12), palette.white, bottom=bottom, instance=instance)
    builder.box((middle, -0.1), (width, high - 0.06, 0.06), palette.white, bottom=bottom + 0.03, instance=instance)
