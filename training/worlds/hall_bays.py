"""What fills one bay of a hall's wall: books, a window, a shop, a door, a niche, nothing.

A bay is built in the wall's frame: x along the wall about the bay's middle, z outwards, the inner face at z = 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.worlds.bookshelves import book_stack
from training.worlds.furniture import PIECES
from training.worlds.furniture_decor import painting
from training.worlds.hall_scene import HallScene
from training.worlds.materials import Material
from training.worlds.openings import build_door, build_window, folds
from training.worlds.palette import any_colour
from training.worlds.rooms import Opening

Bay = Callable[[HallScene, float, float, float], float]
"""Builds a bay (scene, width, height, wall thickness) and returns its glazed area in square metres."""


def _pierced(scene: HallScene, width: float, height: float, thick: float, hole: Opening) -> None:
    """The wall around one hole; the bay runs from -width / 2."""
    builder, wall, left = scene.builder, scene.palette.wall, -width / 2
    for start, end, bottom, top in (
        (left, hole.start, 0.0, height),
        (hole.end, width / 2, 0.0, height),
        (hole.start, hole.end, 0.0, hole.bottom),
        (hole.start, hole.end, hole.top, height),
    ):
        if end - start > 1e-3 and top - bottom > 1e-3:
            size = (end - start, top - bottom, thick)
            builder.box(((start + end) / 2, thick / 2), size, wall, bottom=bottom, label="wall")


def plain(scene: HallScene, width: float, height: float, thick: float) -> float:
    """Wall, perhaps with a picture."""
    rng, builder = scene.rng, scene.builder
    builder.box((0, thick / 2), (width, height, thick), scene.palette.wall, label="wall")
    if rng.random() < 0.25 and height > 2.4:
        wide, high = float(rng.uniform(0.5, min(2.0, width * 0.7))), float(rng.uniform(0.4, 1.2))
        painting(builder, rng, wide, high, float(rng.uniform(0.9, 1.2)), scene.palette)
    return 0.0


def books(scene: HallScene, width: float, height: float, thick: float) -> float:
    """Shelves from the floor to the ceiling or a little lower."""
    rng, builder = scene.rng, scene.builder
    builder.box((0, thick / 2), (width, height, thick), scene.palette.wall, label="wall")
    depth, tall = 0.34, min(height - float(rng.choice([0.15, 0.5, 1.0])), 4.2)
    count = max(1, round(width / 1.1))
    wide = (width - 0.2) / count
    for index in range(count):
        with builder.placed((index - (count - 1) / 2) * wide, -depth / 2 - 0.01, yaw=np.pi):
            book_stack(builder, rng, (wide, max(tall, 1.2), depth), scene.palette, full=0.92)
    return 0.0


def window(scene: HallScene, width: float, height: float, thick: float) -> float:
    """A tall window with mullions; a curtain beside it now and then."""
    rng, builder = scene.rng, scene.builder
    half = width * float(rng.uniform(0.25, 0.44))
    bottom, top = float(rng.choice([0.05, 0.6, 1.0])), height - float(rng.uniform(0.2, 0.6))
    hole = Opening(-half, half, bottom, max(top, bottom + 0.6), "window")
    _pierced(scene, width, height, thick, hole)
    build_window(builder, hole, thick, scene.palette, rng)
    if rng.random() < 0.3:
        instance = builder.new_instance()
        cloth = scene.palette.fabric2
        for x0, x1 in ((-half - 0.2, -half * 0.6), (half * 0.6, half + 0.2)):
            folds(builder, x0, x1, -0.12, 0.03, min(hole.top + 0.15, height - 0.05), cloth, rng, instance)
    return 2 * half * (hole.top - hole.bottom)


def door(scene: HallScene, width: float, height: float, thick: float) -> float:
    """A shut door."""
    rng, builder = scene.rng, scene.builder
    half = float(rng.choice([0.45, 0.5, 0.9]))
    half = min(half, width / 2 - 0.15)
    hole = Opening(-half, half, 0.0, min(float(rng.uniform(2.0, 2.5)), height - 0.1), "door")
    _pierced(scene, width, height, thick, hole)
    # A door's frame counts from the floor up, along the wall from the hole's start.
    build_door(builder, hole, thick, scene.palette, rng, angle=0.0)
    back = thick + 0.01
    corners = [[-half, -hole.top - 0.02, back], [half, -hole.top - 0.02, back], [half, 0.0, back], [-half, 0.0, back]]
    builder.quad(corners, scene.palette.black, label="door")
    return 0.0


def shop(scene: HallScene, width: float, height: float, thick: float) -> float:
    """A lit shop behind glass or open, with goods on shelves."""
    rng, builder, palette = scene.rng, scene.builder, scene.palette
    half, top = width / 2 - 0.15, max(height - float(rng.uniform(0.3, 1.0)), 1.9)
    hole = Opening(-half, half, 0.0, top, "shop")
    _pierced(scene, width, height, thick, hole)
    deep, tone = float(rng.uniform(2.5, 4.0)), Material(any_colour(rng, bright=(0.4, 0.95)))
    light = float(np.exp(rng.uniform(np.log(0.06), np.log(0.6))))
    lit = Material(tone.albedo, emission=(light, light * 0.95, light * 0.85))
    # A little inside the hole, so that no two faces lie in one plane.
    side, back, level, under = half - 0.004, thick + deep, -0.004, -top + 0.004
    for x in (-side, side):
        builder.quad([[x, under, 0], [x, under, back], [x, level, back], [x, level, 0]], tone, label="wall")
    builder.quad(
        [[-side, under, back], [side, under, back], [side, level, back], [-side, level, back]], lit, label="wall"
    )
    builder.quad(
        [[-side, under, 0], [side, under, 0], [side, under, back], [-side, under, back]], tone, label="ceiling"
    )
    builder.quad(
        [[-side, level, 0], [side, level, 0], [side, level, back], [-side, level, back]], palette.floor, label="floor"
    )
    builder.box((0, thick + deep * 0.4), (half, 0.03, 0.5), scene.glow, bottom=top - 0.04, **builder.tag("lamp"))
    for name, at in (("display", back - 0.3), ("table", thick + deep * 0.35)):
        if name == "display":
            count = max(1, int(2 * half / 1.3))
            for index in range(count):
                with builder.placed((index - (count - 1) / 2) * 1.3, at, yaw=np.pi):
                    book_stack(builder, rng, (1.2, min(2.0, top - 0.2), 0.4), palette, pitch=0.5)
        elif rng.random() < 0.6:
            piece = PIECES[str(rng.choice(["table", "person", "plant", "cabinet"]))]
            with builder.placed(float(rng.uniform(-0.4, 0.4)) * half, at):
                piece.build(builder, rng, piece.size(rng), palette)
    if rng.random() < 0.6:
        build_window(builder, Opening(-half, half, 0.0, top, "window"), thick, palette, rng)
    sign = Material((1, 1, 1), f"picture/{int(rng.integers(16))}", emission=(0.5, 0.5, 0.5))
    if height - top > 0.3 and rng.random() < 0.6:
        high = (height - top) * 0.7
        builder.box((0, -0.04), (half * 1.2, high, 0.08), sign, bottom=top + 0.03, instance=builder.new_instance())
    return 0.0


def seat(scene: HallScene, width: float, height: float, thick: float) -> float:
    """A sofa, a bench or a cabinet before the wall."""
    rng, builder = scene.rng, scene.builder
    plain(scene, width, height, thick)
    piece = PIECES[str(rng.choice(["sofa", "sofa", "bench", "cabinet", "low shelf", "armchair"]))]
    size = piece.size(rng)
    if size[0] < width - 0.2:
        with builder.placed(0.0, -size[2] / 2 - 0.05, yaw=np.pi):
            piece.build(builder, rng, size, scene.palette)
    return 0.0


def drape(scene: HallScene, width: float, height: float, thick: float) -> float:
    """A curtain over the whole bay."""
    rng, builder = scene.rng, scene.builder
    builder.box((0, thick / 2), (width, height, thick), scene.palette.wall, label="wall")
    cloth, instance = scene.palette.fabric, builder.new_instance()
    folds(builder, -width / 2 + 0.1, width / 2 - 0.1, -0.12, 0.03, height - 0.1, cloth, rng, instance)
    return 0.0


BAYS: dict[str, Bay] = {
    "plain": plain,
    "books": books,
    "window": window,
    "door": door,
    "shop": shop,
    "seat": seat,
    "drape": drape,
}
