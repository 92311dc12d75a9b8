# mypy: disable-error-code="no-any-return"
"""Patterns of things: books, pictures, screens, facades, and of the ground and plants outdoors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.worlds.pattern_tools import SIZE, Image, Rng, grid, line, noise, tinted


def _books(rng: Rng) -> Image:
    """A row of book spines: colours in their own right."""
    u, v = grid()
    image = np.zeros((SIZE, SIZE, 3), np.float32)
    muted, left = rng.random() < 0.4, 0
    while left < SIZE:
        thick = int(rng.integers(8, 30))
        colour = (
            rng.uniform(0.02, 0.6, 3)
            if not muted
            else rng.uniform(0.05, 0.35) * rng.uniform([1, 0.5, 0.3], [1.0, 0.9, 0.7])
        )
        top = int(rng.integers(0, 150))
        columns = slice(left, min(left + thick, SIZE))
        image[top:, columns] = colour
        band = top + int(rng.integers(20, 120))
        image[band : band + int(rng.integers(6, 50)), columns] = np.clip(colour * rng.uniform(0.3, 3), 0, 0.9)
        image[:, columns.stop - 1 : columns.stop] *= 0.3
        left += thick
    return image * (0.9 + 0.1 * v[..., None]) + 0.0 * u[..., None]


def _picture(rng: Rng) -> Image:
    """A painting, a print or a photograph: landscape, abstract fields, strokes or a portrait-like blob."""
    u, v = grid()
    kind = rng.integers(4)
    if kind == 0:
        horizon = rng.uniform(0.35, 0.7) + 0.05 * noise(rng, 1.6)[0][None]
        sky, land = rng.uniform(0.2, 0.8, 3), rng.uniform(0.03, 0.4, 3)
        image = np.where(
            (v > horizon)[..., None], land * (1 + 0.4 * noise(rng, 1.1))[..., None], sky * (1.3 - v)[..., None]
        )
    elif kind == 1:
        value = noise(rng, rng.uniform(1.0, 1.8))
        palette = rng.uniform(0.02, 0.85, (6, 3))
        image = palette[np.clip(((value + 2) * 1.5).astype(int), 0, 5)]
    elif kind == 2:
        image = np.full((SIZE, SIZE, 3), rng.uniform(0.02, 0.9, 3))
        for _ in range(int(rng.integers(3, 14))):
            x, y, w, h = rng.random(4)
            inside = (np.abs(u - x) < 0.35 * w) & (np.abs(v - y) < 0.35 * h)
            image[inside] = rng.uniform(0.02, 0.9, 3)
    else:
        image = np.full((SIZE, SIZE, 3), rng.uniform(0.02, 0.6, 3)) * (1 + 0.2 * noise(rng, 1.3))[..., None]
        skin = rng.uniform(0.2, 0.7) * np.array([1.0, 0.75, 0.6])
        image[np.hypot((u - 0.5) / 0.17, (v - 0.4) / 0.22) < 1] = skin
        image[(np.hypot((u - 0.5) / 0.4, (v - 1.05) / 0.42) < 1)] = rng.uniform(0.02, 0.5, 3)
    if rng.random() < 0.4:
        edge = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
        image[edge < rng.uniform(0.04, 0.15)] = rng.uniform(0.6, 0.9)
    return np.clip(image, 0.01, 0.95).astype(np.float32)


def _rug(rng: Rng) -> Image:
    """An ornamented rug, mirrored both ways, with a border: a colour in its own right."""
    half = noise(rng, 1.2)[:256, :256]
    value = np.concatenate([half, half[:, ::-1]], 1)
    value = np.concatenate([value, value[::-1]], 0)
    palette = rng.uniform(0.03, 0.6, (5, 3)) * rng.uniform(0.4, 1.0, (5, 1))
    image = palette[np.clip(((value + 1.6) * 1.5).astype(int), 0, 4)]
    u, v = grid()
    edge = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
    image[edge < 0.1] = palette[1]
    image[(edge < 0.06) & (edge > 0.045)] = palette[3]
    return (image * (1 + 0.08 * noise(rng, 0.1))[..., None]).astype(np.float32)


def _screen(rng: Rng) -> Image:
    """What a screen shows: windows with lines of text over a backdrop."""
    u, v = grid()
    image = np.full((SIZE, SIZE, 3), rng.uniform(0.02, 0.7, 3)) * (1.2 - 0.5 * v)[..., None]
    for _ in range(int(rng.integers(1, 4))):
        x, y, w, h = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.4), rng.uniform(0.1, 0.4)
        inside = (np.abs(u - x) < w) & (np.abs(v - y) < h)
        image[inside] = rng.uniform(0.5, 1.0)
        image[inside & (v * 60 % 1 < 0.4) & (np.abs(u - x + 0.1 * np.sin(40 * np.floor(v * 60))) < w * 0.6)] = 0.1
    return image.astype(np.float32)


def _facade(rng: Rng) -> Image:
    """Rows of windows in a wall: multiplies the wall's colour, glass is dark or mirrors the sky."""
    u, v = grid()
    rows, columns = 4, int(rng.choice([3, 4, 5, 6]))
    a, b = u * columns % 1, v * rows % 1
    wide, high = rng.uniform(0.18, 0.42), rng.uniform(0.25, 0.42)
    da, db = np.abs(a - 0.5), np.abs(b - 0.5)
    glass = (da < wide) & (db < high)
    rim = (da < wide + 0.04) & (db < high + 0.03) & ~glass
    image = np.ones((SIZE, SIZE, 3), np.float32) * (1 + 0.05 * noise(rng, 1.0))[..., None]
    if rng.random() < 0.4:
        image *= (1 - 0.15 * line(v * 48, 0.3))[..., None]
    image[rim] = rng.choice([0.4, 1.5, 1.8])
    pane = rng.uniform(0.05, 0.8, (rows, columns))[np.floor(v * rows).astype(int), np.floor(u * columns).astype(int)]
    image[glass] = (pane[..., None] * np.array([0.75, 0.9, 1.1]))[glass]
    mullion = glass & ((da < 0.015) | (np.abs(b - 0.42) < 0.012))
    image[mullion] = rng.choice([0.3, 1.5])
    sill = (np.abs(b - 0.5 - high - 0.05) < 0.02) & (da < wide + 0.06)
    image[sill] = 1.3
    return image


