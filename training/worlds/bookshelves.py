"""Shelves full of books and things: stacks in rows, walls of books, low shelves that one looks over."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from training.worlds.builder import SceneBuilder
from training.worlds.materials import Material
from training.worlds.palette import Palette, any_colour

Rng = np.random.Generator
Size = tuple[float, float, float]

SPINES = 6
"""How many drawings of rows of books the bank has."""


def book_stack(
    builder: SceneBuilder,
    rng: Rng,
    size: Size,
    palette: Palette,
    *,
    full: float | None = None,
    pitch: float | None = None,
) -> None:
    """One unit of shelving, filled; its front towards local z, its back at ``-depth / 2``.

    Args:
        builder: Takes the parts.
        rng: Random numbers.
        size: (width, height, depth) in metres.
        palette: Its wood.
        full: Share of the boards that carry something; None: drawn.
        pitch: Metres from board to board; None: drawn.
    """
    width, height, depth = size
    tag = builder.tag("shelf")
    board, thick = palette.wood, 0.03
    full = float(rng.uniform(0.6, 1.0)) if full is None else full
    rows = max(1, round((height - 0.1) / (float(rng.uniform(0.27, 0.4)) if pitch is None else pitch)))
    builder.box((0, -depth / 2 + 0.01), (width, height, 0.02), board, **tag)
    for x in (-1.0, 1.0):
        builder.box((x * (width - thick) / 2, 0), (thick, height, depth), board, **tag)
    builder.box((0, 0), (width, 0.08, depth - 0.02), board, **tag)
    spines = [Material((1, 1, 1), f"books/{int(index)}") for index in rng.integers(0, SPINES, 3)]
    levels = np.linspace(0.08, height - thick, rows + 1)
    for level, above in pairwise(levels):
        if rng.random() < full:
            room = above - level - thick
            if rng.random() < 0.88:
                _books(builder, rng, (width - 2 * thick, room, depth), level + thick, spines, palette, tag)
            else:
                _things(builder, rng, (width - 2 * thick, room, depth), level + thick, tag)
    for level in levels:
        builder.box((0, 0), (width - 2 * thick, thick, depth), board, bottom=float(level), **tag)


def _books(
    builder: SceneBuilder,
    rng: Rng,
    room: Size,
    bottom: float,
    spines: list[Material],
    palette: Palette,
    tag: dict[str, Any],
) -> None:
    """A row of books that fills most of a board, with a gap now and then."""
    width, tall, depth = room
    wide = width * (1.0 if rng.random() < 0.6 else float(rng.uniform(0.4, 0.95)))
    at = (wide - width) / 2 if rng.random() < 0.7 else (width - wide) / 2
    high = min(tall * float(rng.uniform(0.7, 0.95)), 0.36)
    front = depth / 2 - float(rng.uniform(0.01, 0.06))
    back = -depth / 2 + 0.02
    builder.box((at, (front + back) / 2), (wide, high * 0.92, front - back - 0.01), palette.wood2, bottom=bottom, **tag)
    low, left, right = -bottom, at - wide / 2, at + wide / 2
    corners = [[left, low - high, front], [right, low - high, front], [right, low, front], [left, low, front]]
    builder.quad(corners, spines[int(rng.integers(len(spines)))], fit=True, **tag)


def _things(builder: SceneBuilder, rng: Rng, room: Size, bottom: float, tag: dict[str, Any]) -> None:
    """Boxes, folders and lying piles."""
    width, tall, depth = room
    for _ in range(int(rng.integers(2, 6))):
        wide, high = float(rng.uniform(0.06, 0.3)), tall * float(rng.uniform(0.2, 0.9))
        at = float(rng.uniform(-0.5, 0.5)) * (width - wide)
        builder.box((at, 0.02), (wide, high, depth * 0.7), Material(any_colour(rng)), bottom=bottom, **tag)


def low_shelf(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A shelf below the eyes, with things on top of it."""
    width, height, depth = size
    book_stack(builder, rng, size, palette)
    tag = builder.tag("shelf")
    top = palette.wood2 if rng.random() < 0.3 else palette.wood
    builder.box((0, 0), (width + 0.02, 0.03, depth + 0.02), top, bottom=height, **tag)
    _things(builder, rng, (width, 0.35, depth), height + 0.03, tag)


def double_stack(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """Free-standing shelving with books on both sides."""
    width, height, depth = size
    for yaw in (0.0, np.pi):
        with builder.placed(0, 0, yaw=yaw), builder.placed(0, depth / 4):
            book_stack(builder, rng, (width, height, depth / 2), palette)


def server_rack(builder: SceneBuilder, rng: Rng, size: Size, palette: Palette) -> None:
    """A cabinet for computers: a perforated or plain door, rows of units, small lights."""
    width, height, depth = size
    tag = builder.tag("cabinet")
    body = (palette.black, palette.white, palette.metal)[int(rng.integers(3))]
    builder.box((0, 0), (width - 0.01, height, depth - 0.06), body, **tag)
    front = depth / 2 - 0.03
    if rng.random() < 0.5:
        door = Material(body.albedo, "fabric/0", 0.08, 0.6, gloss=0.03)
        builder.box((0, front), (width - 0.05, height - 0.12, 0.03), door, bottom=0.07, **tag)
        builder.box((width * 0.4, front + 0.02), (0.03, 0.25, 0.03), palette.metal, bottom=height * 0.5, **tag)
        return
    units = max(3, int(height / float(rng.uniform(0.09, 0.3))))
    tones = [Material((grey, grey, grey * 1.03), gloss=0.03) for grey in rng.uniform(0.02, 0.6, 3)]
    lights = [Material((1, 1, 1), emission=colour) for colour in ((0.1, 1.5, 0.2), (0.1, 0.4, 1.8), (1.5, 0.5, 0.1))]
    for index in range(units):
        level, high = 0.06 + index * (height - 0.12) / units, (height - 0.12) / units - 0.012
        tone = tones[int(rng.integers(3))]
        builder.box((0, front), (width - 0.09, high, float(rng.uniform(0.01, 0.04))), tone, bottom=level, **tag)
        if rng.random() < 0.5:
            at = float(rng.uniform(-0.35, 0.35)) * width
            light = lights[int(rng.integers(3))]
            builder.box((at, front + 0.022), (0.05, 0.015, 0.01), light, bottom=level + high / 2, **tag)