def _curtain_wall(rng: Rng) -> Image:
    """An office tower's glass front: colours in their own right."""
    u, v = grid()
    rows, columns = 8, int(rng.choice([6, 8, 10]))
    pane = rng.uniform(0.1, 0.45, (rows, columns))[np.floor(v * rows).astype(int), np.floor(u * columns).astype(int)]
    image = pane[..., None] * rng.uniform([0.5, 0.7, 0.8], [0.9, 1.0, 1.2])
    bars = np.maximum(line(u * columns, 0.08), line(v * rows, rng.uniform(0.06, 0.35)))
    return np.where(bars[..., None] > 0, rng.uniform(0.05, 0.7), image).astype(np.float32)


def _foliage(rng: Rng) -> Image:
    value = 1 + 0.3 * noise(rng, 0.6) + 0.3 * noise(rng, 1.1)
    return tinted(np.maximum(value, 0.15), rng, 0.12)


def _grass(rng: Rng) -> Image:
    value = 1 + 0.22 * noise(rng, 0.3, stretch=(1, 3)) + 0.15 * noise(rng, 1.2)
    return tinted(np.maximum(value, 0.2), rng, 0.08)


def _gravel(rng: Rng) -> Image:
    return tinted(np.clip(1 + 0.3 * noise(rng, 0.25) + 0.12 * noise(rng, 1.2), 0.2, 2), rng, 0.04)


def _asphalt(rng: Rng) -> Image:
    cracks = np.exp(-np.abs(noise(rng, 1.4)) * 60)
    return np.clip(1 + 0.15 * noise(rng, 0.1) + 0.1 * noise(rng, 1.3) - 0.3 * cracks, 0.2, 2)


def _paving(rng: Rng) -> Image:
    u, v = grid()
    rows, columns = int(rng.choice([4, 6, 8])), int(rng.choice([2, 4, 6]))
    row = np.floor(v * rows).astype(int)
    shifted = u * columns + (row % 2) * rng.choice([0.0, 0.5])
    column = np.floor(shifted).astype(int) % columns
    shade = rng.normal(0, 0.08, (rows, columns)).astype(np.float32)[row, column]
    joint = np.maximum(line(v * rows, 0.04), line(shifted, 0.03))
    return (1 + shade + 0.08 * noise(rng, 0.7)) * (1 - 0.4 * joint)


def _cobble(rng: Rng) -> Image:
    u, v = grid()
    rows = columns = 12
    row = np.floor(v * rows).astype(int)
    shifted = u * columns + (row % 2) * 0.5
    column = np.floor(shifted).astype(int) % columns
    shade = rng.normal(0, 0.15, (rows, columns)).astype(np.float32)[row, column]
    a, b = shifted % 1 - 0.5, v * rows % 1 - 0.5
    joint = np.clip((np.hypot(a, b) - 0.42) / 0.12, 0, 1)
    return (1 + shade + 0.08 * noise(rng, 0.5)) * (1 - 0.6 * joint)


def _bark(rng: Rng) -> Image:
    return np.clip(1 + 0.35 * noise(rng, 0.9, stretch=(1, 5)) + 0.1 * noise(rng, 0.2), 0.2, 2)


def _water(rng: Rng) -> Image:
    return 1 + 0.2 * noise(rng, 1.2, stretch=(3, 1))


PICTURES: dict[str, Callable[[Rng], Image]] = {
    "asphalt": _asphalt,
    "bark": _bark,
    "books": _books,
    "cobble": _cobble,
    "curtain_wall": _curtain_wall,
    "facade": _facade,
    "foliage": _foliage,
    "grass": _grass,
    "gravel": _gravel,
    "paving": _paving,
    "picture": _picture,
    "rug": _rug,
    "screen": _screen,
    "water": _water,
}
